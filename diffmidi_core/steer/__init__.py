"""What of a user's own file is drawn anew, and how the answer is written into that file."""
