"""The checks, a file a kind: every function named check_* in it is one, so that a new one runs by being written."""
