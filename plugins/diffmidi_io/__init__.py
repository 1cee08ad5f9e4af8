"""Built-in sources and renderers: see declarations.py for what is offered."""
