"""Music that training lets us hear: it is there, it is bounded, and it changes nothing."""

import json

import pytest

from diffmidi_core.config import resolve
from diffmidi_core.draw.model import open_model
from diffmidi_core.draw.sample import sample
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.hooks import Hooks
from diffmidi_core.machine.session import Session
from diffmidi_core.run.stages import prepare_data
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.train import listening
from diffmidi_core.train.listening import Listening, superfluous
from diffmidi_core.train.whole import train

DRAW = ("train.iterations=6", "train.evaluate_every=2", "train.save_every=6", "train.log_every=6", "train.draw=2")
FAST = ("sample.steps=5",)


@pytest.fixture(autouse=True)
def at_each_pass(monkeypatch):
    """However long a draw takes, the next one may come."""
    monkeypatch.setattr(listening, "DRAWING", float("inf"))


def curve(session):
    lines = session.folder.read_log()
    return [{name: line[name] for name in line.keys() - {"steps_per_second", "wait_share"}} for line in lines]


def draws(session):
    return sorted(path.name for path in session.folder.draws.glob("*"))


def test_two_pieces_are_drawn_at_each_validation_pass_and_training_is_the_same(trainer, ears):
    heard = trainer("heard", *DRAW, *FAST, "backbone.dropout=0.1", listeners=[("ears", ears)]).session
    train(heard)
    assert draws(heard) == ["step-2", "step-4", "step-6"]
    for name in draws(heard):
        draw = DrawFolder(heard.folder.draws / name)
        assert [piece.number for piece in draw.pieces()] == [1, 2]
        assert len(draw.files(draw.pieces(), ".mid")) == 2
        assert draw.request().model.step == int(name.removeprefix("step-"))
    assert not ears.warnings
    with pytest.raises(DiffmidiError, match="nothing has been drawn yet"):
        heard.folder.draw()
    silent = trainer("silent", *DRAW, *FAST, "backbone.dropout=0.1", "train.draw=0").session
    train(silent)
    assert draws(silent) == []
    read = [Manifest.read(each.folder.checkpoints / "step-000006/manifest.json") for each in (heard, silent)]
    assert read[0].weights == read[1].weights
    assert curve(heard) == curve(silent)


def test_the_last_draw_is_what_the_program_draws_from_the_last_checkpoint(trainer):
    session = trainer("run", *DRAW, *FAST).session
    train(session)
    own = DrawFolder(session.folder.draws / "step-6")
    request = own.request().request
    again = sample(session, open_model(session.folder.path, 6), request, session.folder.draws)
    assert [piece.tokens for piece in again.pieces()] == [piece.tokens for piece in own.pieces()]


def test_what_renders_gets_each_draw_and_may_fail(trainer, ears):
    given = []

    def aloud(draw):
        given.append(draw.path.name)
        if len(given) == 2:
            raise RuntimeError("no ears")
        (draw.path / "001.wav").write_bytes(b"RIFF")
        return [draw.path / "001.wav"]

    session = trainer("run", *DRAW, *FAST, listeners=[("ears", ears)]).session
    train(session, aloud=aloud)
    assert given == ["step-2", "step-4"]
    assert ears.warnings == ["what training draws is left as MIDI (RuntimeError: no ears)"]
    assert draws(session) == ["step-2", "step-4", "step-6"]


def test_a_sampler_that_fails_ends_the_drawing_and_not_the_training(trainer, ears, monkeypatch):
    monkeypatch.setattr(listening, "draw_into", lambda *_: (_ for _ in ()).throw(RuntimeError("broken")))
    session = trainer("run", *DRAW, *FAST, listeners=[("ears", ears)]).session
    train(session)
    assert ears.warnings == ["training draws no music any more (RuntimeError: broken)"]
    assert (session.folder.checkpoints / "step-000006").is_dir()
    assert draws(session) == []


