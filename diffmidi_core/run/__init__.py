"""A run: its folder, its parts, its stages, and what they stand on."""
