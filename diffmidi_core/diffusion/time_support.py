"""TimeSupport: legal texts in which time adds up: each note begins between the steps that a canvas says.

Where tokens tell the time since the note before, or where in a bar it is, when a note begins hangs on all tokens of
time before it, and what follows a hole begins where it began only if those in the hole go together. Texts are drawn
jointly, from the product of the network's distributions given that they are legal and that time adds up: forward
filtering, backward sampling over pairs of a state of the grammar and the steps gone (as `Support` does over states
alone). So it holds whatever the network says. In O(L S U T) for U steps and T tokens of time, position by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.time_bounds import UNBOUNDED, TimeBounds
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.diffusion.categorical import exact, nucleus, restricted
from diffmidi_core.errors import DiffmidiError


class _Times(NamedTuple):
    """The tokens [T] of a type that moves time, such as may stand anywhere, and [B or 1, U + 1, T] where to."""

    kind: int
    tokens: Tensor
    onward: Tensor


class _Text(NamedTuple):
    """Texts to be drawn, on the device of the log-weights.

    Attributes:
        log_p: [B, L, V].
        ids: [B, L] what is fixed.
        free, reads: [B, L] bool: where something is drawn; where a token is read at all.
        counts: [B, L] bool: where a token moves time.
        low, high: [B, L] the least and the most steps gone where a note begins, `late` where there is no most.
        late: as many steps as are told apart.
        moved: [B or 1, U + 1, V] from steps gone, up to `late`, to how many a token leads; late + 1 where none may
            stand.
        times: the same of types that move time.
    """

    log_p: Tensor
    ids: Tensor
    free: Tensor
    reads: Tensor
    counts: Tensor
    low: Tensor
    high: Tensor
    late: int
    moved: Tensor
    times: Sequence[_Times]


class TimeSupport:
    """What a tokenizer's grammar allows, and how its tokens move time. Holds no state.

    Raises DiffmidiError for a tokenizer whose times do not add up over a text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        passed, placed = tokenizer.steps_passed(), tokenizer.steps_in_bar()
        if (passed is None and placed is None) or tokenizer.plan:
            raise DiffmidiError(f"the times of {type(tokenizer).__name__} do not add up over a text.")
        grammar, types = tokenizer.grammar, tokenizer.grammar.types
        table = torch.from_numpy(grammar.next_state.astype("int64"))
        self.type_of = torch.from_numpy(grammar.type_of.astype("int64"))
        self.passed = None if passed is None else torch.as_tensor(passed).long()
        is_time = torch.from_numpy(tokenizer.moves_time())  # [V]
        moving = {*self.type_of[is_time].tolist()}
        self.is_time = is_time
        self.tokens = is_time.nonzero()[:, 0]  # [T]
        nowhere = len(table)
        # [S + 1, K]; state S is nowhere, and leads there.
        self.after = torch.cat([table.masked_fill(table < 0, nowhere), torch.full_like(table[:1], nowhere)])
        self.start, self.final = torch.tensor(grammar.start), torch.tensor(grammar.final)
        self.others = [kind for kind in range(1, len(types)) if kind not in moving]
        self.kinds = [kind for kind in range(1, len(types)) if kind in moving]

    def check_canvas(self, canvas: Canvas) -> None:
        """Raises DiffmidiError where no legal text adds up to what a canvas says."""
        assert canvas.bounds is not None
        blank = torch.zeros((), device=canvas.ids.device).expand(*canvas.ids.shape, len(self.type_of))
        text = self._text(restricted(blank, canvas.admitted()), canvas.ids, canvas.fixed, canvas.bounds)
        self._ahead(text, summed=False)

    def draw(
        self,
        logits: Tensor,
        ids: Tensor,
        fixed: Tensor,
        draws: RowDraws,
        *,
        bounds: TimeBounds,
        top_p: float = 1.0,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Texts [B, L] as those of `Support.draw`, given that time adds up as well.

        `bounds` as in Canvas. Raises DiffmidiError where no text is possible.
        """
        text = self._text(logits, ids, fixed, bounds)
        found, types = self._walked(text, self._ahead(text, summed=True), draws, top_p)
        at = (~fixed if wanted is None else wanted & ~fixed).to(found.device)
        rest = at & ~torch.isin(types, torch.tensor(self.kinds, device=types.device))
        where = rest.nonzero(as_tuple=True)
        own = self.type_of.to(types.device) == types[where][:, None]
        odds = text.log_p[where].masked_fill(~own, -torch.inf)
        found = found.index_put(where, draws.categorical(nucleus(odds, top_p), row_of=where[0]))
        return torch.where(at.to(ids.device), found.to(ids.device), ids)

    def legal_argmax(self, logits: Tensor, ids: Tensor, fixed: Tensor, *, bounds: TimeBounds) -> Tensor:
        """The most probable such text [B, L]."""
        text = self._text(logits, ids, fixed, bounds)
        found, types = self._walked(text, self._ahead(text, summed=False), None, 1.0)
        own = self.type_of.to(types.device) == types[..., None]
        best = text.log_p.masked_fill(~own, -torch.inf).argmax(-1)
        found = torch.where(torch.isin(types, torch.tensor(self.kinds, device=types.device)), found, best)
        return torch.where(fixed, ids, found.to(ids.device))

    def _text(self, logits: Tensor, ids: Tensor, fixed: Tensor, bounds: TimeBounds) -> _Text:
        log_p = exact(logits)
        at = log_p.device
        ids, fixed, bounds = ids.to(at), fixed.to(at), bounds.to(at)
        reads = ~fixed | (ids >= len(SPECIALS))
        low, high = bounds.steps.unbind(-1)
        if bounds.moves is None:
            # One more than any bound asks for: later than that is all alike.
            late = int(torch.maximum(low, high.masked_fill(high >= UNBOUNDED, 0)).max().clamp(min=0)) + 1
            moved = self._added(late, at)
        else:
            late = bounds.moves.shape[1]
            moved = bounds.moves.clamp(max=late).masked_fill(bounds.moves < 0, late + 1)
            moved = nn.functional.pad(moved, (0, 0, 0, 1), value=late)
        times = []
        for kind in self.kinds:
            own = (self.type_of == kind).nonzero()[:, 0].to(at)
            own = own[(moved[:, :, own] <= late).any(1).any(0)]
            times.append(_Times(kind, own, moved[:, :, own].long()))
        counts = torch.arange(ids.shape[1], device=at) >= bounds.start[:, None]
        return _Text(log_p, ids, ~fixed, reads, counts, low, high.clamp(max=late), late, moved, times)

    def _added(self, late: int, device: torch.device) -> Tensor:
        """[1, U + 1, V] of tokens that add steps."""
        if self.passed is None:
            raise DiffmidiError("tokens of places in bars need the bars they stand in: see `TimeBounds.moves`.")
        time = torch.arange(late + 1, device=device)
        return (time[:, None] + self.passed.to(device)).clamp(max=late)[None]

    def _ahead(self, text: _Text, *, summed: bool) -> list[Tensor]:
        """Before each position and at the end: [B, S + 1, U + 1] log-weights of all ways on, by state and steps gone.

        Texts end in a final state, unless none can. Raises DiffmidiError where there is no way.
        """
        rows, states = len(text.ids), len(self.after)
        end = text.log_p.new_full((rows, states, text.late + 1), -torch.inf)
        ended = end.clone()
        ended[:, self.final] = 0.0
        found = self._back(text, ended, summed=summed)
        open_rows = self._begun(found[0])
        if bool(open_rows.isneginf().all(-1).any()):
            end[:, :-1] = 0.0
            anywhere = self._back(text, end, summed=summed)
            lost = open_rows.isneginf().all(-1)[:, None, None]
            found = [torch.where(lost, other, own) for own, other in zip(found, anywhere, strict=True)]
        if bool(self._begun(found[0]).isneginf().all(-1).any()):
            raise DiffmidiError(
                "what is kept or allowed leaves no way to fill the rest so that what follows begins when it did: keep "
                "less, or ask for more notes."
            )
        return found

    def _begun(self, ahead: Tensor) -> Tensor:
        """[B, N] of all ways from each start state."""
        return ahead[:, self.start.to(ahead.device), 0]

    def _back(self, text: _Text, end: Tensor, *, summed: bool) -> list[Tensor]:
        ahead = [end]
        for place in reversed(range(text.ids.shape[1])):
            ahead.append(self._before(text, place, ahead[-1], summed=summed))
        return ahead[::-1]

    def _before(self, text: _Text, place: int, later: Tensor, *, summed: bool) -> Tensor:
        """[B, S + 1, U + 1] of all ways on before a position, from those behind it."""
        free, reads = text.free[:, place, None, None], text.reads[:, place, None, None]
        inside = self._inside(text, place)[:, None]
        stands = later.masked_fill(~inside, -torch.inf)
        if bool((~free & reads).any()):
            stands = torch.where(reads, self._read(text, place, later, inside), stands)
        if not bool(free.any()):
            return stands
        after = self.after.to(later.device)
        ways = []
        for kind in self.others:
            own = (self.type_of == kind).to(later.device)
            weight = text.log_p[:, place, own]
            if weight.shape[-1]:
                weight = weight.logsumexp(-1) if summed else weight.amax(-1)
                ways.append(weight[:, None, None] + later[:, after[:, kind]].masked_fill(~inside, -torch.inf))
        for times in text.times:
            weight = text.log_p[:, place, times.tokens]
            sources = (after[:, times.kind] < len(after) - 1).nonzero()[:, 0]
            if bool(weight.isneginf().all()):
                continue
            leads = after[sources, times.kind].tolist()
            targets = sorted({*leads})
            of = [targets.index(state) for state in leads]
            odds = self._timed(times, weight, later[:, targets])  # [B, N, U + 1, T]
            way = torch.full_like(later, -torch.inf)
            way[:, sources] = (odds.logsumexp(-1) if summed else odds.amax(-1))[:, of]
            ways.append(way)
        every = torch.stack(ways)
        return torch.where(free, every.logsumexp(0) if summed else every.amax(0), stands)

    def _timed(self, times: _Times, weight: Tensor, later: Tensor) -> Tensor:
        """[B, N, U + 1, T] log-weights of each token of a type of time, itself of `weight` [B, T], and all ways on,
        from `later` [B, N, U + 1].
        """
        rows, targets, _ = later.shape
        onward = times.onward.flatten(1)[:, None].expand(rows, targets, -1)
        odds = _with_never(later).gather(2, onward).view(rows, targets, *times.onward.shape[1:])
        return odds + weight[:, None, None]

    def _read(self, text: _Text, place: int, later: Tensor, inside: Tensor) -> Tensor:
        """The same where a token stands."""
        device = later.device
        token = text.ids[:, place]
        rows = torch.arange(len(token), device=device)
        onward = text.moved.expand(len(token), -1, -1)[rows, :, token].long()  # [B, U + 1]
        onward = torch.where(text.counts[:, place, None], onward, torch.arange(text.late + 1, device=device))
        state = self.after.to(device)[:, self.type_of.to(device)[token]].T  # [B, S + 1]
        moved = later.gather(1, state[..., None].expand_as(later))
        moved = _with_never(moved).gather(2, onward[:, None].expand_as(moved))
        note = ~self.is_time.to(device)[token][:, None, None]
        return moved.masked_fill(note & ~inside, -torch.inf)

    def _inside(self, text: _Text, place: int) -> Tensor:
        """[B, U + 1] bool: whether a note may begin when so many steps are gone."""
        time = torch.arange(text.late + 1, device=text.low.device)
        return (time >= text.low[:, place, None]) & (time <= text.high[:, place, None])

    def _walked(self, text: _Text, ahead: list[Tensor], draws: RowDraws | None, top_p: float) -> tuple[Tensor, Tensor]:
        """Tokens [B, L] of time and types [B, L] of a text, at free places; 0 elsewhere."""
        device = text.ids.device
        rows = torch.arange(len(text.ids), device=device)
        after, type_of = self.after.to(device), self.type_of.to(device)
        first = self._begun(ahead[0])
        state = self.start.to(device)[first.argmax(-1) if draws is None else draws.categorical(first)]
        gone = torch.zeros_like(rows)
        found, types = torch.zeros_like(text.ids), torch.zeros_like(text.ids)
        for place in range(text.ids.shape[1]):
            due = text.free[:, place].nonzero()[:, 0]
            token, kind = text.ids[:, place].clone(), type_of[text.ids[:, place]]
            if len(due):
                token[due], kind[due] = self._one(
                    text, place, ahead[place + 1], due, state[due], gone[due], draws, top_p
                )
                found[due, place], types[due, place] = token[due], kind[due]
            reads = text.reads[:, place]
            state = torch.where(reads, after[state, kind], state)
            moved = text.moved.expand(len(rows), -1, -1)[rows, gone, token].long().clamp(max=text.late)
            gone = torch.where(reads & text.counts[:, place], moved, gone)
        return found, types

    def _one(
        self,
        text: _Text,
        place: int,
        later: Tensor,
        rows: Tensor,
        state: Tensor,
        gone: Tensor,
        draws: RowDraws | None,
        top_p: float,
    ) -> tuple[Tensor, Tensor]:
        """[M] the token of time, or 0, and the type that stands next in some rows, from state and steps gone [M]."""
        device = later.device
        after, log_p = self.after.to(device), text.log_p[rows, place]
        inside = self._inside(text, place)[rows, gone]
        weights = []
        for kind in self.others:
            own = log_p[:, (self.type_of == kind).to(device)]
            none = own.new_full((len(rows),), -torch.inf)
            weight = none if not own.shape[-1] else own.amax(-1) if draws is None else own.logsumexp(-1)
            weights.append((weight + later[rows, after[state, kind], gone]).masked_fill(~inside, -torch.inf))
        tokens = self.tokens.to(device)
        kind_of = self.type_of.to(device)[tokens]  # [T]
        onward = text.moved.expand(len(text.ids), -1, -1)[rows, gone][:, tokens].long()  # [M, T]
        odds = log_p[:, tokens] + _with_never(later)[rows[:, None], after[state[:, None], kind_of], onward]
        times = odds.amax(-1) if draws is None else odds.logsumexp(-1)
        ways = torch.stack([*weights, times], -1)
        chosen = ways.argmax(-1) if draws is None else draws.categorical(ways, row_of=rows)
        # A row of which no time is possible is not asked for one: any number does.
        odds = torch.where(times.isneginf()[:, None], torch.zeros_like(odds), odds)
        index = odds.argmax(-1) if draws is None else draws.categorical(nucleus(odds, top_p), row_of=rows)
        timed = chosen == len(self.others)
        kinds = torch.tensor([*self.others, 0], device=device)[chosen]
        return torch.where(timed, tokens[index], 0), torch.where(timed, kind_of[index], kinds)


def _with_never(later: Tensor) -> Tensor:
    """[..., U + 2] where it is never possible, too."""
    return nn.functional.pad(later, (0, 1), value=-torch.inf)
