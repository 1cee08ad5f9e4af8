"""How long new music is: as asked, in any batch, from any process."""

import json
from pathlib import Path

import pytest

from diffmidi import Pipeline
from diffmidi.api import UsageError
from diffmidi_core.draw.length import bars, seconds
from diffmidi_core.registry import find

from .conftest import ALIGNED, NORMAL, TRAINED, drawn

MMM = find("tokenizer", "mmm").build({"layout": "aligned"})
FEW = ("--steps", 3, "--samples", 2, "--render", "none")


@pytest.fixture(scope="module", params=["gaussian", "masked"])
def trained(request, music, tmp_path_factory):
    """A tiny run of windows of 24 notes."""
    from diffmidi_core.cli import main

    words = [*TRAINED, *(NORMAL if request.param == "gaussian" else ("--process", request.param)), "--length", "96"]
    run = tmp_path_factory.mktemp("run") / "mine"
    with pytest.MonkeyPatch.context() as patch:
        for stage in (["prepare", "--data", str(music), "--out", str(run), *ALIGNED], ["train", str(run), *words]):
            patch.setattr("sys.argv", ["diffmidi", *stage])
            with pytest.raises(SystemExit) as left:
                main()
            assert not left.value.code
    return run


@pytest.fixture
def run(trained, tmp_path):
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "mine"))


def tokens(run):
    return [piece.tokens for piece in drawn(run)]


def test_notes_bars_and_seconds(diffmidi, run):
    for number, (flag, amount, of) in enumerate(
        (("--notes", 50, None), ("--bars", 12, bars), ("--seconds", 20, seconds))
    ):
        said = diffmidi("sample", run, flag, amount, *FEW)
        assert said.code == 0, said.err
        for piece in drawn(run):
            score = MMM.decode(MMM.to_ids(piece.tokens))
            assert len(piece.tokens) == 200 if of is None else of(score).max() < amount
            assert piece.record.get("seam_1", 96) == 96
        asked = json.loads((run / "draws" / str(number + 1) / "request.json").read_text())["request"]
        assert asked["length"] == f"{amount} {flag.strip('-')}"


def test_without_a_word_windows_are_as_long_as_the_datas(diffmidi, run):
    assert diffmidi("sample", run, *FEW).code == 0
    assert {len(each) for each in tokens(run)} == {96}
    manifest = json.loads(next(iter((run / "checkpoints").glob("*/manifest.json"))).read_text())
    assert manifest["lengths"]["tokens_per_note"] == 4
    assert diffmidi("sample", run, *FEW, "-o", "sample.length=pieces").code == 0
    assert all(len(each) in manifest["lengths"]["pieces"] for each in tokens(run))


def test_a_piece_is_the_same_in_any_batch(diffmidi, run):
    asked = (*FEW, "--notes", 40, "--samples", 3)
    assert diffmidi("sample", run, *asked).code == 0
    together = tokens(run)
    assert diffmidi("sample", run, *asked, "-o", "sample.batch_size=1").code == 0
    assert len(list((run / "draws").iterdir())) == 2
    assert tokens(run) == together
    assert len({tuple(each) for each in together}) == 3
    pipeline = Pipeline.from_pretrained(run, device="cpu")
    request = pipeline.request(2, steps=3, length="40 notes")
    assert [MMM.to_tokens(ids) for ids in pipeline.draw(request)] == together[:2]


def test_a_program_asks_in_the_same_words(run):
    pipeline = Pipeline.from_pretrained(run, device="cpu")
    (ids,) = pipeline.draw(pipeline.request(1, steps=3, length="10 notes"))
    assert len(ids) == 40
    (score,) = pipeline.sample(1, steps=3, length="10 notes")
    assert score == MMM.decode(ids)
    with pytest.raises(UsageError, match="such as '64 notes'"):
        pipeline.sample(1, length="10 beats")


def test_joins_are_measured_beside_held_out_music_as_long(diffmidi, run):
    assert diffmidi("sample", run, *FEW, "--notes", 60, "-o", "sample.overlap=0.25").code == 0
    said = diffmidi("evaluate", run, "--no-metric", "all", "--metric", "seam", "--metric", "note_density")
    assert said.code == 0, said.err
    figures = json.loads((run / "draws" / "1" / "figures.json").read_text())["figures"]
    assert 0 <= figures["seam/all"]["value"] <= 1
    assert figures["seam/all"]["reference"] is not None  # only windows longer than the model's have places to compare
    assert figures["note_density"]["reference"] is not None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--notes", 5, "--bars", 2), "--notes and --bars both set how long pieces are: give one of them."),
        (("--notes", 0), "--notes"),
        (("--seconds", 0), "--seconds"),
        (("-o", "sample.length=long"), "a length is windows or pieces"),
        (("-o", "sample.overlap=1"), "sample.overlap"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(diffmidi, run, words, sentence):
    said = diffmidi("sample", run, *words)
    assert said.code == 2
    assert sentence in said.err
    assert "Traceback" not in said.err
