"""`diffmidi compare`: finished runs side by side, on the screen, as CSV and as one HTML page."""

import csv
import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from diffmidi_core.config import resolve
from diffmidi_core.files import write_json
from diffmidi_core.judge.judged import Judged
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, ModelReference, StoredRequest
from diffmidi_core.sections import Part

from .conftest import QUIET, TINY


def better(value, low, high, way="lower"):
    return figure(value, interval=[low, high], better=way, title="bits")


def figure(value, **more):
    return {"value": value, "unit": "bits per token", "count": 8, "of": "windows", "error": None, **more}


def judged(step, figures, **more):
    return {"checkpoint": step, "weights": "w", "split": "test", "windows": 8, "figures": figures, **more}


@pytest.fixture
def leave(tmp_path):
    """Leaves a run folder as training and evaluating would."""

    def leave_(
        name, *assignments, figures=None, step=20, heldout=(5.0, 4.0), found=10, tokens="t", facts=None, **flags
    ):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = resolve(None, flags, assignments).model_dump(mode="json")
        told = {
            "parameters": 1000,
            "peak_memory_mb": 512.5,
            "iterations": 20,
            "data": {"found": found},
            **(facts or {}),
        }
        told["data"]["tokenizer"] = tokens
        log = [{"step": step, "loss": 1.0, "steps_per_second": speed} for step, speed in [(5, 1.0), (10, 3.0), (15, 2)]]
        log += [{"step": 10 * i, "heldout/bound_bpw": each, "train/bound_bpw": 3} for i, each in enumerate(heldout, 1)]
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "run.json").write_text(json.dumps(told))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
        if figures is not None:
            write_json(folder / "figures" / f"step-{step:06d}.json", judged(step, figures))
        return folder

    return leave_


def leave_draw(run, name, *, hour=0, step=20, figures=None, seed=0, **options):
    """Leaves a draw in it, judged where there are figures."""
    draw = DrawFolder(run / "draws" / name)
    sampler = Part(name="confidence", package="diffmidi", options=options)
    model = ModelReference(path=str(run), step=step, fingerprint="w")
    stored = StoredRequest(
        at=datetime(2026, 7, 1, hour, tzinfo=UTC), model=model, request=Request(seed=seed, sampler=sampler)
    )
    write_json(draw.request_file, stored.model_dump(mode="json"))
    if figures is not None:
        write_json(draw.figures_file, {"split": "test", "figures": figures})


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
    assert cells(said, "backbone ") == ["modern", "electra"]
    assert cells(said, "train.lr") == ["0.002", "0.5"]
    assert cells(said, "steps/s (median)")[-1] == "2"
    assert cells(said, "peak memory, MiB")[-1] == "512"
    assert cells(said, "lowest held-out bound")[-1] == "4"
    assert cells(said, "bound_bpw, bits per token") == ["4.5 ± 0.25", "-"]
    assert cells(said, "x, bits per token") == ["1 [0.5, 1.5]", "-"]
    assert "train.clip" not in said.out, "what all runs have alike is left out"
    assert "do not compare" not in said.out


def test_figures_are_of_the_newest_checkpoint_and_of_the_newest_draw_that_were_judged(diffmidi, leave):
    one = leave("one", figures={"bound_bpw": figure(4.5)})
    write_json(one / "figures" / "step-000010.json", judged(10, {"bound_bpw": figure(1.0)}))
    write_json(one / "figures" / "step-000030.jazz.json", judged(30, {"bound_bpw": figure(2.0)}))
    leave_draw(one, "1", figures={"polyphony": figure(1.5)})
    leave_draw(one, "evening", hour=1, step=10, seed=7, figures={"polyphony": figure(2.5)}, temperature=0.9)
    leave_draw(one, "3", hour=2)
    leave_draw(one, "step-10", hour=3, figures={"polyphony": figure(3.5)})
    two = leave("two")
    said = diffmidi("compare", one, two, "--csv", "table.csv")
    assert said.code == 0, said.err
    assert cells(said, "checkpoint") == ["20", "-"]
    assert cells(said, "judged on") == ["test", "-"]
    assert cells(said, "bound_bpw, bits per token") == ["4.5", "-"]
    assert cells(said, "draw  ") == ["evening", "-"]
    assert cells(said, "draw is of checkpoint") == ["10", "-"]
    assert cells(said, "draw's seed") == ["7", "-"]
    assert cells(said, "sampler.temperature") == ["0.9", "-"]
    assert cells(said, "polyphony, bits per token") == ["2.5", "-"]
    with open("table.csv", newline="") as file:
        line = next(csv.DictReader(file))
    assert (line["checkpoint"], line["draw"], line["polyphony"]) == ("20", "evening", "2.5")


