"""The colours of notes, the same in pictures and on pages."""

VELOCITIES = ("#b9d7ea", "#5fa8d3", "#3b6fb6", "#4b3f9e", "#8c2f7f", "#d1495b")
"""From soft to loud. Even the softest stands out from the paper."""
TRACKS = ("#3b6fb6", "#d1495b", "#8c2f7f")
"""Of several tracks, in turn: hues of the same palette, paler where a note is soft."""
