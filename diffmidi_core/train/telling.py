"""What training tells the user: why it ended, what a bad step was, and whether the model overfits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.errors import DiffmidiError, StoppedError
from diffmidi_core.machine.deterministic import without_deterministic_kernel
from diffmidi_core.machine.memory import out_of_memory
from diffmidi_core.numbers import counted, figure_text, spread_text
from diffmidi_core.saved.checkpoint import steps
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.sections import TrainConfig
from diffmidi_core.train.overfitting import Best, overfits_from

NAMED = 3
"""Windows of a bad step that are named; the others are counted."""


def not_finite(
    what: str, iteration: int, dataset: TokenDataset, windows: Sequence[Window], folder: RunFolder
) -> DiffmidiError:
    """That the loss or the gradient of an iteration was no number, on which windows, and what is left to go on from."""
    shown = [f"{dataset.name(window.piece)} (tokens {window.start} to {window.end})" for window in windows[:NAMED]]
    more = len(windows) - len(shown)
    named = ", ".join(shown) + (f" and {counted(more, 'more window')}" if more else "")
    known = steps(folder.checkpoints)
    if known:
        last = f"The checkpoint of iteration {known[-1]} is whole"
        lower = f"lower the learning rate in a new run from there (diffmidi run --from {folder.path} --lr ...)"
    else:
        last, lower = "No checkpoint was written yet", "lower the learning rate in a new run (--lr)"
    return DiffmidiError(
        f"the {what} is not a finite number at iteration {iteration}, on {named}: {lower}, or go on in fp32 (diffmidi "
        f"run --resume {folder.path} --precision fp32). {last}."
    )


def known_reason(error: Exception, config: TrainConfig, run: Path, iteration: int) -> DiffmidiError | None:
    """The sentence for an error that ended training, where one is known."""
    if out_of_memory(error):
        size, passes = max(1, config.batch_size // 2), 2 * config.accumulate
        return DiffmidiError(
            f"memory ran out at iteration {iteration}: go on with `diffmidi run --resume {run} "
            f"--batch-size {size} --accumulate {passes}`, whose iterations are the same."
        )
    if config.compile and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        reason = " ".join(str(error).split())[:200]
        return DiffmidiError(
            f"torch.compile cannot compile this backbone here ({reason}): leave out --compile. On a CPU it needs a C++ "
            "compiler."
        )
    return without_deterministic_kernel(error) if config.deterministic else None


def stopped(run: Path, step: int, iterations: int) -> StoppedError:
    """That training was stopped, and how to go on."""
    return StoppedError(
        f"Stopped at iteration {step} of {iterations}; everything is saved. Go on with: diffmidi run --resume {run}"
    )


def remarks_at_the_end(
    best: Best, step: int, iterations: int, log: Sequence[Mapping[str, float]] | None
) -> Iterator[str]:
    """That it ended early, and that it overfitted; where no `log` is given, nothing of the second."""
    if step < iterations:
        error = "" if best.error is None else f" {spread_text(best.error)}"
        passes = f"{best.looks_since} validation pass{'es have' if best.looks_since > 1 else ' has'}"
        yield (
            f"training stopped at iteration {step} of {iterations}: {passes} not lowered the validation loss, whose "
            f"best is {figure_text(best.bound)}{error} bits per token, at iteration {best.step}."
        )
    if log is not None and (parted := overfits_from(log)) is not None:
        yield (
            f"the model overfits from iteration {parted} on: its loss on training music goes on falling, and on "
            "held-out music it rises. `sample` and `evaluate` take the checkpoint of that iteration unless told "
            "otherwise by --checkpoint; more music would help."
        )