def test_segments_are_what_the_run_was_asked_in_the_end(diffmidi, leave):
    change = {"train.iterations": [300, 800]}
    segments = [{"from": 0, "to": 300, "changed": {}}, {"from": 300, "to": 800, "changed": change}]
    began = {"run": "/home/me/runs/base", "step": 20, "iterations": 20, "weights": "w"}
    said = diffmidi("compare", leave("one"), leave("two", facts={"segments": segments, "began": began}))
    assert said.code == 0, said.err
    assert cells(said, "train.iterations") == ["300", "800"]
    assert cells(said, "segments") == ["-", "to 300, to 800 with train.iterations"]
    assert cells(said, "began from") == ["-", "base at 20"]
    assert "/home" not in said.out


def test_of_places_only_as_much_is_shown_as_tells_them_apart(diffmidi, leave):
    one, two = leave("a/run", data="/home/me/one/bach"), leave("b/run", data="/home/me/two/bach")
    said = diffmidi("compare", one, two, "--html", "table.html")
    assert said.code == 0, said.err
    assert cells(said, "data") == ["one/bach", "two/bach"]
    assert "/home" not in said.out + Path("table.html").read_text()


def test_a_package_that_is_gone_is_not_needed(diffmidi, leave):
    one = leave("one", "train.lr=0.5")
    config = json.loads((one / "config.json").read_text())
    config["schedule"] = {"name": "power", "package": "acme-music", "version": "1", "options": {"exponent": 3}}
    (one / "config.json").write_text(json.dumps(config))
    said = diffmidi("compare", one, leave("two"))
    assert said.code == 0, said.err
    assert cells(said, "schedule ") == ["acme-music:power", "loglinear"]
    assert cells(said, "schedule.exponent") == ["3", "-"]


def test_runs_on_other_music_or_tokens_are_told_apart(diffmidi, leave):
    said = diffmidi("compare", leave("one"), leave("two", found=11, tokens="v"))
    assert "did not have the same music" in said.out
    assert "bits per note do" in said.out


def test_runs_that_were_judged_on_other_shares_are_told_apart(diffmidi, leave):
    one, two = leave("one", figures={"x": figure(1)}), leave("two", figures={"x": figure(1)})
    assert "same share" not in diffmidi("compare", one, two).out
    write_json(two / "figures" / "step-000020.json", judged(20, {"x": figure(1)}, split="heldout"))
    assert "not all judged on the same share of their music: heldout and test" in diffmidi("compare", one, two).out


def test_a_csv_has_a_line_a_run_with_the_numbers_as_they_were_measured(diffmidi, leave):
    value = 1 / 3
    one = leave("one", figures={"x": figure(value, interval=[0.25, 0.5], reference=0.3)})
    two = leave("two", "train.lr=0.5", figures={"y": figure(2, error=0.1)})
    assert diffmidi("compare", one, two, "--csv", "table.csv").code == 0
    with open("table.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["run"], first["train.lr"], second["train.lr"]) == ("one", "0.002", "0.5")
    assert float(first["x"]) == value
    assert (first["x.low"], first["x.high"], first["x.reference"], second["x"]) == ("0.25", "0.5", "0.3", "")
    assert (second["y"], second["y.error"]) == ("2.0", "0.1")
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
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert page.tags.count("script") == 1, "the player alone"
    assert "<script>" in page.text
    assert "4.5 ± 0.25" in page.text
    assert page.tags.count("table") == 3, "figures, training, judged"


def test_runs_of_one_name_are_told_apart_by_their_paths(diffmidi, leave):
    leave("a/run"), leave("b/run")
    assert diffmidi("compare", "a/run", "b/run").out.split()[:2] == ["a/run", "b/run"]


def test_a_run_that_has_only_begun_is_shown_with_what_it_has(diffmidi, music, leave):
    assert diffmidi("prepare", music, "--out", "begun").code == 0
    said = diffmidi("compare", leave("one"), "begun")
    assert said.code == 0, said.err
    assert cells(said, "parameters") == ["1,000", "-"]


def test_a_real_run_is_read(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "mine", *TINY, *QUIET)
    said = diffmidi("compare", "mine", "--csv", "mine.csv")
    assert said.code == 0, said.err
    with open("mine.csv", newline="") as file:
        (line,) = csv.DictReader(file)
    found = Judged.of_checkpoint(Path("mine/figures/step-000006.json"))
    music = Judged.of_draw(DrawFolder(Path("mine/draws/1")))
    assert float(line["bound_bpw"]) == found.known["bound_bpw"].value
    assert float(line["polyphony"]) == music.known["polyphony"].value
    assert line["iterations"] == line["checkpoint"] == line["draw is of checkpoint"] == "6"
    assert line["draw"] == "1"
    assert float(line["peak memory, MiB"]) > 0


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("config.json", None, "there is no run in"),
        ("config.json", "{", "is not valid JSON"),
        ("config.json", "[]", "does not hold one JSON object"),
        ("run.json", "3", "does not hold one JSON object"),
        ("figures/step-000006.json", '{"figures": {"x": 3}}', "holds no figures"),
        ("figures/step-000006.json", '{"figures": [3]}', "holds no figures"),
        ("figures/step-000006.json", "[3]", "does not hold one JSON object"),
    ],
)
def test_a_bad_run_folder_is_one_sentence(diffmidi, leave, file, text, sentence):
    bad = leave("bad") / file
    bad.unlink(missing_ok=True)
    bad.parent.mkdir(exist_ok=True)
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


