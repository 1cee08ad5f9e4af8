"""Leaks between two sets: folders of MIDI, prepared data, runs."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from diffmidi.api import DiffmidiError
from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import score_of
from diffmidi_core.cli.prepare import command
from diffmidi_core.data.leaks import PASSAGE, SAME_FILE, SAME_NOTES, SAME_VOICES, VERSION, find_leaks, read_set

from .test_duplicates import music, performed, with_wrong_notes, without_a_bar


@pytest.fixture
def sets(tmp_path):
    """Two folders of MIDI with four pieces in common, each in another way, and a new one in the second."""
    one, two = tmp_path / "one", tmp_path / "two"
    (two / "deep").mkdir(parents=True)
    one.mkdir()
    for seed in range(6):
        write_midi(score_of(music(seed)), one / f"piece {seed}.mid")
    changed = {
        "copy.mid": music(0),
        "deep/faster.mid": replace(music(1), velocity=music(1).velocity + 9),
        "transposed.mid": replace(music(2), pitch=music(2).pitch + 5),
        "played.mid": with_wrong_notes(without_a_bar(performed(music(3)))),
        "new.mid": music(99),
    }
    for name, notes in changed.items():
        write_midi(score_of(notes), two / name)
    return one, two


def as_prepared(pieces, folder):
    """The columns of prepared data that tell pieces apart."""
    folder.mkdir(parents=True)
    table = pa.table(
        {
            "id": pieces.names,
            "notes_hash": pa.array(pieces.hashes, pa.binary(16)),
            "signature": pa.FixedSizeListArray.from_arrays(pa.array(pieces.signatures.ravel()), 128),
            "elements": pa.array(pieces.elements, pa.list_(pa.uint32())),
        }
    )
    with pa.OSFile(str(folder / "tokens.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=2)


def found(leaks):
    return {leak.piece: (leak.kind, leak.other) for leak in leaks}


def test_each_way_of_being_the_same_is_found_and_new_music_is_not(sets):
    leaks = find_leaks(*map(read_set, sets))
    assert found(leaks) == {
        "copy.mid": (SAME_FILE, "piece 0.mid"),
        "deep/faster.mid": (SAME_NOTES, "piece 1.mid"),
        "transposed.mid": (SAME_VOICES, "piece 2.mid"),
        "played.mid": (VERSION, "piece 3.mid"),
    }
    assert [leak.piece for leak in leaks] == ["copy.mid", "deep/faster.mid", "transposed.mid", "played.mid"]
    assert [leak.similarity for leak in leaks[:3]] == [1, 1, 1]
    assert 0.1 < leaks[3].similarity < 1


def test_prepared_data_and_runs_are_sets_too(sets, tmp_path):
    one, two = map(read_set, sets)
    as_prepared(one, tmp_path / "prepared")
    as_prepared(two, tmp_path / "run" / "data")
    leaks = find_leaks(read_set(tmp_path / "prepared"), read_set(tmp_path / "run"))
    # Prepared data does not keep the files: the copy of one is the same notes.
    assert found(leaks) == found(find_leaks(one, two)) | {"copy.mid": (SAME_NOTES, "piece 0.mid")}
    assert found(find_leaks(one, read_set(tmp_path / "run"))) == found(leaks)


def test_a_run_that_the_command_prepared_is_a_set(sets, tmp_path):
    run = str(tmp_path / "run")
    prepared = CliRunner().invoke(command, [str(sets[0]), "--out", run])
    assert prepared.exit_code == 0, prepared.output
    result = CliRunner().invoke(command, ["--check-leaks", run, str(sets[1])], env={"COLUMNS": "200"})
    assert "4 of the 5 pieces" in result.output


def test_the_most_alike_is_named_and_the_threshold_decides(sets):
    one, two = map(read_set, sets)
    kinds = {threshold: found(find_leaks(one, two, threshold)) for threshold in (0.08, 0.99)}
    assert kinds[0.08]["played.mid"] == (VERSION, "piece 3.mid")
    # With less alike than asked for, what is left is that it has passages in common.
    assert kinds[0.99] == kinds[0.08] | {"played.mid": (PASSAGE, "piece 3.mid")}
    with pytest.raises(ValueError, match="threshold"):
        find_leaks(one, two, 0)


def test_an_excerpt_is_found_in_either_set_and_how_much_of_the_piece_it_is(tmp_path):
    whole, part = music(0), music(0)
    part = part[(part.onset >= 20 * 1920) & (part.onset < 24 * 1920)]
    for name, pieces in (("one", {"whole.mid": whole, "other.mid": music(1)}), ("two", {"part.mid": part})):
        (tmp_path / name).mkdir()
        for file, notes in pieces.items():
            write_midi(score_of(notes), tmp_path / name / file)
    sets = [read_set(tmp_path / name) for name in ("one", "two")]
    (leak,) = find_leaks(*sets)
    assert (leak.piece, leak.other, leak.kind) == ("part.mid", "whole.mid", PASSAGE)
    assert leak.similarity > 0.9
    (leak,) = find_leaks(*reversed(sets))
    assert (leak.piece, leak.other, leak.kind) == ("whole.mid", "part.mid", PASSAGE)
    assert leak.similarity < 0.2


def test_short_pieces_are_the_same_only_by_their_notes(tmp_path):
    short, (one, two) = music(0, bars=1), (tmp_path / "one", tmp_path / "two")
    one.mkdir()
    two.mkdir()
    write_midi(score_of(short), one / "short.mid")
    write_midi(score_of(short), two / "copy.mid")
    write_midi(score_of(replace(short, pitch=short.pitch + 5)), two / "transposed.mid")
    assert found(find_leaks(read_set(one), read_set(two))) == {"copy.mid": (SAME_FILE, "short.mid")}


def test_damaged_files_are_counted(sets):
    (sets[1] / "bad.mid").write_bytes(b"MThd")
    read = read_set(sets[1])
    assert (read.refused, len(read.names), len(read.signatures)) == (1, 5, 5)


def test_what_cannot_be_compared_is_said_in_a_sentence(tmp_path):
    old, run, damaged, bad = (tmp_path / name for name in ("old", "run", "damaged", "bad"))
    for folder in (old, run, damaged, bad):
        folder.mkdir()
    with pa.OSFile(str(old / "tokens.arrow"), "wb") as file, pa.ipc.new_stream(file, pa.schema({"id": pa.string()})):
        pass
    (run / "config.json").write_text("{}")
    (damaged / "tokens.arrow").write_bytes(b"nothing of the kind")
    (bad / "bad.mid").write_bytes(b"MThd")
    for folder, said in ((old, "prepare it again"), (run, "--resume"), (damaged, "damaged"), (bad, "none of the 1")):
        with pytest.raises(DiffmidiError, match=said):
            read_set(folder)


def test_the_command_shows_counts_pairs_and_what_to_do(sets):
    result = CliRunner().invoke(command, ["--check-leaks", str(sets[0]), str(sets[1])], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "4 of the 5 pieces" in result.output
    assert "80.0%" in result.output
    for name in ("copy.mid", "piece 0.mid", "played.mid"):
        assert name in result.output
    assert "new.mid" not in result.output


def test_the_command_says_that_nothing_was_found(sets, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    write_midi(score_of(music(50)), alone / "a [b] piece.mid")
    result = CliRunner().invoke(command, ["--check-leaks", str(sets[0]), str(alone)])
    assert result.exit_code == 0, result.output
    assert "No piece of" in result.output.replace("\n", " ")
    assert "Of excerpts of 24 notes two in three are found" in result.output


def test_the_nearest_of_many_is_found(tmp_path):
    pieces = {f"piece {seed}.mid": music(seed) for seed in range(40)}
    rng = np.random.default_rng(0)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for name, notes in pieces.items():
        write_midi(score_of(notes), tmp_path / "one" / name)
        write_midi(score_of(replace(notes, pitch=notes.pitch + rng.integers(-5, 6))), tmp_path / "two" / name)
    leaks = find_leaks(read_set(tmp_path / "one"), read_set(tmp_path / "two"))
    assert {leak.piece: leak.other for leak in leaks} == {name: name for name in pieces}
