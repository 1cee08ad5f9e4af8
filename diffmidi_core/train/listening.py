"""Listening: a few pieces drawn while training goes on, into draws/step-N, so that its progress can be heard.

Whether and when they are drawn changes nothing of the training: they have generators of their own, and no validation
pass, checkpoint or batch depends on the clock.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from diffmidi_core.contracts.process import Process
from diffmidi_core.draw.model import Model
from diffmidi_core.draw.pieces import Computing
from diffmidi_core.draw.sample import MIDI, draw_into
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import whole_folder
from diffmidi_core.machine.ranks import done_by_main
from diffmidi_core.machine.session import Session
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import WHILE_TRAINING, DrawFolder
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.sections import SampleConfig
from diffmidi_core.train.plan import DRAWING

FIRST = 60.0
"""Seconds of training after which there is something to hear, where no validation pass comes before."""
LONGEST = 60.0
"""Seconds that drawing may take; where a machine takes longer, nothing is drawn any more."""
NEWEST = 8
"""Draws that are kept as they are; of older ones one in each doubling of the iterations."""

Aloud = Callable[[DrawFolder], list[Path]]
"""Makes the first piece of a draw audible and visible, and gives the files."""


class InterruptedDrawingError(DiffmidiError):
    """Drawing is cut short."""


class Listening:
    """Draws what a training has learned so far.

    Args:
        session: the run's. Its config says how many pieces (train.draw), by which sampler.
        aloud: renders; None: there is MIDI only.
        stopping: asked at each step of the sampler whether training is to stop, which then goes first.
    """

    def __init__(self, session: Session, aloud: Aloud | None, stopping: Callable[[], bool] = lambda: False) -> None:
        self.session, self.aloud, self.stopping = session, aloud, stopping
        self.count = session.config.train.draw
        self._begun = time.monotonic()
        self._free_at = self._begun
        self._heard = not self.count or done_by_main(lambda: bool(self._drawn()))

    def is_early(self, step: int) -> bool:
        """Whether to draw after so many steps though no validation pass is due: nothing was drawn yet, and by the next
        power of two, or the next pass, more than FIRST seconds would have gone by. On every process the same.
        """
        every = self.session.config.train.evaluate_every
        if self._heard or step & (step - 1) or step % every == 0:
            return False
        coming = min(2 * step, (step // every + 1) * every)
        return done_by_main(lambda: (time.monotonic() - self._begun) * coming / step > FIRST)

    def draw(self, process: Process, manifest: Manifest) -> None:
        """Draw with averaged weights, on the main process; not where the last draw took more than a share of DRAWING
        of the time since. Where it fails, training goes on without.
        """
        self._heard = True
        if not (self.count and self.session.accelerator.is_main_process) or time.monotonic() < self._free_at:
            return
        begun = time.monotonic()
        try:
            self._draw(process, manifest, begun)
        except Exception as error:
            if not self.stopping():
                self.count = 0
                self.session.hooks.warn(f"training draws no music any more ({type(error).__name__}: {error})")
        self._free_at = time.monotonic() + (time.monotonic() - begun) / DRAWING

    def _draw(self, process: Process, manifest: Manifest, begun: float) -> None:
        def check(done: int, total: int | None) -> None:
            if time.monotonic() - begun > LONGEST:
                raise InterruptedDrawingError(f"it takes more than {LONGEST:.0f} seconds here.")
            if self.stopping():
                raise InterruptedDrawingError("training stops.")

        config, folder = self.session.config, self.session.folder
        sampling = SampleConfig(count=self.count, batch_size=self.count, steps=config.sample.steps)
        request = Request(**sampling.model_dump(), seed=config.seed, sampler=config.sampler)
        model = Model.of(process, manifest, folder.path, request)
        draw = DrawFolder(folder.draws / f"{WHILE_TRAINING}{manifest.step}")
        with whole_folder(draw.path, inside=folder.path) as temporary:
            draw_into(DrawFolder(temporary), model, request, Computing(self.session.autocast, on_step=check))
        paths = draw.files(draw.pieces(), MIDI) + self._rendered(draw)
        self.session.hooks.emit("samples_written", paths=paths)
        self._thin()

    def _rendered(self, draw: DrawFolder) -> list[Path]:
        if self.aloud is None:
            return []
        try:
            return self.aloud(draw)
        except Exception as error:
            self.aloud = None
            self.session.hooks.warn(f"what training draws is left as MIDI ({type(error).__name__}: {error})")
            return []

    def _drawn(self) -> list[int]:
        """The iterations that there are draws of, rising."""
        names = [
            path.name.removeprefix(WHILE_TRAINING) for path in self.session.folder.draws.glob(f"{WHILE_TRAINING}*")
        ]
        return sorted(int(name) for name in names if name.isdecimal())

    def _thin(self) -> None:
        for step in superfluous(self._drawn()):
            draw = DrawFolder(self.session.folder.draws / f"{WHILE_TRAINING}{step}")
            if not draw.figures_file.exists():  # else somebody judged it
                draw.request_file.unlink(missing_ok=True)  # first: without it the rest is no draw
                shutil.rmtree(draw.path, ignore_errors=True)


def superfluous(steps: list[int]) -> list[int]:
    """Which of rising iterations need not be kept: not the NEWEST, and of the others not the first of each doubling."""
    older = steps[:-NEWEST]
    return [step for step, before in zip(older[1:], older, strict=False) if step.bit_length() == before.bit_length()]
