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
    assert [row["way"] for row in rows] == ["no guidance", "guidance 4", "best of 2"]
    for row in rows:
        assert row["pieces"] == 4
        assert row["by target"].keys() == {"low", "high"}
        assert row["success"] == sum(row["by target"].values()) / 4
        assert row["success interval"][0] <= row["success"] <= row["success interval"][1]
        assert row["bits per note"] > 0
