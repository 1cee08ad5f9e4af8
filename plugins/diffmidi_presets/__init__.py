"""The built-in presets."""
