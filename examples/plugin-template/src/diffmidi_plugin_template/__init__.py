"""A template for a diffmidi plugin. See README.md."""
