"""`diffmidi text`: a piece as tokens that a person can read and edit, and tokens back as a piece."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from diffmidi_core.cli.paths import UserPath
from diffmidi_core.numbers import counted

if TYPE_CHECKING:
    from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
    from diffmidi_core.music.notes import Score
    from diffmidi_core.music.tracks import TrackChoice

_DASH = Path("-")


@click.command("text")
@click.argument("file", type=UserPath(allow_dash=True))
@click.option("--to-midi", is_flag=True, help="FILE holds tokens: write them as MIDI.")
@click.option(
    "--tracks",
    default="piano",
    show_default=True,
    metavar="WHICH",
    help="Tracks that are the piano's: piano, all, programs such as 24-31, or names such as '*hand*', with commas.",
)
@click.option("--tokenizer", metavar="NAME", help="Whose tokens (default: those that runs have by default).")
@click.option(
    "-o",
    "assignments",
    multiple=True,
    metavar="tokenizer.KEY=VALUE",
    help="Set an option of the tokenizer: tokenizer.grid=24. Repeatable.",
)
@click.option(
    "--out",
    type=UserPath(allow_dash=True),
    help="Where to write (tokens: standard output; MIDI: FILE with .mid).",
)
def command(
    file: Path, to_midi: bool, tracks: str, tokenizer: str | None, assignments: tuple[str, ...], out: Path | None
) -> None:
    """Print the MIDI file FILE as tokens, or write tokens as MIDI. A FILE of - is standard input.

    Tokens are separated by any white space; what follows a # on a line is a comment. The comments `# tempo:`,
    `# metre:`, `# upbeat:` and `# track:` hold what tokens do not, and are read back.
    """
    from diffmidi_core.presets import default_names

    tokenizer = tokenizer or str(default_names()["tokenizer"]["name"])
    part = _tokenizer(tokenizer, assignments)
    if to_midi:
        _write_midi(part, file, out)
    else:
        made_by = " ".join([f"tokenizer {tokenizer}", *(f"-o {given}" for given in assignments)])
        _write_tokens(part, file, out, made_by, _choice(tracks))


def _tokenizer(name: str, assignments: tuple[str, ...]) -> Tokenizer:
    from diffmidi_core.errors import UsageError
    from diffmidi_core.layers import assignments_of
    from diffmidi_core.registry import find

    options = assignments_of(assignments)
    if others := sorted(set(options) - {"tokenizer"}):
        raise UsageError(f"`diffmidi text` has only tokenizer options, such as tokenizer.grid=24 (given: {others[0]}).")
    built: Tokenizer = find("tokenizer", name).build(options.get("tokenizer"))
    return built


def _choice(tracks: str) -> TrackChoice:
    from diffmidi_core.music.tracks import TrackChoice

    try:
        return TrackChoice.parse(tracks)
    except ValueError as error:
        raise click.BadParameter(f"{error} (given: {tracks!r}).", param_hint="--tracks") from None


def _write_tokens(tokenizer: Tokenizer, file: Path, out: Path | None, made_by: str, tracks: TrackChoice) -> None:
    from diffmidi_core.errors import RefusedError
    from diffmidi_core.files import whole_file
    from diffmidi_core.music.reading import printable, read_midi_bytes_counted, read_midi_counted
    from diffmidi_core.music.repairs import repairs_in
    from diffmidi_core.music.timeline_text import timeline_lines
    from diffmidi_core.music.tracks import listed

    try:
        score, counts = (
            read_midi_bytes_counted(_stdin(), "standard input") if file == _DASH else read_midi_counted(file)
        )
    except RefusedError as error:
        if error.reason == "not_midi":
            raise RefusedError(error.reason, f"{error} If it holds tokens, add --to-midi.") from None
        raise
    others = tracks.left_out(score)
    score, _ = tracks.of(score, "standard input" if file == _DASH else printable(file))
    piece = tokenizer.encode_piece(score)
    ids, changed = piece.ids, piece.changed
    head = f"# {printable(file.name)}: {counted(piece.notes, 'note')} in {len(ids)} tokens; {made_by}"
    lines = [head, *timeline_lines(piece.timeline), *_lines(tokenizer, ids)]
    text = "\n".join(lines) + "\n"
    if out is None or out == _DASH:
        click.echo(text, nl=False)
    else:
        with whole_file(out) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if repaired := repairs_in(counts):
        click.echo(f"Repaired: {repaired}.", err=True)
    if others:
        click.echo(f"Left out, as no piano's: {listed(others)}. `--tracks all` takes every track.", err=True)
    if changed:
        changes = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in changed.items())
        click.echo(f"Changed by the tokenizer: {changes}.", err=True)


def _lines(tokenizer: Tokenizer, ids: Ids) -> list[str]:
    """A line a cell where tokens are laid out in cells, else one for each note or the notes that begin together."""
    if len(ids) == 0:
        return []
    tokens = tokenizer.to_tokens(ids)
    if tokenizer.plan:
        return _cells(tokenizer, ids, tokens)
    # A new line wherever a note begins with the token type that the piece begins with.
    kind = tokenizer.grammar.type_of[ids]
    breaks = [int(at) for at in tokenizer.starts(ids) if kind[at] == kind[0]]
    return [" ".join(tokens[here:after]) for here, after in zip(breaks, [*breaks[1:], len(tokens)], strict=True)]


def _cells(tokenizer: Tokenizer, ids: Ids, tokens: list[str]) -> list[str]:
    """A head and its notes on each line, heads in columns; an empty line before each bar but the first."""
    grammar, size = tokenizer.grammar, tokenizer.group
    heads = [grammar.types[kind] in tokenizer.plan for kind in grammar.type_of[ids[::size]]]
    groups = [tokens[begin : begin + size] for begin in range(0, len(tokens), size)]
    widths = [
        max(len(group[place]) for group, head in zip(groups, heads, strict=True) if head) for place in range(size)
    ]
    bars = set((tokenizer.starts(ids) // size).tolist())
    lines: list[str] = []
    for number, (group, head) in enumerate(zip(groups, heads, strict=True)):
        if head:
            lines += [""] * (number in bars and number > 0)
            lines.append(" ".join(token.ljust(width) for token, width in zip(group, widths, strict=True)))
        else:
            lines[-1] = f"{lines[-1]}   {' '.join(group)}"
    return [line.rstrip() for line in lines]


def _write_midi(tokenizer: Tokenizer, file: Path, out: Path | None) -> None:
    from diffmidi_core.data.text import describe_tokens, parse_tokens
    from diffmidi_core.errors import DiffmidiError, UsageError
    from diffmidi_core.music.reading import printable, write_midi
    from diffmidi_core.music.timeline_text import read_timeline

    if (out is None and file == _DASH) or out == _DASH:
        raise UsageError("MIDI is written to a file: name it with --out FILE.mid.")
    target = out or file.with_suffix(".mid")
    if out is None and target.exists():
        raise UsageError(f"{printable(target)} exists already. To replace it, add --out {printable(target)}.")
    name = "standard input" if file == _DASH else printable(file)
    text = _text(file, name)
    ids, timeline = parse_tokens(tokenizer, text, name), read_timeline(text, name)
    notes = tokenizer.count_notes(ids)
    if not notes:
        raise DiffmidiError(f"{name} holds no complete note. {describe_tokens(tokenizer)}")
    score = tokenizer.decode(ids, timeline)
    write_midi(score, target)
    if faults := tokenizer.faults(ids):
        click.echo(f"{counted(faults, 'fault')} in the grammar of {counted(len(ids), 'token')}.", err=True)
    click.echo(f"Wrote {printable(target)}: {counted(notes, 'note')}{_played(score)}.")


def _played(score: Score) -> str:
    """At which tempo and in which metre a piece begins."""
    tempos, metres = score.tempos, score.time_signatures
    tempo = f", at {tempos[0].qpm:.4g} quarter notes a minute" if tempos else ""
    return tempo + (f" in {metres[0].numerator}/{metres[0].denominator}" if metres else "")


def _text(file: Path, name: str) -> str:
    from diffmidi_core.errors import DiffmidiError

    try:
        data = _stdin() if file == _DASH else file.read_bytes()
        # The > of Windows PowerShell writes UTF-16.
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except FileNotFoundError:
        raise DiffmidiError(f"there is no file {name}.") from None
    except OSError as error:
        raise DiffmidiError(f"{name} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise DiffmidiError(
            f"{name} is not text (UTF-8). To print a MIDI file as tokens, leave --to-midi out."
        ) from None


def _stdin() -> bytes:
    return sys.stdin.buffer.read()
