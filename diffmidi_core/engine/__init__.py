"""The runner: stages over a run folder, driven by Accelerate."""
