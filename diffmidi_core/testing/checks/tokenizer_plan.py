"""What a tokenizer promises of places: groups, types of masked tokens, notes told apart, and plans of bars."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diffmidi_core.contracts.bar_shapes import FIRST_BAR, LAST_BAR
from diffmidi_core.contracts.tokenizer import SPECIALS, Ids, Tokenizer
from diffmidi_core.declaration import WINDOW, TokenizerDeclaration
from diffmidi_core.errors import RefusedError
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect, refuses
from diffmidi_core.testing.variants import whatever_the_options


@whatever_the_options
def check_groups_are_whole(component: Component) -> None:
    """Pieces, what lies between starts, and windows are whole groups; windows are as long as the declaration says."""
    tokenizer: Tokenizer = component.build()
    expect(tokenizer.group >= 1, f"a group has 1 token or more, not {tokenizer.group}")
    declaration = component.declaration
    said = declaration.window(component.options) if isinstance(declaration, TokenizerDeclaration) else WINDOW
    expect(tokenizer.window == said, f"its window is {tokenizer.window}, and its declaration says {said}")
    expect(tokenizer.window % tokenizer.group == 0, f"a window of {tokenizer.window} tokens is not whole groups")
    for name, ids in _encoded(tokenizer):
        cuts = np.append(tokenizer.starts(ids), len(ids))
        expect(not (cuts % tokenizer.group).any(), f"{name}: starts and the end are whole groups of {tokenizer.group}")


@whatever_the_options
def check_types_are_told(component: Component) -> None:
    """types says what the grammar says of each token, 0 of specials; and what groups say where tokens are masked."""
    tokenizer: Tokenizer = component.build()
    random = np.random.default_rng(0)
    for name, ids in _encoded(tokenizer):
        expected = tokenizer.grammar.type_of[ids]
        expect(np.array_equal(tokenizer.types(ids), expected), f"{name}: types are other than the grammar's")
        framed = np.concatenate([[tokenizer.cls_id], ids, [tokenizer.sep_id, tokenizer.pad_id]]).astype(np.int32)
        kinds = tokenizer.types(framed)
        expect(
            np.array_equal(kinds[1:-2], expected) and not kinds[[0, -2, -1]].any(), f"{name}: specials are of type 0"
        )
        if tokenizer.group > 1:
            hidden = (random.random(len(ids)) < 0.5) & ~np.isin(expected, _known(tokenizer))
            masked = np.where(hidden, tokenizer.mask_id, ids).astype(np.int32)
            expect(
                np.array_equal(tokenizer.types(masked), expected), f"{name}: groups do not tell where tokens are masked"
            )


@whatever_the_options
def check_notes_are_told_apart(component: Component) -> None:
    """note_of numbers the notes from 0 as they come, each with tokens of its own, one of them its pitch; or is None."""
    tokenizer: Tokenizer = component.build()
    pitched = [name for name, role in tokenizer.roles.items() if role == "pitch"]
    pitches = np.isin(np.array(tokenizer.grammar.types), pitched)[tokenizer.grammar.type_of]
    for name, ids in _encoded(tokenizer):
        notes = tokenizer.note_of(ids)
        if notes is None:
            continue
        count = tokenizer.count_notes(ids)
        expect(notes.shape == ids.shape, f"{name}: note_of is [N], not {notes.shape}")
        own = notes[notes >= 0]
        expect(np.array_equal(np.unique(own), np.arange(count)), f"{name}: note_of has not the {count} notes there are")
        expect((np.diff(own) >= 0).all(), f"{name}: notes are numbered as they come")
        if pitched:
            told = notes[pitches[ids]]
            expect(np.array_equal(told, np.arange(count)), f"{name}: each note has one token of pitch")


@whatever_the_options
def check_time_adds_up(component: Component) -> None:
    """Where steps_passed and bar_steps are given, no cell's time reaches its bar's end; where steps_passed alone is,
    notes begin when it says; where steps_in_bar is, at these places of the bars of bars_of, which rise in a bar.
    """
    tokenizer: Tokenizer = component.build()
    passed, lengths = tokenizer.steps_passed(), tokenizer.bar_steps()
    expect(passed is not None or lengths is None, "bar_steps counts the steps of steps_passed, which is not given")
    size, places = len(tokenizer.vocab), tokenizer.steps_in_bar()
    if places is not None:
        expect(passed is None, "time is told by steps_passed or by steps_in_bar, and both are given")
        expect(places.shape == (size,), "steps_in_bar is [V]")
        expect(not places[~_of_role(tokenizer, "time")].any(), "steps_in_bar is 0 but at tokens of role time")
        _check_places(tokenizer, places)
        return
    with refuses("bars_of without places in bars"):
        tokenizer.bars_of(toy_scores()["tune"], 0, 1)
    if passed is None:
        return
    expect(passed.shape == (size,), "steps_passed is [V]")
    told = _of_role(tokenizer, "time") | _of_role(tokenizer, "duration")
    expect(not passed[~told].any(), "steps_passed is 0 but at tokens of role time or duration")
    if lengths is None:
        _check_notes_begin(tokenizer, passed)
        return
    expect(lengths.shape == (size,), "bar_steps is [V]")
    expect(np.array_equal(lengths > 0, _of_role(tokenizer, "bar")), "bar_steps is above 0 at tokens of role bar alone")
    for name, ids in _encoded(tokenizer):
        length = 0
        for cell in _cells(tokenizer, ids):
            length = int(lengths[cell].sum()) or length
            expect(int(passed[cell].sum()) < length, f"{name}: the time in a cell reaches the end of its bar")


def _check_notes_begin(tokenizer: Tokenizer, passed: Ids) -> None:
    """Expect decoded notes to begin when as many steps are gone as all tokens before them pass."""
    for name, ids in _encoded(tokenizer):
        notes = tokenizer.note_of(ids)
        if notes is None:
            return
        if not (notes >= 0).any():
            continue
        timed = _of_role(tokenizer, "time")[ids]
        told, first = np.unique(np.where(timed, -1, notes), return_index=True)
        steps = (passed[ids].cumsum() - passed[ids])[first[told >= 0]]
        onsets = np.sort(notes_of(tokenizer.decode(ids)).onset)
        alike = len(onsets) == len(steps)
        alike = alike and np.array_equal((onsets - onsets[:1]) * np.ptp(steps), (steps - steps[:1]) * np.ptp(onsets))
        expect(bool(alike), f"{name}: notes begin otherwise than steps_passed says")


def _check_places(tokenizer: Tokenizer, places: Ids) -> None:
    """Expect decoded notes to begin at the places named, of bars that are as bars_of says."""
    moves = tokenizer.moves_time()
    for name, score in toy_scores().items():
        try:
            ids = tokenizer.encode(score)
        except RefusedError:
            continue
        decoded = tokenizer.decode(ids)
        onsets = np.unique(notes_of(decoded).onset)
        if not len(onsets):
            continue
        bars = tokenizer.bars_of(decoded, 0, int(onsets[-1]) + 1)
        begun, bar, last = list[float](), -1, 0
        for place, token in enumerate(ids.tolist()):
            if not moves[token]:
                continue
            if not places[token]:
                opens = bar + 1 < len(bars) and token == bars[bar + 1].tokens[0]
                bar, last = (bar + 1, 0) if opens else (bar, last)
                expect(
                    opens or token in bars[bar].tokens[1:], f"{name}: token {place} opens another bar than bars_of's"
                )
                continue
            expect(int(places[token]) > last, f"{name}: places do not rise within a bar")
            last = int(places[token])
            here = bars[bar]
            width = here.quarters / here.places * decoded.ticks_per_quarter
            begun.append(here.tick + (last - 1) * width)
        expect(
            len(begun) == len(onsets) and np.allclose(begun, onsets, atol=0.5),
            f"{name}: notes begin otherwise than steps_in_bar and bars_of say",
        )


@whatever_the_options
def check_plans_are_laid_out(component: Component) -> None:
    """blank lays heads out, unfold their notes: heads alone unfold to the types of the whole; without a plan, neither
    is possible.
    """
    tokenizer: Tokenizer = component.build()
    unknown = tokenizer.plan - {*tokenizer.grammar.types[1:]}
    expect(not unknown, f"the plan is of types of the grammar; found {', '.join(sorted(unknown))}")
    if not tokenizer.plan:
        with refuses("blank without a plan"):
            tokenizer.blank(1, ["piano"])
        with refuses("unfold without a plan"):
            tokenizer.unfold(np.zeros(0, dtype=np.int32))
        return
    tracks = [tokenizer.vocab[token] for token in np.flatnonzero(_of_role(tokenizer, "track"))[:2].tolist()]
    blank = tokenizer.blank(3, tracks)
    names = np.array(tokenizer.grammar.types)[tokenizer.types(blank)]
    expect({*names.tolist()} <= tokenizer.plan, f"blank lays out heads alone, not {', '.join(sorted({*names}))}")
    counts = [int((_role(tokenizer, names) == role).sum()) for role in ("bar", "track", "count")]
    cells = 3 * len(tracks)
    expect(counts == [3, cells, cells], f"3 bars of {len(tracks)} tracks are 3 bars and {cells} cells, not {counts}")
    for name, ids in _encoded(tokenizer):
        expect(np.array_equal(tokenizer.unfold(ids), ids), f"{name}: a whole text unfolds to itself")
        heads = np.isin(np.array(tokenizer.grammar.types)[tokenizer.types(ids)], [*tokenizer.plan])
        unfolded = tokenizer.unfold(ids[heads])
        expect(np.array_equal(tokenizer.types(unfolded), tokenizer.types(ids)), f"{name}: heads unfold to other notes")


@whatever_the_options
def check_cells_are_parted(component: Component) -> None:
    """parted keeps every note, those kept in cells that say so: all or none of them change nothing that is heard."""
    tokenizer: Tokenizer = component.build()
    if not tokenizer.plan:
        with refuses("parted without a plan"):
            tokenizer.parted(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=bool))
        return
    random = np.random.default_rng(0)
    for name, ids in _encoded(tokenizer):
        notes = tokenizer.note_of(ids)
        assert notes is not None
        count = tokenizer.count_notes(ids)
        alone, stands = tokenizer.parted(ids, np.zeros(count, dtype=bool))
        expect(np.array_equal(alone, ids) and not stands.any(), f"{name}: where nothing is kept the text is as it was")
        kept = random.random(count) < 0.5
        text, stands = tokenizer.parted(ids, kept)
        expect(stands.shape == text.shape, f"{name}: what stands is [M] as the text, not {stands.shape}")
        told = tokenizer.note_of(text)
        assert told is not None
        expect(np.array_equal(tokenizer.unfold(text), text), f"{name}: the counts of cells in two are not their notes'")
        pitches = _of_role(tokenizer, "pitch")
        for which in (True, False):
            before = ids[pitches[ids] & (kept[notes] == which)]
            after = text[pitches[text] & (stands == which)]
            expect(np.array_equal(np.sort(before), np.sort(after)), f"{name}: cells in two have other notes than one")
        whole, again = ({*map(tuple, _notes(tokenizer, each))} for each in (ids, text))
        expect(whole == again, f"{name}: notes in cells in two are not when and what they were")


def _notes(tokenizer: Tokenizer, ids: Ids) -> list[list[int]]:
    notes = notes_of(tokenizer.decode(ids))
    rows: list[list[int]] = np.stack([notes.onset, notes.duration, notes.pitch, notes.velocity], -1).tolist()
    return rows


@whatever_the_options
def check_bars_stand_where_they_may(component: Component) -> None:
    """Where there is a plan, bar_kinds knows every bar token; upbeats stand first, last bars last; starts are bars."""
    tokenizer: Tokenizer = component.build()
    kinds = tokenizer.bar_kinds()
    if not tokenizer.plan or kinds is None:
        expect((kinds is None) == (not tokenizer.plan), "bar_kinds is given where there is a plan, and only there")
        return
    bars = _of_role(tokenizer, "bar")
    expect(np.array_equal(kinds > 0, bars), "bar_kinds is above 0 at tokens of role bar alone")
    for name, ids in _encoded(tokenizer):
        starts = np.flatnonzero(bars[ids])
        expect(np.array_equal(starts, tokenizer.starts(ids)), f"{name}: starts are where bars begin")
        there = kinds[ids[starts]]
        expect(not (there[1:] == FIRST_BAR).any(), f"{name}: an upbeat stands inside the piece")
        expect(len(there) == 0 or np.flatnonzero(there == LAST_BAR).tolist() == [len(there) - 1], f"{name}: one end")


def _known(tokenizer: Tokenizer) -> list[int]:
    """Types whose tokens are never masked: those of tracks, and those with one token."""
    counts = np.bincount(tokenizer.grammar.type_of, minlength=len(tokenizer.grammar.types))
    named = [tokenizer.grammar.types.index(name) for name, role in tokenizer.roles.items() if role == "track"]
    return [*np.flatnonzero(counts == 1).tolist(), *named]


def _of_role(tokenizer: Tokenizer, role: str) -> np.ndarray:
    """[V] whether a token's type has a role."""
    found: np.ndarray = _role(tokenizer, np.array(tokenizer.grammar.types)[tokenizer.grammar.type_of]) == role
    return found


def _role(tokenizer: Tokenizer, names: np.ndarray) -> np.ndarray:
    return np.array([tokenizer.roles.get(str(name), "") for name in names.tolist()])


def _cells(tokenizer: Tokenizer, ids: Ids) -> list[Ids]:
    """A text from each track token's head to the next."""
    size = tokenizer.group
    groups = ids.reshape(-1, size)
    heads = np.flatnonzero(_of_role(tokenizer, "track")[groups].any(axis=1))
    return [cell.ravel() for cell in np.split(groups, heads[1:])] if len(heads) else []


def _encoded(tokenizer: Tokenizer) -> Iterator[tuple[str, Ids]]:
    """Every toy score that it does not refuse, as tokens of music."""
    for name, score in toy_scores().items():
        try:
            ids = tokenizer.encode(score)
        except RefusedError:
            continue
        yield name, ids[ids >= len(SPECIALS)]
