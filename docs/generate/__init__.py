"""Builds the docs: the pages in docs/, and those that are written from the code, as a site that opens offline.

`make docs`, or `python -m docs.generate`. What is written from the code is not kept in the repository: commands from
click, options from the parts' models, contracts from docstrings, checks from the conformance kit.
"""
