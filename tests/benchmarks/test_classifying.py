"""benchmarks/classifying.py: at sizes of nothing it runs from end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "classifying.py"


def test_the_tiny_one_runs_from_end_to_end(tmp_path):
    out = tmp_path / "rows.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--tiny", "--out", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text())
    assert [(row["way"], row["value"]) for row in rows] == [
        ("no guidance", ""),
        ("best of 2", "high"),
        ("best of 2", "low"),
        ("guidance 4", "high"),
        ("guidance 4", "low"),
    ]
    for row in rows:
        assert len(row["obtained"]) == len(row["bits"]) == (4 if row["way"] == "no guidance" else 2)
        assert set(row["obtained"]) <= {1, 2}
        assert all(bits > 0 for bits, notes in row["bits"])
    for way in ("no guidance", "best of 2", "guidance 4"):
        assert way in done.stdout
