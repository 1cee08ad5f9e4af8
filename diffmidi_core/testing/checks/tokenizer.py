"""What a tokenizer promises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import astuple, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import SPECIALS, Ids, Role, Tokenizer
from diffmidi_core.errors import RefusedError
from diffmidi_core.music.clock import Tempo
from diffmidi_core.music.notes import Notes, Score, notes_of
from diffmidi_core.music.tempo import seconds
from diffmidi_core.music.timeline import MetreChange, Timeline
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import ConformanceError, expect, never_raises
from diffmidi_core.testing.surroundings import in_new_process
from diffmidi_core.testing.variants import variants, whatever_the_options

RANDOM_PIECES = 200
NEAR = 0.003  # quarter notes or seconds: what ticks round


def use(tokenizer: Tokenizer) -> None:
    """What a run does with it."""
    for ids in _encoded(tokenizer).values():
        tokenizer.decode(ids)
        tokenizer.starts(ids)
        tokenizer.faults(ids)


@whatever_the_options
def check_specials_come_first(component: Component) -> None:
    """ids 0 to 3 are [PAD] [CLS] [SEP] [MASK]."""
    vocab = component.build().vocab
    expect(vocab[: len(SPECIALS)] == SPECIALS, f"the vocabulary begins with {SPECIALS}, not {vocab[: len(SPECIALS)]}")


@whatever_the_options
def check_words_are_words(component: Component) -> None:
    """Every token is different and has no white space, so that a piece can be read and written as text."""
    tokenizer: Tokenizer = component.build()
    twice = len(tokenizer.vocab) - len(set(tokenizer.vocab))
    expect(not twice, f"{twice} tokens occur more than once")
    odd = [token for token in tokenizer.vocab if not token or token.split() != [token]]
    expect(not odd, f"tokens without white space; found {odd[:3]}")
    every = np.arange(len(tokenizer.vocab))
    expect(np.array_equal(tokenizer.to_ids(tokenizer.to_tokens(every)), every), "to_ids(to_tokens(ids)) gives ids back")


@whatever_the_options
def check_ids_are_in_range(component: Component) -> None:
    """encode gives int32 [N], every id a token of music."""
    tokenizer: Tokenizer = component.build()
    for name, ids in _encoded(tokenizer).items():
        expect(ids.dtype == np.int32 and ids.ndim == 1, f"{name}: ids are int32 [N], not {ids.dtype} {ids.shape}")
        inside = (ids >= len(SPECIALS)) & (ids < len(tokenizer.vocab))
        expect(inside.all(), f"{name}: encode writes tokens of music only; found {ids[~inside][:3].tolist()}")


def check_encoding_repeats(component: Component) -> None:
    """The same score gives the same ids, and is left as it was."""
    tokenizer: Tokenizer = component.build()
    scores, fresh = toy_scores(), toy_scores()
    first, again = _encoded(tokenizer, scores), _encoded(tokenizer, scores)
    for name, ids in first.items():
        expect(np.array_equal(ids, again[name]), f"{name}: encoded twice, the ids differ")
        expect(scores[name] == fresh[name], f"{name}: encode changes the score it is given")


@whatever_the_options
def check_words_survive_decoding(component: Component) -> None:
    """encode(decode(encode(score))) == encode(score): what the tokens say is all that they say."""
    tokenizer: Tokenizer = component.build()
    for name, ids in _encoded(tokenizer).items():
        again = tokenizer.encode(tokenizer.decode(ids))
        if not np.array_equal(ids, again):
            length = min(len(ids), len(again))
            at = int(np.append(ids[:length] != again[:length], True).argmax())
            here, there = (" ".join(tokenizer.to_tokens(each[at : at + 4])) for each in (ids, again))
            raise ConformanceError(f"{name}: from token {at + 1} on, '{here}' comes back as '{there}'")


@whatever_the_options
def check_notes_survive(component: Component) -> None:
    """Where nothing was changed on the way (encode_counted says what was), decoding gives the same pitches."""
    tokenizer: Tokenizer = component.build()
    for name, score, ids, changed in _counted(tokenizer):
        pitches, back = (np.sort(notes_of(each).pitch).tolist() for each in (score, tokenizer.decode(ids)))
        if not any(changed.values()):
            expect(pitches == back, f"{name}: {len(pitches)} notes went in, and other notes came back")
        expect(tokenizer.count_notes(ids) == len(back), f"{name}: count_notes is how many notes the ids decode to")


@whatever_the_options
def check_decoding_is_total(component: Component) -> None:
    """Any ids give a score, never an exception; and that score can be encoded."""
    tokenizer: Tokenizer = component.build()
    random = np.random.default_rng(0)
    for _ in range(RANDOM_PIECES):
        ids = random.integers(0, len(tokenizer.vocab), size=random.integers(0, 60), dtype=np.int32)
        with never_raises(f"a piece of random tokens, {' '.join(tokenizer.to_tokens(ids[:8]))} ...,"):
            tokenizer.encode(tokenizer.decode(ids))
            tokenizer.count_notes(ids)
            tokenizer.faults(ids)
            tokenizer.starts(ids)


@whatever_the_options
def check_specials_are_not_music(component: Component) -> None:
    """[PAD] [CLS] [SEP] [MASK] between the tokens change nothing about the music or its faults."""
    tokenizer: Tokenizer = component.build()
    for name, ids in _encoded(tokenizer).items():
        framed = np.concatenate([[tokenizer.cls_id], ids, [tokenizer.sep_id, *[tokenizer.pad_id] * 3]]).astype(np.int32)
        expect(tokenizer.decode(framed) == tokenizer.decode(ids), f"{name}: specials round the tokens change the music")
        expect(tokenizer.faults(framed) == tokenizer.faults(ids), f"{name}: specials round the tokens count as faults")


@whatever_the_options
def check_starts_are_boundaries(component: Component) -> None:
    """starts begins with 0, rises, and lies inside the piece."""
    tokenizer: Tokenizer = component.build()
    for name, ids in _encoded(tokenizer).items():
        starts = tokenizer.starts(ids)
        if len(ids):
            expect(len(starts) and starts[0] == 0, f"{name}: the first start is 0, not {starts[:1].tolist()}")
        expect((np.diff(starts) > 0).all(), f"{name}: starts rise")
        expect((starts < len(ids)).all(), f"{name}: starts lie inside the piece")


@whatever_the_options
def check_pieces_are_encoded_alike(component: Component) -> None:
    """encode_piece says what encode_counted, starts and count_notes say."""
    tokenizer: Tokenizer = component.build()
    for name, score, ids, changed in _counted(tokenizer):
        piece = tokenizer.encode_piece(score, notes_of(score))
        expect(np.array_equal(piece.ids, ids), f"{name}: encode_piece writes other tokens than encode_counted")
        expect(piece.changed == changed, f"{name}: encode_piece counts {piece.changed}, encode_counted {changed}")
        expect(
            np.array_equal(piece.starts, tokenizer.starts(ids)), f"{name}: encode_piece has other starts than starts"
        )
        count = tokenizer.count_notes(ids)
        expect(piece.notes == count, f"{name}: encode_piece counts {piece.notes} notes, count_notes {count}")


@whatever_the_options
def check_a_timeline_is_kept(component: Component) -> None:
    """decode with a timeline gives the same notes, as far apart in quarter notes or in seconds, at its tempi.

    Tokens of role "tempo" may say otherwise.
    """
    tokenizer: Tokenizer = component.build()
    timeline = Timeline((Tempo(0, 90), Tempo(8, 60)), (MetreChange(0, 3, 4),), 1.5)
    for name, ids in _encoded(tokenizer).items():
        with never_raises(f"{name}: decode(ids, timeline)"):
            plain, timed = tokenizer.decode(ids), tokenizer.decode(ids, timeline)
        tempos = [(tempo.time / timed.ticks_per_quarter, round(tempo.qpm)) for tempo in timed.tempos]
        told = tempos == [(0, 90), (8, 60)] or "tempo" in tokenizer.roles.values()
        expect(told, f"{name}: decoded with a timeline, the piece has its tempi, not {tempos}")
        one, two = notes_of(plain), notes_of(timed)
        expect(np.array_equal(one.pitch, two.pitch), f"{name}: decoded with a timeline, other notes come back")
        quarters = _spread(one.onset / plain.ticks_per_quarter, two.onset / timed.ticks_per_quarter)
        by_clock = _spread(seconds(plain, one.onset), seconds(timed, two.onset))
        expect(min(quarters, by_clock) < NEAR, f"{name}: decoded with a timeline, notes move against each other")


def _spread(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """How much farther some notes move than others."""
    return float(np.ptp(two - one)) if len(one) else 0.0


@whatever_the_options
def check_faultless(component: Component) -> None:
    """The grammar allows what encode writes: whole pieces, and every window cut at starts."""
    tokenizer: Tokenizer = component.build()
    for name, ids in _encoded(tokenizer).items():
        cuts = [*tokenizer.starts(ids).tolist(), len(ids)]
        windows = [(0, len(ids)), *((start, end) for i, start in enumerate(cuts) for end in cuts[i : i + 4])]
        for start, end in windows:
            faults = tokenizer.faults(ids[start:end])
            expect(faults == 0, f"{name}: the grammar finds {faults} faults in its own tokens {start + 1} to {end}")


@whatever_the_options
def check_grammar_fits_the_vocabulary(component: Component) -> None:
    """A type for every token, specials of their own type and never read, states within the table."""
    tokenizer: Tokenizer = component.build()
    grammar = tokenizer.grammar
    states, types = grammar.next_state.shape
    expect(len(grammar.type_of) == len(tokenizer.vocab), "the grammar has a type for every token")
    expect(len(grammar.types) == types and grammar.type_of.max() < types, "every type has a name and a column")
    special = np.flatnonzero(grammar.type_of == 0).tolist()
    expect(special == list(range(len(SPECIALS))), f"type 0 is the specials' alone; found {special[:6]}")
    expect((grammar.next_state[:, 0] == -1).all(), "specials have no transitions")
    expect(grammar.next_state.min() >= -1 and grammar.next_state.max() < states, "every state is in the table")
    expect({*grammar.start, *grammar.final} <= set(range(states)), "start and final states are in the table")


@whatever_the_options
def check_roles_are_known(component: Component) -> None:
    """Roles are those that there are, of types that the grammar has; specials have none."""
    roles, types = component.build().roles, component.build().grammar.types[1:]
    strange = sorted({*roles} - {*types} | {*roles.values()} - {*get_args(Role)})
    expect(not strange, f"roles are {', '.join(get_args(Role))}, of types of the grammar; found {', '.join(strange)}")


@whatever_the_options
def check_velocity_tokens_tell_velocities(component: Component) -> None:
    """Other tokens where those of the role "velocity" stand change the notes' velocities, and nothing else."""
    tokenizer: Tokenizer = component.build()
    other = np.arange(len(tokenizer.vocab))
    for name in (name for name, role in tokenizer.roles.items() if role == "velocity"):
        tokens = np.flatnonzero(tokenizer.grammar.type_of == tokenizer.grammar.types.index(name))
        other[tokens] = np.roll(tokens, 1)
    for name, ids in _encoded(tokenizer).items():
        one, two = (notes_of(tokenizer.decode(each.astype(np.int32))) for each in (ids, other[ids]))
        expect(_equal(one, replace(two, velocity=one.velocity)), f"{name}: other velocities change more than these")


