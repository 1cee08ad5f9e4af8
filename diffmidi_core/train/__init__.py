"""Training: the loop, a step of it, its data feed, and what watches over it."""
