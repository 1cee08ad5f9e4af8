"""RunFolder: what a run leaves behind, and where."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffmidi_core.config import RunConfig, resolve
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import partial_of, read_json, whole_file, write_json
from diffmidi_core.run.ranks import is_main


class RunFolder:
    """`runs/NAME/{config.json, run.json, data/, metrics.jsonl, checkpoints/, samples/, figures.json, report.html}`.

    Every process may hold one; only the main process writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.json"
        self.facts_file = path / "run.json"
        self.metrics_file = path / "metrics.jsonl"
        self.figures_file = path / "figures.json"
        self.report_file = path / "report.html"
        self.data = path / "data"
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"

    @classmethod
    def new(cls, path: Path | None, config: RunConfig) -> RunFolder:
        """A folder for a new run: `path`, or the next free name under runs/ after the chosen parts.

        One whose preparation was stopped is taken up again. Raises DiffmidiError where `path` already holds more of a
        run than that: nothing is ever overwritten.
        """
        if path is None:
            name = f"{config.tokenizer.name}-{config.backbone.name}".replace(":", "-")
            taken = {entry.name for entry in Path("runs").glob("*")}
            number = next(n for n in range(1, len(taken) + 2) if f"{name}-{n}" not in taken)
            path = Path("runs") / f"{name}-{number}"
        folder = cls(path)
        if folder.config_file.exists() and not folder._only_begun():
            raise DiffmidiError(
                f"{path} already holds a run: choose another --out, or go on with it by --resume {path}."
            )
        folder.save(config)
        return folder

    def _only_begun(self) -> bool:
        left = {each.name for each in self.path.iterdir() if not each.name.startswith(".")}
        return left <= {self.config_file.name, partial_of(self.data).name}

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The folder of a run that was begun. Raises DiffmidiError where there is none."""
        folder = cls(path)
        if not folder.config_file.is_file():
            raise DiffmidiError(
                f"there is no run in {path} (no config.json): `diffmidi prepare --out {path}` begins one."
            )
        return folder

    def config(self, flags: Mapping[str, Any] | None = None, assignments: tuple[str, ...] = ()) -> RunConfig:
        """The run's config with flags over it, checked."""
        saved = read_json(self.config_file)
        if isinstance(saved, dict):
            saved.setdefault("preset", None)  # its options were filled in when there was none yet
        return resolve(saved, flags, assignments)

    def save(self, config: RunConfig) -> None:
        """Write the config, every default in it."""
        if is_main():
            write_json(self.config_file, config.model_dump(mode="json"))

    def note(self, **facts: Any) -> None:
        """Add to run.json: what happened (versions, hardware, times), as opposed to what was asked."""
        if not is_main():
            return
        known = read_json(self.facts_file) if self.facts_file.exists() else {}
        write_json(self.facts_file, {**known, **facts})

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line to metrics.jsonl."""
        if not is_main():
            return
        line = json.dumps({"step": step, **values}, allow_nan=True)
        try:
            with self.metrics_file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise DiffmidiError(f"{self.metrics_file} cannot be written: {error.strerror or error}.") from error

    def read_log(self) -> list[dict[str, float]]:
        """The lines of metrics.jsonl, without what a killed run left half-written; empty where nothing was logged."""
        if not self.metrics_file.exists():
            return []
        try:
            lines = self.metrics_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DiffmidiError(f"{self.metrics_file} cannot be read: {error}.") from error
        return [json.loads(line) for line in lines if math.isfinite(_step_of(line))]

    def truncate_log(self, step: int) -> None:
        """Drop what a run that was cut off had logged after the step it goes on from."""
        if not (is_main() and self.metrics_file.exists()):
            return
        lines = self.metrics_file.read_text(encoding="utf-8").splitlines()
        with whole_file(self.metrics_file) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines if _step_of(line) <= step), encoding="utf-8")


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # the half-written last line of a killed run
