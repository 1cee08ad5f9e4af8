"""A data set in one table: MIDI files as bytes, with who wrote them, as pandas writes it."""

from pathlib import Path

import pandas as pd

import diffmidi

files = sorted(Path("songs").glob("*.mid"))
pd.DataFrame({"midi": [file.read_bytes() for file in files], "title": [file.stem for file in files]}).to_parquet(
    "songs.parquet"
)
run = diffmidi.run("songs.parquet", config="quick.json")
