"""Built-in denoiser backbones: see declarations.py for what is offered."""
