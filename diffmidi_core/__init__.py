"""diffmidi: train, sample, steer and judge diffusion models on symbolic music."""

__version__ = "0.1.0"