@whatever_the_options
def check_transposed_words_are_transposed_music(component: Component) -> None:
    """Where there are tables of transposition, tokens in another key decode to the notes of that key, and no others."""
    tokenizer: Tokenizer = component.build()
    for semitones in (0, 1, -7, 12, 127):
        for name, ids, changed in _by_table(tokenizer, tokenizer.transposition(semitones), same=not semitones):
            one, two = notes_of(tokenizer.decode(ids)), notes_of(tokenizer.decode(changed))
            expect(
                _equal(one, replace(two, pitch=two.pitch - semitones)),
                f"{name}: transposed by {semitones} and decoded is not what decoded and transposed is",
            )


@whatever_the_options
def check_scaled_velocities_leave_the_rest(component: Component) -> None:
    """Where there are tables of velocities, nothing else changes, and what makes music louder makes no note softer."""
    tokenizer: Tokenizer = component.build()
    for factor in (1.0, 1.3, 0.7, 1000.0):
        for name, ids, changed in _by_table(tokenizer, tokenizer.velocity_scaling(factor), same=factor == 1):
            one, two = notes_of(tokenizer.decode(ids)), notes_of(tokenizer.decode(changed))
            alike = _equal(one, replace(two, velocity=one.velocity))
            expect(alike, f"{name}: velocities times {factor} change more than velocities")
            wrong = one.velocity > two.velocity if factor > 1 else one.velocity < two.velocity
            expect(not wrong.any(), f"{name}: velocities times {factor} go the other way")


