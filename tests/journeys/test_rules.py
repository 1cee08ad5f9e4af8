"""Rules as a person uses them: chosen by name, obeyed or come near to, recorded, and refused in a sentence."""

import importlib.util
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from diffmidi import Pipeline
from diffmidi.api.metric import notes_of
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.draw.pieces import Computing, pieces
from diffmidi_core.music.reading import read_midi
from diffmidi_core.registry import find
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.folder import RunFolder

from .conftest import ALIGNED, SMALL, TINY, drawn, finish

D_MINOR = {2, 4, 5, 7, 9, 10, 0, 1}
KEY = ("--control", "key", "-o", "control.key.key=D minor")
FAMILIES = {
    "bars": SMALL,
    "masked": [*SMALL, "--process", "masked", *ALIGNED],
    "gaussian": TINY,
    "left to right": [*SMALL, "--process", "autoregressive", "--steps", "96"],
}


@pytest.fixture(scope="module")
def trained(music, tmp_path_factory):
    """A run of a family, each trained once."""
    runs = {}

    def run(family):
        if family not in runs:
            folder = runs[family] = tmp_path_factory.mktemp("rules") / "run"
            quiet = ("--no-renderer", "all", "--no-metric", "all", "--samples", "1")
            assert finish("run", "--data", music, "--out", folder, *FAMILIES[family], *quiet) == 0
        return runs[family]

    return run


@pytest.fixture
def song(tmp_path):
    onset = 480 * np.arange(48)
    path = tmp_path / "song.mid"
    path.write_bytes(score_of(Notes(onset, np.full(48, 400), 60 + np.arange(48) % 12, np.full(48, 70))).dumps_midi())
    return path


def classes(path):
    return set((notes_of(read_midi(path)).pitch % 12).tolist())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_note_is_of_the_key_and_losses_are_recorded(diffmidi, trained, family):
    run = trained(family)
    rules = (*KEY, "--control", "parallels", "--control", "density", "-o", "control.density.curve=3 6")
    token_by_token = family == "left to right"  # in as many steps
    how = ("--samples", 1 if token_by_token else 3, "--render", "none", "--tries", 2, "--redraws", 2, "--seed", 4)
    steps = ("--steps", 96 if token_by_token else 3)
    said = diffmidi("sample", run, *rules, *how, *steps)
    assert said.code == 0, said.err
    pieces, draw = drawn(run), RunFolder.open(run).draw(None)
    assert all(piece.losses.keys() == {"parallels", "density"} for piece in pieces)
    request = draw.request().request
    assert [part.name for part in request.controls] == ["key", "parallels", "density"]
    assert request.controls[0].options["key"] == "D minor"
    assert (request.tries, request.redraws) == (2, 2)
    assert all(classes(path) <= D_MINOR for path in draw.files(pieces, ".mid"))
    assert any(piece.notes for piece in pieces)


@pytest.mark.parametrize("family", ["bars", "masked", "gaussian"])
def test_looking_harder_comes_nearer_and_repeats(trained, family):
    pipeline = Pipeline.from_pretrained(trained(family), device="cpu")
    density = find("control", "density").build({"curve": "4"})

    def losses(**how):
        request = pipeline.request(6, steps=3, controls={"density": {"curve": "4"}}, **how)
        scores = [pipeline.tokenizer.decode(ids, pipeline.model.timeline) for ids in pipeline.draw(request)]
        return list(density.score(scores))

    plain, hard = losses(tries=1, redraws=0), losses(tries=4, redraws=4)
    assert np.mean(hard) < np.mean(plain)
    assert losses(tries=4, redraws=4) == hard


@pytest.mark.parametrize("family", ["bars", "masked", "gaussian"])
def test_a_piece_does_not_hang_on_those_beside_it(trained, family):
    pipeline = Pipeline.from_pretrained(trained(family), device="cpu")

    def some(count):
        return pipeline.draw(pipeline.request(count, steps=4, tries=2, redraws=2, controls=["key", "parallels"]))

    assert some(1)[0].tolist() == some(3)[0].tolist()


def test_two_ranks_draw_the_pieces_of_one(trained):
    """Batches are dealt out; what each rank makes of its own under rules is what one makes of all."""
    pipeline = Pipeline.from_pretrained(trained("bars"), device="cpu")
    request = pipeline.request(3, steps=3, length="2 bars", tries=2, redraws=1, controls=["key", "parallels"])
    request = request.model_copy(update={"batch_size": 1})

    def drawn(rank=0, ranks=1):
        found = pieces(pipeline.model, request, Computing(nullcontext, rank=rank, ranks=ranks))
        return [(each.ids.tolist(), each.losses) for some in found for each in some]

    one, first, second = drawn(), drawn(0, 2), drawn(1, 2)
    assert one == [first[0], *second, first[1]]


