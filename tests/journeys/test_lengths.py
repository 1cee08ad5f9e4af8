"""How long new music is: as asked, in any batch, from any process."""

import json
from pathlib import Path

import pytest

from diffmidi_core.api import Pipeline, UsageError
from diffmidi_core.draw.length import bars, seconds
from diffmidi_core.draw.samples import read_record, read_samples
from diffmidi_core.registry import find

from .conftest import GAUSSIAN, SMALL

MMM = find("tokenizer", "mmm").build()


@pytest.fixture(scope="module", params=["gaussian", "masked"])
def trained(request, music, tmp_path_factory):
    """A tiny run of windows of 24 notes."""
    from diffmidi_core.cli import main

    words = [*SMALL, "--length", "96", *(GAUSSIAN if request.param == "gaussian" else ("--process", request.param))]
    run = tmp_path_factory.mktemp("run") / "mine"
    with pytest.MonkeyPatch.context() as patch:
        for stage in (["prepare", "--data", str(music), "--out", str(run), *words], ["train", str(run)]):
            patch.setattr("sys.argv", ["diffmidi", *stage])
            with pytest.raises(SystemExit) as left:
                main()
            assert not left.value.code
    return run


@pytest.fixture
def run(trained, tmp_path):
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "mine"))


def drawn(run, tokenizer=MMM):
    return [ids.tolist() for _, ids in read_samples(run / "samples", tokenizer)]


def test_notes_bars_and_seconds(diffmidi, run):
    for flag, amount, of in (("--notes", 50, None), ("--bars", 12, bars), ("--seconds", 20, seconds)):
        said = diffmidi("sample", run, flag, amount)
        assert said.code == 0, said.err
        for path, ids in read_samples(run / "samples", MMM):
            score = MMM.decode(ids)
            assert len(ids) == 200 if of is None else of(score).max() < amount
            assert read_record(path).get("seam_1", 96) == 96
        unit = flag.strip("-")
        assert json.loads((run / "config.json").read_text())["sample"]["length"] == f"{amount} {unit}"
        assert f"length={amount}-{unit}" in path.read_text()


def test_without_a_word_windows_are_as_long_as_the_datas(diffmidi, run):
    assert diffmidi("sample", run).code == 0
    assert {len(ids) for ids in drawn(run)} == {96}
    manifest = json.loads(next(iter((run / "checkpoints").glob("*/manifest.json"))).read_text())
    assert manifest["lengths"]["words_per_note"] == 4
    assert diffmidi("sample", run, "-o", "sample.length=pieces").code == 0
    assert all(len(ids) in manifest["lengths"]["pieces"] for ids in drawn(run))


def test_a_piece_is_the_same_in_any_batch(diffmidi, run):
    asked = ("--notes", 40, "--samples", 3)
    assert diffmidi("sample", run, *asked).code == 0
    together = drawn(run)
    assert diffmidi("sample", run, *asked, "-o", "sample.batch_size=1").code == 0
    assert drawn(run) == together
    assert len({tuple(each) for each in together}) == 3
    pipeline = Pipeline.from_pretrained(run, device="cpu")
    assert [MMM.to_ids(words).tolist() for words in pipeline.words(2)] == together[:2]


def test_a_program_asks_in_the_same_words(run):
    pipeline = Pipeline.from_pretrained(run, device="cpu")
    (words,) = pipeline.words(1, length="10 notes")
    assert len(words) == 40
    with pytest.raises(UsageError, match="such as '64 notes'"):
        pipeline.sample(1, length="10 beats")


def test_joins_are_measured_beside_held_out_music_as_long(diffmidi, run):
    assert diffmidi("sample", run, "--notes", 60, "--samples", 2, "-o", "sample.overlap=0.25").code == 0
    said = diffmidi("evaluate", run, "--metric", "seam", "--metric", "note_density")
    assert said.code == 0, said.err
    figures = json.loads((run / "figures.json").read_text())["figures"]
    assert 0 <= figures["seam/all"]["value"] <= 1
    assert figures["seam/all"]["reference"] is not None  # only windows longer than the model's have places to compare
    assert figures["note_density"]["reference"] is not None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--notes", 5, "--bars", 2), "--notes and --bars both say how long pieces are: give one of them."),
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
