"""Showing: sound, pictures, the report, runs side by side."""
