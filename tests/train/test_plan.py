"""--minutes: the run of so many minutes is the run of the iterations that were planned for them, to the last bit."""

import json

import pytest

from diffmidi_core.config import resolve
from diffmidi_core.errors import UsageError
from diffmidi_core.machine.session import Session
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.train import plan
from diffmidi_core.train.loop import Trainer
from diffmidi_core.train.plan import Plan, _fitted
from diffmidi_core.train.whole import train

FEW = ("train.save_every=2", "train.evaluate_every=4", "train.log_every=4", "train.warmup=2", "backbone.dropout=0.1")


@pytest.fixture
def fits(monkeypatch):
    """As many iterations as are told fit into any minutes; the measuring itself is done."""

    monkeypatch.setattr(plan, "SECONDS", 0.0)

    def fit(iterations):
        monkeypatch.setattr(plan, "_fitted", lambda minutes, *_, **__: Plan(minutes, iterations, 0.5, 2.0))

    return fit


def going_on(session, **flags):
    config, changed = session.folder.changed({f"train.{name}": value for name, value in flags.items()})
    again = Session(session.folder, config, changed)
    again.hooks = type(session.hooks)()
    return again


def segments(session):
    return json.loads(session.folder.facts_file.read_text())["segments"]


def weights(session, step):
    return Manifest.read(session.folder.checkpoints / f"step-{step:06d}" / "manifest.json").weights


def curve(session):
    return [
        {name: line[name] for name in line.keys() - {"steps_per_second", "wait_share"}}
        for line in session.folder.read_log()
    ]


def test_it_is_the_run_of_as_many_iterations(trainer, fits):
    fits(6)
    timed = trainer("timed", *FEW, "train.minutes=3").session
    train(timed)
    counted = trainer("counted", *FEW, "train.iterations=6").session
    train(counted)
    assert weights(timed, 6) == weights(counted, 6)
    assert curve(timed) == curve(counted)
    (segment,) = segments(timed)
    assert segment["plan"] == {"minutes": 3.0, "iterations": 6, "seconds_an_iteration": 0.5, "seconds_a_pass": 2.0}
    assert segment["changed"] == {"train.iterations": [300, 6]}
    assert json.loads(timed.folder.config_file.read_text())["train"]["minutes"] == 3
    assert timed.folder.config().train.iterations == 6
    assert "plan" not in segments(counted)[0]


def test_a_resume_takes_the_plan_that_there_is(trainer, fits, monkeypatch):
    fits(6)
    session = trainer("run", *FEW, "train.minutes=3").session
    update = Trainer._update

    def dies(self):
        if self.session.plan is not None and self.step == at:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(Trainer, "_update", dies)
    at = 1  # before there is a checkpoint
    with pytest.raises(KeyboardInterrupt):
        train(session)
    assert not session.folder.checkpoints.exists()
    fits(50)
    for at in (3, None):
        again = going_on(session)
        again.plan = {} if at else None  # what lets this one die
        try:
            train(again, resume=True)
        except KeyboardInterrupt:
            assert at == 3
        assert again.config.train.iterations == 6
    whole = trainer("whole", *FEW, "train.iterations=6").session
    train(whole)
    assert weights(session, 6) == weights(whole, 6)


def test_more_iterations_may_follow(trainer, fits):
    fits(4)
    session = trainer("run", *FEW, "train.minutes=3", "train.anneal=false").session
    train(session)
    more = going_on(session, iterations=6)
    assert more.config.train.minutes is None
    train(more, resume=True)
    assert [(each["from"], each["to"]) for each in segments(session)] == [(0, 4), (4, 6)]
    with pytest.raises(UsageError, match=r"was trained with train\.minutes none, and what trained a run does not"):
        going_on(session, minutes=9)


@pytest.mark.parametrize("assignments", [("train.minutes=5",), ()])
def test_minutes_and_iterations_are_not_both_given(assignments):
    flags = {"train.iterations": 5} | ({} if assignments else {"train.minutes": 5.0})
    with pytest.raises(
        UsageError, match=r"^--iterations and --minutes both say how long to train: give one of them\.$"
    ):
        resolve(None, flags, assignments)


def test_iterations_undo_the_minutes_of_a_file():
    saved = resolve(None, {"train.minutes": 5.0}).model_dump(mode="json")
    assert resolve(saved).train.minutes == 5
    assert resolve(saved, {"train.iterations": 7}).train.minutes is None


@pytest.mark.parametrize("value", [0, -1, "nan", "inf"])
def test_minutes_are_a_stretch_of_time(value):
    with pytest.raises(UsageError, match=r"train\.minutes"):
        resolve(None, {"train.minutes": float(value)})


def test_a_decay_may_be_longer_than_the_default_iterations():
    assert resolve(None, {"train.minutes": 60.0}, ("train.decay=1000",)).train.decay == 1000


@pytest.mark.parametrize(
    ("left", "drawing", "iterations"),
    [
        (100, False, 81),  # 2 for the pass before the first; then 1 each, and 2 more for every tenth
        (100, True, 77),  # a twentieth of the time goes into drawing
        (1, True, 1),
    ],
)
def test_iterations_and_validation_passes_fit_into_the_time(left, drawing, iterations):
    assert _fitted(1.0, left, 1.0, 2.0, 10, drawing=drawing) == Plan(1.0, iterations, 1.0, 2.0)


def test_the_speed_is_measured_by_iterations_that_are_thrown_away(trainer, monkeypatch):
    """The clock says that an iteration takes a second, whatever it takes."""
    session = trainer("run", *FEW, "train.minutes=1").session
    now = [0.0]
    tried = Trainer.try_out

    def try_out(self):
        tried(self)
        now[0] += 30.0 if self.step <= plan.WARM else 1.0

    monkeypatch.setattr(Trainer, "try_out", try_out)
    monkeypatch.setattr(plan.time, "monotonic", lambda: now[0])
    settled = []

    def fitted(minutes, left, an_iteration, a_pass, every, *, drawing):
        settled.append((left, an_iteration))
        return Plan(minutes, 4, an_iteration, a_pass)

    monkeypatch.setattr(plan, "_fitted", fitted)
    train(session)
    assert settled == [(60.0 - 91.0, 1.0)]
