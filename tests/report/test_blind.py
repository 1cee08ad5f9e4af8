"""A listening test: no name on its page, a key beside it, ratings that are kept and saved, and what they add up to."""

import base64
import csv
import io
import re
import sys
import wave

import pytest

from diffmidi.api.renderer import write_midi
from diffmidi_core.cli import main

from .conftest import fill, music


@pytest.fixture
def diffmidi(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["diffmidi", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A run with a draw of two pieces, and a folder with two MIDI files of other lengths and one that is none."""
    folder = tmp_path_factory.mktemp("listen")
    run, files = fill(folder / "secretrun"), folder / "secretfolder"
    files.mkdir()
    for number in range(2):
        write_midi(music(12 + number), files / f"secretfile{number}.mid")
    (files / "bad.mid").write_text("no MIDI")
    return run, files


@pytest.fixture(scope="module")
def test_folder(sources, tmp_path_factory):
    """A written test."""
    folder = tmp_path_factory.mktemp("test")
    with pytest.MonkeyPatch.context() as patch:
        words = ["report", "--blind", *map(str, sources), "--out", str(folder), "--pieces", "2", "--seconds", "2"]
        patch.setattr(sys, "argv", ["diffmidi", *words])
        with pytest.raises(SystemExit) as left:
            main()
    assert not left.value.code
    return folder


def read(file):
    with open(file, newline="") as opened:
        return list(csv.DictReader(opened))


def sounds(page):
    return [base64.b64decode(each) for each in re.findall(r'src="data:audio/wav;base64,([^"]*)"', page)]


def test_the_page_names_nothing_and_the_key_all(test_folder):
    page = (test_folder / "listening-test.html").read_text()
    assert not re.search("secret|key.csv|draws|001", re.sub(r'base64,[^"]*|sha256-[^\']*', "", page))
    key = read(test_folder / "key.csv")
    assert [row["piece"] for row in key] == ["01", "02", "03", "04"]
    assert sorted(row["source"] for row in key) == ["secretfolder"] * 2 + ["secretrun"] * 2
    assert {row["file"].rpartition("/")[2] for row in key} == {
        *("001.mid", "002.mid", "secretfile0.mid", "secretfile1.mid")
    }
    assert sorted(path.name for path in test_folder.iterdir()) == ["key.csv", "listening-test.html"]


def test_all_pieces_are_cut_alike_as_loud_and_hold_nothing_but_sound(test_folder):
    found = sounds((test_folder / "listening-test.html").read_text())
    assert len({*found}) == 4
    for data in found:
        with wave.open(io.BytesIO(data)) as file:
            assert (file.getnchannels(), file.getframerate()) == (1, 24_000)
            assert file.getnframes() == 48_000
            levels = file.readframes(48_000)
        assert len(data) == 44 + 96_000, "a header and levels alone"
        peak = max(abs(int.from_bytes(levels[at : at + 2], "little", signed=True)) for at in range(0, len(levels), 2))
        assert peak == pytest.approx(0.89 * 32_767, abs=2)


def test_a_seed_gives_the_same_test_again_and_another_seed_another_order(diffmidi, sources, test_folder, tmp_path):
    words = ("report", "--blind", *sources, "--pieces", 2, "--seconds", 2)
    assert diffmidi(*words, "--out", tmp_path / "again")[0] == 0
    assert diffmidi(*words, "--out", tmp_path / "other", "--seed", 3)[0] == 0
    files = [read(folder / "key.csv") for folder in (test_folder, tmp_path / "again", tmp_path / "other")]
    first, again, other = ([row["file"] for row in rows] for rows in files)
    assert first == again
    assert first != other


def test_a_listener_rates_by_keys_and_mouse_goes_on_after_a_reload_and_saves(chromium, test_folder):
    address = (test_folder / "listening-test.html").as_uri()
    chromium.open(address)
    chromium.ask("localStorage.clear()")
    chromium.open(address)
    press = 'document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "%s", bubbles: true}))'
    chromium.ask(press % "4")
    chromium.ask(press % "n")
    chromium.ask(press % "2")
    chromium.ask(
        """(() => { document.querySelectorAll(".piece")[3].querySelector("input[value='5']").click();
          const words = document.querySelectorAll(".comment")[1]; words.value = '=1+"a", b';
          words.dispatchEvent(new Event("input", {bubbles: true})); })()"""
    )
    chromium.open(address)
    assert chromium.ask('document.getElementById("progress").textContent') == "3 of 4 rated"
    saved = chromium.ask(
        """new Promise(done => {
          URL.createObjectURL = blob => { blob.text().then(done); return "#"; };
          document.getElementById("save").click();
        })"""
    )
    rows = list(csv.DictReader(io.StringIO(saved)))
    assert [(row["piece"], row["rating"], row["comment"]) for row in rows] == [
        *(("01", "4", ""), ("02", "2", '\'=1+"a", b'), ("04", "5", ""))
    ]
    assert {row["test"] for row in rows} == {read(test_folder / "key.csv")[0]["test"]}
    assert chromium.complaints() == []
    assert {each for each in chromium.requested() if not each.startswith("data:")} == {address}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_both_schemes(chromium, test_folder, scheme):
    from .test_browser import CONTRAST

    chromium.open((test_folder / "listening-test.html").as_uri(), width=390, scheme=scheme)
    assert chromium.ask("document.documentElement.scrollWidth") <= 390
    assert chromium.ask(CONTRAST) == []


def leave_key(folder, count=3):
    rows = [f"t,{number:02d},{'ab'[number % 2]},x.mid,2" for number in range(2 * count)]
    (folder / "key.csv").write_text("\n".join(["test,piece,source,file,seconds", *rows]))
    return folder / "key.csv"


def leave_ratings(folder, name, ratings, test="t"):
    rows = [f"{test},{name},{piece},{rating},words" for piece, rating in ratings.items()]
    (folder / f"{name}.csv").write_text("\n".join(["test,listener,piece,rating,comment", *rows]))
    return folder / f"{name}.csv"


def test_ratings_and_key_give_the_mean_of_each_source_with_its_interval(diffmidi, tmp_path):
    one = leave_ratings(tmp_path, "ann", {"00": 5, "02": 4, "04": 5, "01": 1, "03": 2})
    two = leave_ratings(tmp_path, "bob", {"00": 3, "01": 3})
    code, out, err = diffmidi("report", "--blind-key", leave_key(tmp_path), one, two)
    assert code == 0, err
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:2] in ("a ", "b ")}
    assert list(rows) == ["a", "b"], "the best one first"
    # The means of its pieces are 4, 4 and 5: 4.33 ± 4.30 · 0.577 / √3, and no rating is above 5.
    assert rows["a"] == ["4.33", "2.9", "to", "5", "3", "4", "2"]
    assert rows["b"] == ["2", "-", "2", "3", "2"], "two pieces are too few for an interval"


@pytest.mark.parametrize(
    ("key", "ratings", "said"),
    [
        ({}, {"test": "u", "ratings": {"00": 1}}, "holds ratings of another test"),
        ({}, {"ratings": {"99": 1}}, "rates piece '99', which"),
        ({}, {"ratings": {"00": 6}}, "a rating is 1, 2, 3, 4 or 5 (found: '6')"),
        ({}, {"ratings": {}}, "holds nothing"),
    ],
)
def test_ratings_that_do_not_fit_the_key_are_one_sentence(diffmidi, tmp_path, key, ratings, said):
    code, out, err = diffmidi("report", "--blind-key", leave_key(tmp_path), leave_ratings(tmp_path, "ann", **ratings))
    assert (code, out) == (1, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_file_that_is_no_key_is_one_sentence(diffmidi, tmp_path):
    (tmp_path / "key.csv").write_text("a,b\n1,2\n")
    code, _, err = diffmidi("report", "--blind-key", tmp_path / "key.csv", tmp_path / "none.csv")
    assert code == 1
    assert "is not the key of a listening test: it has no column piece." in err
    assert "cannot be read" in diffmidi("report", "--blind-key", leave_key(tmp_path), tmp_path / "none.csv")[2]


def test_what_cannot_be_a_test_is_refused_in_one_sentence(diffmidi, sources, test_folder, tmp_path):
    run, files = sources
    (tmp_path / "empty").mkdir()
    for words, said in (
        ((run, "--out", tmp_path / "t"), "two sources or more"),
        ((run, files), "takes --out FOLDER"),
        ((run, run, "--out", tmp_path / "t"), "named twice"),
        ((run, files, "--out", test_folder), "is there already"),
        ((run, tmp_path / "empty", "--out", tmp_path / "t"), "nothing to listen to"),
    ):
        code, _, err = diffmidi("report", "--blind", *words)
        assert code != 0
        assert said in err
        assert len(err.strip().splitlines()) == 1, err
    assert not (tmp_path / "t").exists()
    assert "add --blind" in diffmidi("report", run, "--out", tmp_path)[2]
    assert "name the one RUN" in diffmidi("report")[2]
