"""Uniform diffusion for diffmidi: see declarations.py for what is offered."""
