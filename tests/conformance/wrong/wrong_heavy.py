"""A declaration that imports numpy."""

import numpy as np

from diffmidi.api import Declaration

heavy = Declaration(summary=f"numpy {np.__version__[:1]}", implementation="wrong_parts:Falling")
