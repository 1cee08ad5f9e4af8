"""The bound on windows of music, shared out over ranks and gathered."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from diffmidi_core.contracts.metric import WindowBits
from diffmidi_core.contracts.process import Process
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.engine.seeds import generator_for
from diffmidi_core.engine.session import Session


def window_bits(
    session: Session,
    process: Process,
    dataset: TokenDataset,
    windows: Sequence[Window],
    *,
    levels: int | None,
    report: bool = True,
) -> list[WindowBits]:
    """Bits of each window under the process, in the order of the windows, on every rank.

    The windows are cut into the same batches, with the same noise, whatever the number of ranks; each rank takes its
    share of them.
    """
    accelerator, size = session.accelerator, session.config.evaluate.batch_size
    batches = [windows[begin : begin + size] for begin in range(0, len(windows), size)]
    mine: list[tuple[int, list[WindowBits]]] = []
    process.eval()
    for index in range(accelerator.process_index, len(batches), accelerator.num_processes):
        if report:
            session.hooks.emit("progress", what="held-out windows", done=index * size, total=len(windows))
        generator = generator_for(session.config.seed, "bound", index, device=accelerator.device)
        with torch.no_grad(), accelerator.autocast():
            batch = dataset.batch(batches[index]).to(accelerator.device)
            bound = process.bound(batch, generator, levels=levels)
        terms = {name: bits.double().tolist() for name, bits in bound.terms.items()}
        mine.append(
            (
                index,
                [
                    WindowBits(
                        terms={name: bits[row] for name, bits in terms.items()},
                        words=window.end - window.start,
                        notes=session.tokenizer.count_notes(dataset.words(window)),
                    )
                    for row, window in enumerate(batches[index])
                ],
            )
        )
    if report:
        session.hooks.emit("progress", what="held-out windows", done=len(windows), total=len(windows))
    gathered = _gather(session, mine)
    return [row for _, rows in sorted(gathered, key=lambda pair: pair[0]) for row in rows]


def _gather(session: Session, mine: list[tuple[int, list[WindowBits]]]) -> list[tuple[int, list[WindowBits]]]:
    if session.accelerator.num_processes == 1:
        return mine
    from accelerate.utils import gather_object

    gathered: list[tuple[int, list[WindowBits]]] = gather_object(mine)
    return gathered


def bits_per_word(rows: Sequence[WindowBits]) -> float:
    """The bound over all windows, in bits per word of music."""
    return sum(sum(row.terms.values()) for row in rows) / max(1, sum(row.words for row in rows))
