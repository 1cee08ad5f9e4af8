"""RunFolder: what a run leaves behind, and where."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from diffmidi_core.config import KINDS, PLURAL, RunConfig, read_config, resolve
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import check_regular, may_not_be_read, partial_of, read_json, whole_file, write_json
from diffmidi_core.layers import asked
from diffmidi_core.machine.ranks import is_main
from diffmidi_core.machine.run_log import RUN_LOG
from diffmidi_core.saved import changes
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.facts import read_facts
from diffmidi_core.saved.installed import is_installed
from diffmidi_core.saved.log import MOST_LOG, log_line


class RunFolder:
    """`runs/NAME/{config.json, run.json, run.log, metrics.jsonl, report.html}`, and folders.

    These are data, checkpoints, draws, figures, and beside, where installed models play.

    config.json holds what was asked for preparing and training. It is written when the run begins, and for the last
    time when training does. What changes afterwards is a segment in run.json. Every process may hold a RunFolder; only
    the main process writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.json"
        self.facts_file = path / "run.json"
        self.log_file = path / RUN_LOG
        self.metrics_file = path / "metrics.jsonl"
        self.report_file = path / "report.html"
        self.data = path / "data"
        self.checkpoints = path / "checkpoints"
        self.draws = path / "draws"
        self.beside = path / "beside"
        self.figures = path / "figures"

    @classmethod
    def claim(cls, path: Path | None, config: RunConfig, name: str | None = None) -> RunFolder:
        """A folder for a new run: `path`, or the next free one under runs/ after a `name`, or after the chosen parts.

        The name is taken by making the folder, so that two runs never choose the same.
        """
        if path is None:
            path = _claimed(name or f"{config.tokenizer.label}-{config.backbone.label}".replace(":", "-"))
        return cls(path)

    def begin(self, config: RunConfig) -> None:
        """Begin a run here; whoever does holds the lock (saved/lock.py).

        A folder whose preparation was stopped is taken up again. Raises DiffmidiError where it holds more of a run than
        that: nothing is ever overwritten.
        """
        if self.config_file.exists() and not self._only_begun():
            raise DiffmidiError(
                f"{self.path} already holds a run: choose another --out, or go on with it by --resume {self.path}."
            )
        self.facts_file.unlink(missing_ok=True)
        self._save(config)

    @classmethod
    def new(cls, path: Path | None, config: RunConfig) -> RunFolder:
        """Claim a folder and begin a run in it."""
        folder = cls.claim(path, config)
        folder.begin(config)
        return folder

    def _only_begun(self) -> bool:
        left = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
        return left <= {self.config_file.name, self.facts_file.name, self.log_file.name, partial_of(self.data).name}

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The folder of a run that was begun. Raises DiffmidiError where there is none."""
        folder = cls(path)
        if not folder.config_file.is_file():
            if is_installed(path):
                raise DiffmidiError(
                    f"{path} is an installed model, not a run with the music that it was trained on: it is for "
                    f"`diffmidi sample {path}`."
                )
            raise DiffmidiError(
                f"there is no run in {path} (no config.json): `diffmidi prepare --out {path}` begins one."
            )
        return folder

    @property
    def frozen(self) -> bool:
        """Whether training has begun: then nothing writes config.json any more."""
        return bool(self.segments())

    def segments(self) -> list[dict[str, Any]]:
        """The stretches that training was done in, as run.json has them."""
        segments: list[dict[str, Any]] = self.facts().get("segments", [])
        return segments

    @property
    def planned(self) -> bool:
        """Whether it is settled how many iterations its minutes come to."""
        return any("plan" in segment for segment in self.segments())

    def config(self) -> RunConfig:
        """The run's config, with what its segments changed. Whatever is installed."""
        return read_config(self._tree(), self.config_file)

    def _tree(self) -> dict[str, Any]:
        tree: Any = read_json(self.config_file)
        if not isinstance(tree, dict):
            raise DiffmidiError(f"{self.config_file} does not hold one JSON object: it was not written by diffmidi.")
        config: dict[str, Any] = tree
        for segment in self.segments():
            config = changes.apply(config, segment.get("changed") or {})
        return config

    def changed(
        self, flags: Mapping[str, Any], assignments: tuple[str, ...] = (), *, kinds: Collection[str] = KINDS
    ) -> tuple[RunConfig, dict[str, Any]]:
        """The config with flags over it, and what they change of a run that has begun to train (saved/changes.py).

        Raises UsageError where they would change what prepared the run, or what trains it.
        """
        before = self.config()
        if not flags and not assignments:
            return before, {}
        tree = before.model_dump(mode="json")
        if self.frozen:
            after = resolve(tree, flags, assignments, kinds=kinds)
            return after, changes.check(self.path, tree, after.model_dump(mode="json"), trained=True)
        # Another preset or process brings its own parts, so that only what was asked before is laid under.
        kinds = {*kinds, "sampler"}
        others = {name: tree[name] for kind in KINDS if (name := PLURAL.get(kind, kind)) and kind not in kinds}
        after = resolve(asked(tree) | others, flags, assignments, kinds=kinds)
        if self.data.exists():
            changes.check(self.path, tree, after.model_dump(mode="json"), trained=False)
        return after, {}

    def freeze(self, config: RunConfig) -> None:
        """Write the config for the last time, as training begins; afterwards it stays as it is."""
        if not self.frozen:
            self._save(config)

    def _save(self, config: RunConfig) -> None:
        if is_main():
            write_json(self.config_file, config.model_dump(mode="json"))

    def draw(self, name: str | None = None) -> DrawFolder:
        """A draw by its name; by default the newest that was asked for. Raises DiffmidiError where there is none."""
        return DrawFolder.choose(self.draws, name, f"run `diffmidi sample {self.path}` first")

    def facts(self) -> dict[str, Any]:
        """What run.json holds: what happened, as opposed to what was asked."""
        return read_facts(self.facts_file)

    def note(self, **facts: Any) -> None:
        """Add to run.json (versions, hardware, times)."""
        if is_main():
            write_json(self.facts_file, {**self.facts(), **facts})

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
        return [line for text in self._log_lines() if (line := log_line(text)) is not None]

    def truncate_log(self, step: int) -> None:
        """Drop what a run that was cut off had logged after the step it goes on from."""
        if not (is_main() and self.metrics_file.exists()):
            return
        kept = [text for text in self._log_lines() if (line := log_line(text)) is not None and line["step"] <= step]
        with whole_file(self.metrics_file) as temporary:
            temporary.write_text("".join(f"{text}\n" for text in kept), encoding="utf-8")

    def _log_lines(self) -> list[str]:
        try:
            check_regular(self.metrics_file, most=MOST_LOG)
            return self.metrics_file.read_text(encoding="utf-8").splitlines()
        except PermissionError:
            raise may_not_be_read(self.metrics_file) from None
        except OSError as error:
            raise DiffmidiError(f"{self.metrics_file} cannot be read: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            raise DiffmidiError(f"{self.metrics_file} cannot be read: {error}.") from error


def _claimed(name: str) -> Path:
    """runs/NAME-1, or the first number after it that no one has."""
    number = 1
    while True:
        path = Path("runs") / f"{name}-{number}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise DiffmidiError(f"{path} cannot be written: {error.strerror or error}.") from error
        else:
            return path
