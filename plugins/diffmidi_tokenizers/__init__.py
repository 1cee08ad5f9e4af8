"""Built-in tokenizers: see declarations.py for what is offered."""