def test_drawing_that_takes_too_long_is_given_up(trainer, ears, monkeypatch):
    monkeypatch.setattr(listening, "LONGEST", -1.0)
    session = trainer("run", *DRAW, *FAST, listeners=[("ears", ears)]).session
    train(session)
    (warning,) = ears.warnings
    assert "it takes more than" in warning
    assert draws(session) == []


class Clock:
    """Seconds go by only as they are told."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(listening.time, "monotonic", lambda: self.now)


@pytest.mark.parametrize(
    ("seconds", "every", "first"),
    [
        (0.1, 100, None),  # the pass at 100 comes after 10 s
        (1.0, 100, 32),  # 32 s, and the next power of two comes after 64
        (5.0, 100, 8),
        (90.0, 100, 1),
        (1.0, 50, None),
    ],
)
def test_there_is_something_to_hear_within_the_first_minute_or_two(trainer, monkeypatch, seconds, every, first):
    clock = Clock(monkeypatch)
    session = trainer("run", *DRAW, *FAST, f"train.evaluate_every={every}").session
    heard = Listening(session, None)
    early = []
    for step in range(1, every):
        clock.now = step * seconds
        if heard.is_early(step):
            early.append(step)
            heard._heard = True  # as drawing has it
    assert early == ([] if first is None else [first])


def test_a_draw_comes_only_where_it_takes_a_small_share_of_the_time(trainer, monkeypatch):
    monkeypatch.setattr(listening, "DRAWING", 0.05)
    clock = Clock(monkeypatch)
    session = trainer("run", *DRAW, *FAST).session
    heard = Listening(session, None)
    drawn = []

    def draw(process, manifest, begun):
        drawn.append(clock.now)
        clock.now += 2.0

    monkeypatch.setattr(heard, "_draw", draw)
    for at in (10.0, 30.0, 51.0, 52.5, 80.0, 95.0):
        clock.now = max(clock.now, at)
        heard.draw(None, None)
    assert drawn == [10.0, 52.5, 95.0], "2 s of drawing want 40 s without"


def test_old_draws_are_thinned_out_but_not_judged_ones(trainer):
    session = trainer("run", *DRAW, *FAST).session
    for step in range(100, 3100, 100):
        folder = session.folder.draws / f"step-{step}"
        folder.mkdir(parents=True)
        (folder / "request.json").write_text("{}")
    (session.folder.draws / "step-900" / "figures.json").write_text("{}")
    Listening(session, None)._thin()
    kept = sorted(int(name.removeprefix("step-")) for name in draws(session))
    assert kept == [100, 200, 300, 600, 900, 1100, 2100, *range(2300, 3100, 100)]
    assert superfluous([1, 2, 3]) == []


def test_a_run_that_was_heard_needs_no_early_draw_when_it_is_resumed(trainer, monkeypatch):
    session = trainer("run", *DRAW, *FAST).session
    (session.folder.draws / "step-2").mkdir(parents=True)
    clock = Clock(monkeypatch)
    heard = Listening(session, None)
    clock.now = 90.0
    assert not heard.is_early(1)


@pytest.mark.parametrize(
    ("process", "options"), [("gaussian", ("process.steps=20", *FAST)), ("masked", FAST), ("autoregressive", ())]
)
def test_every_process_trains_on_after_it_was_heard(music, tmp_path, process, options):
    flags = {"data": str(music), "process": process, "length": 16, "precision": "fp32", "train.batch_size": 2}
    config = resolve(
        None,
        {**flags, "no_hook": ["all"]},
        ("tokenizer.layout=aligned", "backbone.size=tiny", "train.warmup=0", *DRAW, *options),
    )
    session = Session(RunFolder.new(tmp_path / "run", config), config)
    session.hooks = Hooks()
    prepare_data(session)
    train(session)
    assert draws(session) == ["step-2", "step-4", "step-6"]
    assert json.loads((session.folder.checkpoints / "step-000006/manifest.json").read_text())["step"] == 6
    assert session.hooks.warnings == [each for each in session.hooks.warnings if "draws no music" not in each]
