"""Writing spans of a file in tokens that add steps of time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.draw.span import Span, Stretch
from diffmidi_core.draw.span_time import Added
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.steer.rulers import EvenRuler, Ruler
from diffmidi_core.steer.span_writer import Around, Writer, told


class AddingWriter(Writer):
    """Where tokens add steps: of each span they are counted from its beginning on."""

    def ends(self, around: Around, ruler: Ruler) -> tuple[int, int]:
        """From 0 on."""
        return 0, max(0, math.ceil(float(ruler.steps(np.array([around.end]))[0]) - 1e-6) - 1)

    def written(self, around: Around) -> tuple[Span, Ruler, Ids]:
        """See Writer."""
        ruler = EvenRuler(self.tokenizer, self.file, around.begin)
        time = Added(self.tokenizer)
        texts = [self.encoded(rows) for rows in (around.before, around.gone, around.after)]
        if not self.is_time.any():
            return Span(self.tokenizer, texts[0], texts[2], [], 0, 0, self.length, time), ruler, texts[1]
        first, stood, behind = (
            round(float(ruler.steps(self.file.notes.onset[rows])[place])) if len(rows) else 0
            for rows, place in ((around.gone, 0), (around.before, -1), (around.after, 0))
        )
        lead, text = self._lead(time, first - min(0, stood)), self.led(texts[1])
        now = first - int(time.passed[lead].sum())
        text = np.concatenate([lead, text]).astype(np.int32)
        then = int(time.gone(text, now)[-1])
        after = texts[2]
        if len(after):
            lead = self._lead(time, behind - then)
            after, then = np.concatenate([lead, self.led(after)]), then + int(time.passed[lead].sum())
        return Span(self.tokenizer, texts[0], after, [], now, then, self.length, time), ruler, text

    def _lead(self, time: Added, steps: int) -> Ids:
        """The token of time that passes about so many steps; none of no time, where notes need none."""
        tokens = np.flatnonzero(self.is_time)
        lead = tokens[np.abs(time.passed[tokens] - steps).argmin()]
        alone = steps <= 0 and self.tokenizer.group == 1
        return np.array([] if alone else [lead], dtype=np.int32)

    def span(self, around: Around, count: int | None) -> tuple[Span, Ruler]:
        """See Writer."""
        ruler = EvenRuler(self.tokenizer, self.file, around.begin)
        time = Added(self.tokenizer)
        longest = int(time.passed.max())
        texts = [self.encoded(around.before), self.encoded(around.after)]
        onset = self.file.notes.onset
        last = max(0, math.ceil(float(ruler.steps(np.array([around.end]))[0]) - 1e-6) - 1)
        now, then = 0, last + 1
        if self.is_time.any():
            now = min(0, round(float(ruler.steps(onset[around.before[-1:]])[0]))) if len(texts[0]) else 0
            then = last
            if len(texts[1]):
                then = min(max(last, round(float(ruler.steps(onset[around.after[:1]])[0]))), last + longest)
        stood = ruler.steps(onset[around.gone])
        known = [self.encoded(around.gone), *texts]
        if self.is_time.any():
            density = self.density(ruler, (around.before, around.after), ruler.quarters)
            begun = told(stood, count, 0, last, density)
        else:
            begun = np.linspace(0, last, count or self._one_by_one(known, last + 1), endpoint=False)
        stretches = self._stretches(begun, last, now, then if len(texts[1]) else last + 1, longest, self.each(known))
        if count is not None and self.tokenizer.group > 1:
            self._check(count, stretches, last + 1)
        return Span(self.tokenizer, texts[0], self.led(texts[1]), stretches, now, then, self.length, time), ruler

    def _one_by_one(self, known: Sequence[Ids], steps: int) -> int:
        """How many notes as long as those that are known fill so many steps, where none sound together."""
        passed = self.tokenizer.steps_passed()
        assert passed is not None
        lasting = passed[np.concatenate(known)]
        mean = float(lasting[lasting > 0].mean()) if (lasting > 0).any() else 1.0
        return max(1, round(steps / mean))

    def _check(self, count: int, stretches: Sequence[Stretch], steps: int) -> None:
        drawn = sum(each.tokens for each in stretches) // self.tokenizer.group
        if drawn == count and (self.is_time.any() or count <= steps):
            return
        told = f"{drawn} are needed at least" if drawn > count else f"{min(drawn, steps)} fit at most"
        raise DiffmidiError(f"--notes {count}: in the time that is drawn {told}, of tokens such as this model's.")

    def _stretches(
        self, begun: NDArray[np.float64], last: int, now: int, then: int, longest: int, each: float
    ) -> list[Stretch]:
        """What is drawn, a window each."""
        size = max(1, int(self.most / max(each, 1)))
        pieces = -(-len(begun) // size)
        cuts = np.unique([0, *(int(begun[number * len(begun) // pieces]) for number in range(1, pieces))]).tolist()
        found = []
        for number, (first, until) in enumerate(zip(cuts, [*cuts[1:], last + 1], strict=True)):
            count = int(np.count_nonzero((begun >= first) & (begun < until)))
            if not self.is_time.any():
                # One note after another, which all together last as long.
                most = until - first
                found.append(Stretch(self._tokens(min(count, most) * each, -(-most // longest)), first, until - 1))
                continue
            gap = (then if until == last + 1 else first) - (now if number == 0 else first - longest)
            found.append(Stretch(self._tokens(count * each, -(-gap // longest)), first, until - 1))
        return found

    def _tokens(self, wanted: float, times: int) -> int:
        """How many tokens are drawn: about so many, and enough for as many of time."""
        group = self.tokenizer.group
        if group == 1:
            shortest = self.tokenizer.grammar.shortest()
            return min(max(round(wanted), shortest + max(1, times)), max(self.most, shortest + max(1, times)))
        return group * max(1, times, min(round(wanted / group), self.length // group - 2))
