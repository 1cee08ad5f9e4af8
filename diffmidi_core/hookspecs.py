"""What happens during a run, and who may listen: pluggy hooks, entry-point group `diffmidi.hooks`.

A listener implements any of these with `@hookimpl` and may take any of the arguments by name. Listeners run on the main
process only. One that raises is named, switched off for the rest of the run, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from diffmidi_core.contracts.report import Section

if TYPE_CHECKING:
    from diffmidi_core.contracts.metric import TrainingMusic

hookspec = pluggy.HookspecMarker("diffmidi")
hookimpl = pluggy.HookimplMarker("diffmidi")


@hookspec
def run_started(folder: Path, config: Mapping[str, Any], stage: str, about: str) -> None:
    """A stage begins ("prepare", "plan", "train", "sample", "evaluate", "render", "report").

    `config` is what governs it: the run's config, or of a draw the request; `about` tells people in a few words.
    """


@hookspec
def scalars(step: int, values: Mapping[str, float]) -> None:
    """Numbers of a training step: the loss and its parts, lr, steps_per_second.

    A validation pass is a call of its own: "heldout/bound_bpw" and "train/bound_bpw", the bound on music held out and
    trained on, in bits per token, and "heldout/bound_bpw_error", the standard error of the first.
    """


@hookspec
def checkpoint_saved(step: int, path: Path) -> None:
    """A checkpoint stands whole at `path`."""


@hookspec
def samples_written(paths: list[Path]) -> None:
    """New music lies at `paths`: a draw that was asked for, or what training draws by itself (draws/step-N)."""


@hookspec
def run_finished(folder: Path, figures: Mapping[str, Any], stage: str) -> None:
    """A stage ended well; `figures` is what it measured (empty for most)."""


@hookspec
def progress(what: str, done: int, total: int | None) -> None:
    """Long work advances: `done` of `total` (None: not known) of `what` ("pieces", "reverse steps", "windows")."""


@hookspec
def warned(message: str) -> bool:  # type: ignore[empty-body]
    """Something the user should know; the run goes on. True where the listener showed it to them."""


@hookspec
def report_sections(  # type: ignore[empty-body]
    folder: Path, config: Mapping[str, Any], training: Callable[[], TrainingMusic | None]
) -> Sequence[Section]:
    """report.html is written: what should stand in it? Sections stand in the order in which listeners were chosen.

    `config` is the run's, with what its segments changed; `training()` opens what the model was trained on, None where
    it is not there any more; everything else lies in `folder`: `DrawFolder.all(folder / "draws")` has what was drawn,
    `Judged.files(folder)` figures of checkpoints and `Judged.of_draw(draw)` those of a draw. A run may lack anything
    that its stages would have left: name what is missing, or return no section.
    """
