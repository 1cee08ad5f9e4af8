"""What diffmidi-voice-leading adds to diffmidi. See README.md."""
