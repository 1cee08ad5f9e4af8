"""Judging: what a checkpoint and a draw are worth."""
