"""`diffmidi compare` as CSV, Markdown, LaTeX and one HTML page."""

import csv
from pathlib import Path

import pytest

from .left import Page, better, cells, figure, leave_seeds


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


def test_a_csv_names_the_group_of_each_run(diffmidi, leave):
    assert diffmidi("compare", *leave_seeds(leave, "low", [1.0, 2.0]), leave("x"), "--csv", "t.csv").code == 0
    with open("t.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["run"], line["group"], line["seed"]) for line in lines] == [
        ("low-0", "low", "0"),
        ("low-1", "low", "1"),
        ("x", "x", "0"),
    ]


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


def test_the_page_is_whole_by_itself_and_escapes_what_is_not_ours(diffmidi, leave):
    odd = leave("<script>", figures={"bound_bpw": figure(4.5, error=0.25)})
    assert diffmidi("compare", odd, leave("two"), "--html", "table.html").code == 0
    page = Page(Path("table.html").read_text())
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert page.tags.count("script") == 1, "the player alone"
    assert "<script>" in page.text
    assert "4.5 ± 0.25" in page.text
    assert page.tags.count("table") == 3, "figures, training, judged"


def test_the_page_has_a_piece_of_each_group_and_says_where_there_is_none(diffmidi, mine, leave):
    assert diffmidi("compare", mine, leave("two"), "--html", "table.html").code == 0
    html = Path("table.html").read_text()
    page = Page(html)
    assert html.count('class="card"') == 2
    assert page.tags.count("audio") == 1
    assert "Piece 1 of draw 1 of mine" in page.text
    assert "No run of it has drawn anything yet." in page.text
    assert str(Path.cwd()) not in html
