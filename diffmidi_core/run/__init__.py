"""A run: its stages, one after the other."""
