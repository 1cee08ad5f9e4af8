"""Built-in metrics: see declarations.py for what is offered."""