def test_rules_regions_locks_and_candidates_go_together(diffmidi, trained, song, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = trained("bars")
    how = ("--model", model, "--bars", "5-8", "--lock", "rhythm", "--candidates", 2, "--no-renderer", "all")
    said = diffmidi("infill", song, *how, *KEY, "--control", "parallels", "--tries", 2, "--redraws", 2, "--steps", 3)
    assert said.code == 0, said.err
    draw = DrawFolder(tmp_path / "draws" / "1")
    assert [piece.losses.keys() for piece in draw.pieces()] == [{"parallels"}] * 2
    for path in draw.files(draw.pieces(), ".mid"):
        before, after = notes_of(read_midi(song)), notes_of(read_midi(path))
        assert np.array_equal(after.onset, before.onset)
        inside = (after.onset >= 4 * 1920) & (after.onset < 8 * 1920)
        assert np.array_equal(after.pitch[~inside], before.pitch[~inside])
        changed = after.pitch[inside] != before.pitch[inside]
        assert set((after.pitch[inside][changed] % 12).tolist()) <= D_MINOR


def test_continue_takes_rules_too(diffmidi, trained, song, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = ("--model", trained("bars"), "--no-renderer", "all", "--steps", 3, "--redraws", 1, "--tries", 2)
    said = diffmidi("continue", song, *how, *KEY, "--control", "chords")
    assert said.code == 0, said.err
    (piece,) = DrawFolder(tmp_path / "draws" / "1").pieces()
    assert piece.losses.keys() == {"chords"}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("--control", "kee"), "no control 'kee' is installed. Did you mean 'key'?"),
        (("--control", "key", "--control", "key"), "each is chosen once"),
        (("-o", "control.key.key=C major"), "choose it by --control NAME"),
        (("--control", "key", "-o", "control.key.key=H major"), "a key is such as 'C major'"),
        (("--control", "range", "-o", "control.range.low=C7"), "is not above high"),
        (("--control", "chords", "-o", "control.chords.progression=C Hm"), "chords are such as"),
        (("--tries", 3), "add --control NAME"),
        (("--control", "range", "-o", "control.range.low=0", "-o", "control.range.high=3"), "has tokens for"),
        (
            (*KEY, "--control", "range", "-o", "control.range.low=63", "-o", "control.range.high=63"),
            "controls 'key' and 'range' and what is asked besides leave no pitch",
        ),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_one_sentence(diffmidi, trained, asked, sentence):
    said = diffmidi("sample", trained("bars"), *asked, "--render", "none")
    assert said.code
    assert sentence in " ".join(said.err.split())
    assert "Traceback" not in said.err


LOW = ("--control", "range", "-o", "control.range.low=C1", "-o", "control.range.high=C2")


@pytest.mark.parametrize(
    ("command", "asked", "sentence"),
    [
        ("infill", ("--lock", "pitches", *KEY), "--control key decides what --lock pitches keeps"),
        (
            "infill",
            ("--lock", "rhythm", "--lock", "pitches", "--control", "chords"),
            "what --lock pitches and rhythm keeps",
        ),
        (
            "infill",
            ("--lock", "rhythm", "--control", "density"),
            "--control density decides how many notes each bar has, which --lock rhythm keeps",
        ),
        ("vary", ("--control", "density"), "how many notes each bar has, which --strength keeps"),
        ("infill", ("--lock", "range", *LOW), "control 'range' and what is asked besides"),
        ("infill", ("--pitch", "C4-C5", *LOW), "control 'range' and what is asked besides"),
    ],
    ids=str,
)
def test_a_rule_of_what_stays_is_refused(diffmidi, trained, song, tmp_path, monkeypatch, command, asked, sentence):
    monkeypatch.chdir(tmp_path)
    said = diffmidi(command, song, "--model", trained("bars"), "--bars", "5-8", *asked, "--no-renderer", "all")
    assert said.code
    assert sentence in " ".join(said.err.split())
    assert "Traceback" not in said.err
    assert not (tmp_path / "draws" / "1").exists()


def test_the_table_of_rules_is_made(trained, tmp_path, monkeypatch):
    script = Path(__file__).parents[2] / "benchmarks" / "rules.py"
    spec = importlib.util.spec_from_file_location("rules", script)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "rules", module)
    spec.loader.exec_module(module)
    asked = [str(trained("bars")), "--tiny", "--out", str(tmp_path / "rows.json")]
    rows = module.main(asked)
    obeyed = {row["rule"]: row for row in rows if row["way"] == "with"}
    assert obeyed.keys() == {"key", "range", "chords", "density", "parallels"}
    assert obeyed["key"]["loss"] == obeyed["range"]["loss"] == 0
    assert all(row["targets"] == 2 and row["loss"] >= 0 for row in rows)
    of = {(row["rule"], row["way"]): row["loss"] for row in rows}
    assert all(of[rule, "best of 3"] <= of[rule, "best of 2"] <= of[rule, "without"] for rule in obeyed)
    written = (tmp_path / "rows.json").read_text()
    assert module.main(asked) == rows
    assert (tmp_path / "rows.json").read_text() == written  # nothing was drawn again
    with pytest.raises(SystemExit, match="made with other settings"):
        module.main([*asked, "--length", "3 bars"])