@whatever_the_options
def check_stretched_time_leaves_the_rest(component: Component) -> None:
    """Where there are tables of time, pitches and their order stay, and onsets move the way that time is stretched."""
    tokenizer: Tokenizer = component.build()
    for factor in (1.0, 1.25, 0.8):
        for name, ids, changed in _by_table(tokenizer, tokenizer.time_stretch(factor), same=factor == 1):
            one, two = notes_of(tokenizer.decode(ids)), notes_of(tokenizer.decode(changed))
            expect(np.array_equal(one.pitch, two.pitch), f"{name}: stretched by {factor}, the pitches change")
            wrong = one.onset > two.onset if factor > 1 else one.onset < two.onset
            expect(not wrong.any(), f"{name}: stretched by {factor}, onsets go the other way")


def check_fingerprint_is_the_same_everywhere(component: Component) -> None:
    """Another process gives the same fingerprint; any other option, another one."""
    tokenizer: Tokenizer = component.build()
    code = (
        "import json, sys; from diffmidi_core.registry import Offer; "
        "print(json.dumps(Offer(*json.loads(sys.argv[1])).build(json.loads(sys.argv[2])).fingerprint))"
    )
    offer = component.offer
    fields = [offer.kind, offer.name, offer.package, offer.version, offer.target]
    there = in_new_process(code, json.dumps(fields), json.dumps(component.options.model_dump(mode="json")))
    expect(there == tokenizer.fingerprint, f"another process says {there}, this one {tokenizer.fingerprint}")
    for options in variants(component.options):
        other = replace(component, chosen=options).build().fingerprint
        expect(other != tokenizer.fingerprint, f"{options!r} has the fingerprint of {component.options!r}")


