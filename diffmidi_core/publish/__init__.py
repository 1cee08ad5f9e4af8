"""Publishing: a model as a folder for others."""
