"""Built-in samplers: see declarations.py for what is offered."""
