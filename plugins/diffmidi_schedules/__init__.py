"""Built-in noise schedules: see declarations.py for what is offered."""
