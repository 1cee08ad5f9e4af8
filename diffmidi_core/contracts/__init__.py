"""What each kind of part promises: one short file a kind. Plugin authors import them from `diffmidi.api`."""