def _by_table(tokenizer: Tokenizer, table: Ids | None, *, same: bool) -> Iterator[tuple[str, Ids, Ids]]:
    """Every toy score that a table of tokens can change: its name, its ids, and those the table makes of them."""
    if table is None:
        return
    tokens, own = len(tokenizer.vocab), np.arange(len(tokenizer.vocab))
    expect(table.dtype == np.int32 and table.shape == (tokens,), f"a table is int32 [{tokens}]")
    expect(table.min() >= -1 and table.max() < tokens, "a table names tokens of the vocabulary, or -1")
    expect(np.array_equal(table[: len(SPECIALS)], own[: len(SPECIALS)]), "specials stay themselves in every table")
    expect(not same or np.array_equal(table, own), "by 0 semitones, or times 1, every token stays itself")
    for name, ids in _encoded(tokenizer).items():
        changed = table[ids]
        if (changed < 0).any():
            continue
        expect(tokenizer.faults(changed) == 0, f"{name}: the grammar finds faults in what a table makes of its tokens")
        expect(np.array_equal(tokenizer.starts(changed), tokenizer.starts(ids)), f"{name}: a table moves the starts")
        yield name, ids, changed


def _equal(one: Notes, two: Notes) -> bool:
    return all(np.array_equal(*each) for each in zip(astuple(one), astuple(two), strict=True))


def _encoded(tokenizer: Tokenizer, scores: dict[str, Score] | None = None) -> dict[str, Ids]:
    """Every toy score that it does not refuse."""
    encoded = {}
    for name, score in (scores or toy_scores()).items():
        try:
            encoded[name] = tokenizer.encode(score)
        except RefusedError:
            continue
    expect(encoded, "the tokenizer refuses every toy score")
    return encoded


def _counted(tokenizer: Tokenizer) -> Iterator[tuple[str, Score, Ids, Mapping[str, int]]]:
    """Every toy score that it does not refuse, by name, and what encode_counted says of it."""
    for name, score in toy_scores().items():
        try:
            ids, changed = tokenizer.encode_counted(score)
        except RefusedError:
            continue
        yield name, score, ids, changed
