"""What a notebook shows: music that plays, one bar for a draw, and the tutorial from its first cell to its last."""

import re
import wave
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

import diffmidi
from diffmidi_console import console as told
from diffmidi_core.music.notes import Score
from diffmidi_core.music.toy import tune
from diffmidi_core.pieces import Piece, Pieces
from diffmidi_core.show import mp3, notebook

TUTORIAL = Path(__file__).parents[2] / "docs" / "notebooks" / "tutorial.ipynb"


def is_plain(html: str) -> bool:
    """Nothing runs and nothing is fetched."""
    places = re.findall(r'(?:src|href)="([^"]{5})', html)
    return "<script" not in html and "://" not in html and all(place == "data:" for place in places)


def sounds(html: str) -> list[str]:
    return re.findall(r'data:audio/mpeg;base64,[^"]*', html)


@pytest.fixture
def half_a_minute(monkeypatch):
    """What sounds, in place of a synthesiser: the room of an MP3 does not depend on what is heard."""

    def write_wav(score, path):
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48_000)
            file.writeframes(score.dumps_midi()[-200:] * (30 * 2 * 48_000 // 200))

    monkeypatch.setattr(mp3, "write_wav", write_wav)


def test_four_pieces_of_eight_slow_bars_take_600_kb_and_each_sound_once(half_a_minute):
    pieces = Pieces(Piece(tune().shift_pitch(step)) for step in range(4))
    html = pieces._repr_html_()
    assert len(html) <= 600_000
    assert len(set(sounds(html))) == 4 == html.count("<audio") == html.count("<svg")
    assert is_plain(html)
    alone = pieces[0]._repr_html_()
    assert len(sounds(alone)[0]) > len(sounds(html)[0])  # it has the room of all


def test_more_pieces_than_are_shown_are_counted():
    many = Pieces([Piece(tune())] * 10)
    assert isinstance(many[8:], Pieces)
    assert isinstance(many[0], Score)
    html = Pieces([Piece(Score(480))] * 10)._repr_html_()
    assert html.count("<audio") == 8
    assert "2 more: pieces[8:]" in html


def test_a_pipeline_draws_pieces_that_show_play_and_save_themselves(mine):
    pipeline = diffmidi.Pipeline.from_pretrained(mine)
    assert "masked on modern" in repr(pipeline)
    assert "masked on modern" in pipeline._repr_html_()
    pieces = pipeline.sample(2, length="2 bars", steps=3)
    assert isinstance(pieces, list)
    for name, each in zip(("a.mid", "b.mid"), pieces, strict=True):
        each.save(name)
        assert diffmidi.read_midi(name) == each
        assert is_plain(each.roll()._repr_html_())
        assert sounds(each.audio()._repr_html_())
    takes = pipeline.infill("a.mid", bars="1", candidates=2, steps=3)
    assert is_plain(takes._repr_html_())
    assert takes._repr_html_().count("<audio") == 2
    takes[0].save("take.mid")
    assert diffmidi.read_midi("take.mid") == takes[0].score


def test_a_film_ends_with_the_piece_that_the_same_seed_draws(mine):
    pipeline = diffmidi.Pipeline.from_pretrained(mine)
    film = pipeline.film(seed=2, length="1 bars", steps=96)
    assert film.piece == pipeline.sample(1, seed=2, length="1 bars", steps=96)[0]
    film.save("film.png")
    with Image.open("film.png") as picture:
        assert picture.n_frames == film.pictures > 2
        first = picture.convert("RGB").tobytes()
        picture.seek(film.pictures - 1)
        assert picture.convert("RGB").tobytes() != first


class Handle:
    """What IPython gives for an output that changes."""

    def __init__(self) -> None:
        self.states = []

    def update(self, data, raw):
        self.states.append(data["text/plain"])


@pytest.fixture
def displayed(monkeypatch):
    """The outputs of a cell that can change."""
    handles = []

    def display(data, raw, display_id):
        handles.append(Handle())
        handles[-1].update(data, raw)
        return handles[-1]

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(notebook, "_EVERY", 0.0)
    return handles


def test_a_run_has_one_bar_for_all_its_iterations(displayed, monkeypatch, capsys):
    monkeypatch.setattr(told, "in_notebook", lambda: True)
    console = told.Console(None)
    for done in range(1, 296):
        console.scalars(done, {"loss": 2.0, "steps_per_second": 9.0})
        console.progress("iterations", done, 295)
    console.run_finished(Path("run"), {"iterations": 295}, "plan")
    assert len(displayed) == 1
    assert displayed[0].states[-1].startswith("iterations: 295 of 295, 0:00 elapsed")
    assert capsys.readouterr().out == "  295 iterations\n"


def test_a_bar_that_was_not_told_the_last_step_ends_all_the_same(displayed, monkeypatch):
    monkeypatch.setattr(notebook, "in_notebook", lambda: True)
    with notebook.told(None, "bars") as tell:
        tell(1, 4)
    assert displayed[0].states[-1].startswith("bars: 4 of 4")
    told_of = []
    with notebook.told(lambda *step: told_of.append(step), "bars") as tell:
        tell(1, 4)
    assert (told_of, len(displayed)) == ([(1, 4)], 1)


def run_through(model: str, folder: Path, monkeypatch) -> list:
    monkeypatch.setenv("DIFFMIDI_TUTORIAL_MODEL", model)
    tutorial = nbformat.read(TUTORIAL, 4)
    assert not any(cell.get("outputs") for cell in tutorial.cells)
    NotebookClient(tutorial, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in tutorial.cells if cell.cell_type == "code"]


def check(cells: list) -> None:
    for cell in cells:
        kinds = [output.output_type for output in cell.outputs]
        assert kinds.count("display_data") <= 1
        assert kinds.count("stream") <= 1
        html = "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)
        assert is_plain(html)
        assert len(sounds(html)) == len(set(sounds(html)))
        assert len(html) <= 600_000
    assert any("image/png" in output.get("data", {}) for output in cells[-1].outputs)


@pytest.mark.slow
def test_the_tutorial_runs_with_the_starter(tmp_path, monkeypatch):
    pytest.importorskip("diffmidi_starter")
    check(run_through("starter", tmp_path, monkeypatch))
