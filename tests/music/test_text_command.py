"""`diffmidi text`: words a person can read and edit, and the piece again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from diffmidi_core.cli.text import command
from diffmidi_core.errors import DiffmidiError, RefusedError, UsageError
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.reading import read_midi, write_midi
from diffmidi_core.music.toy import from_rows, toy_scores, tune

from .test_reading import NOTE, NOTE_ON, header, track

LAYOUTS = ("aligned", "run", "paper")
ALIGNED = ("-o", "tokenizer.layout=aligned")


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    write_midi(tune(), tmp_path / "tune.mid")
    return tmp_path / "tune.mid"


def text(*arguments: object, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("layout", "first", "lines"),
    [
        ("aligned", ["t0 p48 v7 d48", "t0 p52 v7 d48"], 54),
        ("run", ["t0 p48 v7 d48 p52 v7 d48 p55 v7 d48 p64 v10 d12", "t12 p64 v10 d12"], 30),
        ("paper", ["p48 v7 d48", "p52 v7 d48"], 54),
    ],
)
def test_a_piece_is_printed_a_line_for_each_note_or_moment(piece: Path, layout: str, first: list, lines: int) -> None:
    head, *comments_and_words = text(piece, "-o", f"tokenizer.layout={layout}").stdout.splitlines()
    comments, printed = comments_and_words[:3], comments_and_words[3:]
    assert head.startswith("# tune.mid: 54 notes")
    assert comments == ["# tempo: 120", "# metre: 4/4", '# track: "Piano", program 0, 54 notes']
    assert printed[:2] == first
    assert len(printed) == lines


def test_cells_are_printed_a_line_each_and_read_back(piece: Path, tmp_path: Path) -> None:
    options = ("-o", "tokenizer.layout=cells")
    text(piece, *options, "--out", tmp_path / "words.txt")
    lines = (tmp_path / "words.txt").read_text().splitlines()
    assert lines[3] == "bar4/4 q120 piano c7   t0 p48 v7 d48   t0 p52 v7 d48   t0 p55 v7 d48   t0 p64 v10 d12" + (
        "   t12 p64 v10 d12   t12 p65 v10 d12   t12 p67 v10 d12"
    )
    assert lines[4] == ""
    assert sum(bool(line) and not line.startswith("#") for line in lines) == 8
    slower = (tmp_path / "words.txt").read_text().replace("q120", "q60", 1)
    (tmp_path / "words.txt").write_text(slower)
    text("--to-midi", tmp_path / "words.txt", *options)
    back = read_midi(tmp_path / "words.mid")
    assert notes_of(back).onset.tolist() == notes_of(tune()).onset.tolist()
    assert [(tempo.time, round(tempo.qpm)) for tempo in back.tempos] == [(0, 60), (1920, 120)]


@pytest.mark.parametrize("layout", ["aligned", "run"])
def test_there_and_back_is_the_same_piece(piece: Path, tmp_path: Path, layout: str) -> None:
    options = ("-o", f"tokenizer.layout={layout}")
    text(piece, *options, "--out", tmp_path / "words.txt")
    assert "54 notes" in text("--to-midi", tmp_path / "words.txt", *options).stdout
    before, after = notes_of(tune()), notes_of(read_midi(tmp_path / "words.mid"))
    assert after.onset.tolist() == before.onset.tolist()
    assert after.duration.tolist() == before.duration.tolist()
    assert after.pitch.tolist() == before.pitch.tolist()


@pytest.mark.parametrize("tokenizer", ["mmm", "remi", "miditok"])
def test_tempo_metre_and_upbeat_come_back_and_can_be_edited(tmp_path: Path, tokenizer: str) -> None:
    score = from_rows([(1.5 + i / 2, 0.5, 60 + i % 5, 80) for i in range(24)])
    score.tempos[0].mspq = 731_707
    score.time_signatures[0].numerator = 2
    write_midi(score, tmp_path / "a.mid")
    chosen = ("--tokenizer", tokenizer, *(ALIGNED if tokenizer == "mmm" else ()))
    words = text(tmp_path / "a.mid", *chosen).stdout
    (tmp_path / "a.txt").write_text(words, encoding="utf-8")
    (tmp_path / "b.txt").write_text(words.replace("# tempo: 82", "# tempo: 90"), encoding="utf-8")
    for name, mspq, said in (("a", 731_707, "at 82"), ("b", 666_667, "at 90")):
        new = tmp_path / f"{name}-back.mid"
        told = text("--to-midi", tmp_path / f"{name}.txt", *chosen, "--out", new).stdout
        assert f"24 notes, {said} quarter notes a minute in 2/4." in told
        back = read_midi(new)
        assert [(each.time, each.mspq) for each in back.tempos] == [(0, mspq)]
        assert [(each.time, each.numerator, each.denominator) for each in back.time_signatures] == [(0, 2, 4)]
        onset = notes_of(back).onset * 480 // back.ticks_per_quarter
        assert onset.tolist() == notes_of(score).onset.tolist()


def test_words_without_a_timeline_are_told_what_they_are_played_at(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("t0 p60 v8 d12")
    told = text("--to-midi", tmp_path / "a.txt", *ALIGNED).stdout
    assert "1 note, at 120 quarter notes a minute in 4/4." in told


def test_a_comment_that_cannot_be_a_tempo_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# tempo: fast\nt0 p60 v8 d12")
    with pytest.raises(DiffmidiError, match="line 1: 'fast' is no tempo"):
        text("--to-midi", tmp_path / "a.txt")


def test_tracks_that_are_not_the_pianos_are_left_out_and_told(tmp_path: Path) -> None:
    score = tune()
    flute = tune().tracks[0]
    flute.name, flute.program = "flute", 73
    score.tracks.append(flute)
    write_midi(score, tmp_path / "a.mid")
    default, every = text(tmp_path / "a.mid"), text(tmp_path / "a.mid", "--tracks", "all")
    assert default.stdout.startswith("# a.mid: 54 notes")
    assert "Left out, as no piano's: 'flute' of program 73 (54 notes). `--tracks all`" in default.stderr
    assert "Left out" not in every.stderr
    assert '# track: "flute", program 73, 54 notes' in every.stdout
    assert "tracks are piano, all" in text(tmp_path / "a.mid", "--tracks", "128").stderr


def test_standard_input_and_output_are_dashes(piece: Path, tmp_path: Path) -> None:
    printed = text("-", "--out", "-", stdin=piece.read_bytes()).stdout
    assert printed.splitlines()[1:] == text(piece).stdout.splitlines()[1:]
    text("--to-midi", "-", "--out", tmp_path / "new.mid", stdin=printed.encode())
    assert read_midi(tmp_path / "new.mid").note_num() == 54


def test_words_may_stand_anywhere_and_comments_and_specials_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "\ufeff# a chord\n\n[CLS] t0\tp60 v8\n d12 # t96 p21\nt0 p64 v8 d12 [SEP] [PAD]", encoding="utf-8"
    )
    result = text("--to-midi", tmp_path / "a.txt", *ALIGNED)
    assert notes_of(read_midi(tmp_path / "a.mid")).pitch.tolist() == [60, 64]
    assert result.stderr == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_shells_redirect_is_read(tmp_path: Path, encoding: str) -> None:
    """The > of Windows PowerShell writes UTF-16."""
    (tmp_path / "a.txt").write_bytes("# Für Elise.mid\r\nt0 p60 v8 d12\r\n".encode(encoding))
    text("--to-midi", tmp_path / "a.txt", *ALIGNED)
    assert notes_of(read_midi(tmp_path / "a.mid")).pitch.tolist() == [60]


def test_misplaced_words_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("t0 p60 v8 d12 v3")
    assert "1 fault in the grammar of 5 tokens" in text("--to-midi", tmp_path / "a.txt", *ALIGNED).stderr


def test_what_encoding_changed_is_told(tmp_path: Path) -> None:
    write_midi(toy_scores()["duplicates"], tmp_path / "a.mid")
    assert "2 merged" in text(tmp_path / "a.mid").stderr
    write_midi(from_rows([(0, 1, 60, 80)]), tmp_path / "b.mid")
    assert text(tmp_path / "b.mid").stderr == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"t0 p60\nv8 d12\nt0 p200 v8 d12", r"a\.txt, line 3: 'p200' is not a token. Tokens are p21\.\.p108"),
        (b"# nothing\n", "holds no complete note"),
        (b"t0 p60 v8", "holds no complete note"),
        (b"MThd\xff\xfe", "is not text"),
        (None, "there is no file"),
    ],
)
def test_bad_text_is_one_sentence(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DiffmidiError, match=said):
        text("--to-midi", tmp_path / "a.txt", *ALIGNED)
    assert not (tmp_path / "a.mid").exists()


def test_what_was_repaired_is_said(tmp_path: Path) -> None:
    (tmp_path / "held.mid").write_bytes(header(2) + track(NOTE, NOTE_ON))
    said = text(tmp_path / "held.mid", *ALIGNED)
    assert "2 notes" in said.stdout
    assert said.stderr == "Repaired: header of type 2 or 3 for a single track (1); keys that no note-off lets go (1).\n"


def test_a_text_given_for_midi_is_told_about_to_midi(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("t0 p60 v8 d12")
    with pytest.raises(RefusedError, match="--to-midi"):
        text(tmp_path / "a.txt")


def test_a_file_that_stands_is_replaced_only_when_named(piece: Path, tmp_path: Path) -> None:
    (tmp_path / "tune.txt").write_text("t0 p60 v8 d12")
    with pytest.raises(UsageError, match="exists already"):
        text("--to-midi", tmp_path / "tune.txt")
    assert read_midi(piece).note_num() == 54
    text("--to-midi", tmp_path / "tune.txt", "--out", piece)
    assert read_midi(piece).note_num() == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "tokenizer.gird=4"], "Did you mean 'grid'"),
        (["-o", "train.lr=1"], "only tokenizer options"),
        (["--tokenizer", "mnm"], "Did you mean 'mmm'"),
        (["--to-midi", "--out", "-"], "--out FILE.mid"),
    ],
)
def test_wrong_options_are_one_sentence(piece: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        text(piece, *arguments)
