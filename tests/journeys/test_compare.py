"""`diffmidi compare`: finished runs side by side, on the screen, as CSV and as one HTML page."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from diffmidi_core.config import resolve

from .conftest import TINY


def figure(value, **more):
    return {"value": value, "unit": "bits per word", "count": 8, "of": "held-out windows", "error": None, **more}


@pytest.fixture
def leave(tmp_path):
    """Leaves a run folder as training and evaluating would."""

    def leave_(name, *assignments, figures=None, heldout=(5.0, 4.0), found=10, words="w", **flags):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = resolve(None, flags, assignments).model_dump(mode="json")
        facts = {"parameters": 1000, "peak_memory_mb": 512.5, "iterations": 20, "data": {"found": found}}
        facts["data"]["tokenizer"] = words
        log = [{"step": step, "loss": 1.0, "steps_per_second": speed} for step, speed in [(5, 1.0), (10, 3.0), (15, 2)]]
        log += [{"step": 10 * i, "heldout/bound_bpw": each, "train/bound_bpw": 3} for i, each in enumerate(heldout, 1)]
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "run.json").write_text(json.dumps(facts))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
        if figures is not None:
            (folder / "figures.json").write_text(json.dumps({"checkpoint": 20, "figures": figures}))
        return folder

    return leave_


def cells(said, name):
    """What stands in the row of the printed table whose name begins so."""
    (line,) = [line for line in said.out.splitlines() if line.strip().startswith(name)]
    return [each.strip() for each in line.strip().removeprefix(name).split("  ") if each.strip()]


def test_what_differs_what_it_took_and_what_was_measured(diffmidi, leave):
    one = leave("one", figures={"bound_bpw": figure(4.5, error=0.25), "x": figure(1.0, interval=[0.5, 1.5])})
    two = leave("two", "train.lr=0.5", backbone="electra", figures={"bound_bpw": None})
    said = diffmidi("compare", one, two)
    assert said.code == 0, said.err
    assert said.out.split()[:2] == ["one", "two"]
    assert cells(said, "backbone ") == ["bert", "electra"]
    assert cells(said, "train.lr") == ["0.001", "0.5"]
    assert cells(said, "steps/s (median)")[-1] == "2"
    assert cells(said, "peak memory, MiB")[-1] == "512.5"
    assert cells(said, "lowest held-out bound")[-1] == "4"
    assert cells(said, "bound_bpw, bits per word") == ["4.5 ± 0.25", "-"]
    assert cells(said, "x, bits per word") == ["1 [0.5, 1.5]", "-"]
    assert "train.clip" not in said.out, "what all runs have alike is left out"
    assert "cannot be held against" not in said.out


def test_runs_on_other_music_or_words_are_told_apart(diffmidi, leave):
    said = diffmidi("compare", leave("one"), leave("two", found=11, words="v"))
    assert "did not have the same music" in said.out
    assert "bits per note can" in said.out


def test_a_csv_has_a_line_a_run_with_the_numbers_as_they_were_measured(diffmidi, leave):
    value = 1 / 3
    one = leave("one", figures={"x": figure(value, interval=[0.25, 0.5], reference=0.3)})
    two = leave("two", "train.lr=0.5", figures={"y": figure(2, error=0.1)})
    assert diffmidi("compare", one, two, "--csv", "table.csv").code == 0
    with open("table.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["run"], first["train.lr"], second["train.lr"]) == ("one", "0.001", "0.5")
    assert float(first["x"]) == value
    assert (first["x.low"], first["x.high"], first["x.heldout"], second["x"]) == ("0.25", "0.5", "0.3", "")
    assert (second["y"], second["y.error"]) == ("2", "0.1")
    assert float(first["steps/s (median)"]) == 2


class Page(HTMLParser):
    """Counts tags, and remembers addresses."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_page_is_whole_by_itself_and_escapes_what_is_not_ours(diffmidi, leave):
    odd = leave("<script>", figures={"bound_bpw": figure(4.5, error=0.25)})
    assert diffmidi("compare", odd, leave("two"), "--html", "table.html").code == 0
    page = Page(Path("table.html").read_text())
    assert page.addresses == []
    assert "script" not in page.tags
    assert "<script>" in page.text
    assert "4.5 ± 0.25" in page.text
    assert page.tags.count("table") == 1


def test_runs_of_one_name_are_told_apart_by_their_paths(diffmidi, leave):
    leave("a/run"), leave("b/run")
    assert diffmidi("compare", "a/run", "b/run").out.split()[:2] == ["a/run", "b/run"]


def test_a_run_that_has_only_begun_is_shown_with_what_it_has(diffmidi, music, leave):
    diffmidi("prepare", music, "--out", "begun", *TINY)
    said = diffmidi("compare", leave("one"), "begun")
    assert said.code == 0, said.err
    assert cells(said, "parameters") == ["1,000", "-"]


def test_a_real_run_is_read(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "mine", *TINY)
    said = diffmidi("compare", "mine", "--csv", "mine.csv")
    assert said.code == 0, said.err
    with open("mine.csv", newline="") as file:
        (line,) = csv.DictReader(file)
    figures = json.loads(Path("mine/figures.json").read_text())["figures"]
    assert float(line["bound_bpw"]) == figures["bound_bpw"]["value"]
    assert line["iterations"] == line["checkpoint measured"] == "6"
    assert float(line["peak memory, MiB"]) > 0


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("config.json", None, "there is no run in"),
        ("config.json", "{", "is not valid JSON"),
        ("config.json", "[]", "does not hold one JSON object"),
        ("run.json", "3", "does not hold one JSON object"),
        ("figures.json", '{"figures": {"x": 3}}', "holds no figures"),
        ("figures.json", '{"figures": [3]}', "holds no figures"),
    ],
)
def test_a_bad_run_folder_is_one_sentence(diffmidi, leave, file, text, sentence):
    bad = leave("bad") / file
    bad.unlink(missing_ok=True)
    if text is not None:
        bad.write_text(text)
    said = diffmidi("compare", leave("good"), "bad")
    assert said.code == 1
    assert sentence in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def test_no_runs_is_a_mistake(diffmidi):
    said = diffmidi("compare")
    assert said.code == 2
    assert "RUN" in said.err
