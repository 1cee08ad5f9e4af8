"""Music: reading MIDI safely, notes as columns, scores from columns."""
