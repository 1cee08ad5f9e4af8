"""What a DAW calls: daw.py MODEL FILE BARS OUT draws these bars anew; OUT has the new notes alone, at their place."""

import sys

import diffmidi
from diffmidi.api import DiffmidiError

model, file, bars, out = sys.argv[1:]
try:
    take, *others = diffmidi.Pipeline.from_pretrained(model).infill(file, bars=bars, candidates=2)
except DiffmidiError as error:
    sys.exit(f"diffmidi: {error}")
take.save_new(out)