ODD = "\x1b[2J\x07odd"


def test_what_others_named_cannot_move_the_cursor(diffmidi, leave):
    odd = leave(
        ODD,
        facts={"device": ODD},
        figures={f"x/{ODD}": figure(1, unit=ODD, title=ODD, reference=2, music=ODD)},
        data=f"/home/{ODD}",
    )
    write_json(odd / "figures" / "step-000020.json", judged(20, {ODD: figure(1, title=ODD)}, split=ODD))
    said = diffmidi("compare", odd, leave("two", figures={"x": figure(1)}), "--csv", "t.csv", "--html", "t.html")
    assert said.code == 0, said.err
    for text in (said.out, said.err, Path("t.csv").read_text(), Path("t.html").read_text()):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "\\x1b[2J\\x07odd" in said.out


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", " ="])
def test_no_cell_of_a_csv_is_a_formula(diffmidi, leave, begin):
    formula = f"{begin}HYPERLINK(1)"
    leave("one", figures={"x": figure(-2.5), formula: figure(1)}, facts={"device": formula}, data=f"/m/{formula}")
    assert diffmidi("compare", "one", leave("two"), "--csv", "table.csv").code == 0
    with open("table.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert all(cell[:1] not in tuple("=+@\t ") for row in rows for cell in row)
    header, first, _ = rows
    assert float(first[header.index("x")]) == -2.5, "a negative number stays one"
    assert first[header.index("device")].startswith("'")
    assert sum(name.startswith("'") for name in header) == 1


def leave_seeds(leave, name, values, *assignments, **more):
    return [
        leave(f"{name}-{seed}", *assignments, seed=seed, figures={"x": better(value, value - 0.1, value + 0.1)}, **more)
        for seed, value in enumerate(values)
    ]


def test_runs_that_differ_by_their_seed_alone_are_one_column(diffmidi, leave):
    runs = leave_seeds(leave, "low", [1.0, 2.0, 3.0])
    said = diffmidi("compare", *runs, leave("high", "train.lr=0.5", figures={"x": better(9, 8.5, 9.5)}))
    assert said.code == 0, said.err
    assert said.out.splitlines()[0].split() == ["low", "(n=3)", "high"]
    assert cells(said, "x: bits, bits per token (lower is better)") == ["2 ± 1 (n=3) *", "9 [8.5, 9.5]"]
    assert cells(said, "seed ") == ["0, 1, 2", "0"]
    assert cells(said, "parameters") == ["1,000", "1,000"], "what is alike has no spread"
    assert "low (n=3): low-0, low-1, low-2." in said.out
    assert "one standard deviation over n runs" in said.out


def test_the_same_seed_again_an_early_stop_and_another_sampler_are_runs_of_their_own(diffmidi, leave):
    one, two = leave("a-0", seed=0), leave("a-1", seed=1)
    again, stopped, other = leave("b", seed=0), leave("c", seed=2, facts={"iterations": 7}), leave("d", seed=3)
    leave_draw(one, "1", figures={}), leave_draw(two, "1", figures={}, seed=5)
    leave_draw(other, "1", figures={}, temperature=0.5)
    said = diffmidi("compare", one, two, again, stopped, other)
    assert said.code == 0, said.err
    assert said.out.splitlines()[0].split() == ["a", "(n=2)", "b", "c", "d"]


@pytest.mark.parametrize(
    ("one", "two", "marked"),
    [
        (better(1, 0.9, 1.1), better(2, 1.9, 2.1), "one"),
        (better(1, 0.9, 1.1, "higher"), better(2, 1.9, 2.1, "higher"), "two"),
        (better(1, 0.5, 1.95), better(2, 1.9, 2.5), None),
        (better(1, 0.9, 1.1, ""), better(2, 1.9, 2.1, ""), None),
        (figure(1, better="lower"), figure(2, better="lower"), None),
        (figure(1, better="lower", error=0.1), figure(2, better="lower", error=0.1), "one"),
        (better(1, 0.9, 1.1), None, None),
    ],
)
def test_the_best_of_a_row_is_marked_where_its_interval_is_apart_on_the_better_side(diffmidi, leave, one, two, marked):
    said = diffmidi("compare", leave("one", figures={"x": one}), leave("two", "train.lr=0.5", figures={"x": two}))
    transposed = diffmidi("compare", "one", "two", "--figure", "x", "--transpose").out.splitlines()
    assert [line.split()[0] for line in transposed if line.endswith("] *") or line.endswith("0.1 *")] == (
        [marked] if marked else []
    )
    assert ("* is the best" in said.out) == (marked is not None)


def test_nothing_is_the_best_among_what_does_not_compare(diffmidi, leave):
    low, high = {"x": better(1, 0.9, 1.1)}, {"x": better(2, 1.9, 2.1)}
    one = leave("one", figures=low)
    for other in (leave("music", figures=high, found=11), leave("tokens", figures=high, tokens="v")):
        assert "*" not in diffmidi("compare", one, other).out
    assert "*" in diffmidi("compare", one, leave("same", figures=high)).out


def test_two_runs_are_too_few_for_the_interval_of_their_mean(diffmidi, leave):
    runs = leave_seeds(leave, "low", [1.0, 1.1])
    said = diffmidi("compare", *runs, leave("high", "train.lr=0.5", figures={"x": better(9, 8.5, 9.5)}))
    assert cells(said, "x: bits, bits per token (lower is better)") == ["1.05 ± 0.071 (n=2)", "9 [8.5, 9.5]"]


@pytest.mark.parametrize("count", [2, 7])
def test_a_narrow_screen_has_blocks_with_every_figure(diffmidi, leave, monkeypatch, count):
    runs = [
        leave(f"a quite long name {n}", f"train.lr=0.{n}", figures={"bound_bpw": better(n + 0.25, n, n + 0.5)})
        for n in range(1, count + 1)
    ]
    monkeypatch.setenv("COLUMNS", "80")
    said = diffmidi("compare", *runs)
    assert said.code == 0, said.err
    assert max(map(len, said.out.splitlines())) <= 80
    for number in range(1, count + 1):
        assert f"{number}.25 [{number}, {number}.5]" in said.out


def test_markdown_and_latex_are_escaped_and_the_best_is_bold(diffmidi, leave):
    one = leave("a_b & 5%|$x$", figures={"x_y": better(1, 0.9, 1.1)})
    two = leave("two", "train.lr=0.5", figures={"x_y": better(2, 1.9, 2.1)})
    words = ("compare", one, two, "--md", "t.md", "--latex", "t.tex", "--transpose", "--figure", "x_y")
    said = diffmidi(*words)
    assert said.code == 0, said.err
    assert cells(said, "two") == ["2 [1.9, 2.1]"], "a line for each run"
    markdown, latex = Path("t.md").read_text(), Path("t.tex").read_text()
    assert r"| a\_b & 5%\|$x$ | **1 \[0.9, 1.1\]** |" in markdown
    assert r"a\_b \& 5\%\textbar{}\$x\$ & \textbf{1 [0.9, 1.1]} \\" in latex
    assert all(line in latex for line in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lr}"))


def test_a_figure_that_no_run_has_is_one_sentence(diffmidi, leave):
    said = diffmidi("compare", leave("one", figures={"bound_bpw": figure(1)}), "--figure", "bound_bpv")
    assert said.code == 2
    assert "no run has such a figure. Did you mean 'bound_bpw'?" in said.err


def test_a_csv_names_the_group_of_each_run(diffmidi, leave):
    assert diffmidi("compare", *leave_seeds(leave, "low", [1.0, 2.0]), leave("x"), "--csv", "t.csv").code == 0
    with open("t.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["run"], line["group"], line["seed"]) for line in lines] == [
        ("low-0", "low", "0"),
        ("low-1", "low", "1"),
        ("x", "x", "0"),
    ]


def test_the_page_has_a_piece_of_each_group_and_says_where_there_is_none(diffmidi, mine, leave):
    assert diffmidi("compare", mine, leave("two"), "--html", "table.html").code == 0
    html = Path("table.html").read_text()
    page = Page(html)
    assert html.count('class="card"') == 2
    assert page.tags.count("audio") == 1
    assert "Piece 1 of draw 1 of mine" in page.text
    assert "No run of it has drawn anything yet." in page.text
    assert str(Path.cwd()) not in html
