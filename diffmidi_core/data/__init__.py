"""Data: from pieces of music to a token dataset, and from that to batches of windows."""
