"""The studio: a local page on which a piece is painted, heard and kept, and the server behind it."""
