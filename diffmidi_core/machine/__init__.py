"""What computes, and what a command works in: ranks, devices, precision, memory, parts, the session."""
