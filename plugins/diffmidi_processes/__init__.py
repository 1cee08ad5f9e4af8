"""Built-in diffusion processes: see declarations.py for what is offered."""
