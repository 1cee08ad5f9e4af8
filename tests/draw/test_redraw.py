"""redraw: some of what a piece's tokens tell is drawn anew, and everything else stays."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diffmidi import Pipeline, read_midi
from diffmidi.api import DiffmidiError, UsageError
from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.config import resolve
from diffmidi_core.draw import model as models
from diffmidi_core.draw.pieces import Computing
from diffmidi_core.draw.redraw import redraw
from diffmidi_core.machine.build import build_process, build_tokenizer
from diffmidi_core.machine.precision import autocast
from diffmidi_core.request import Request

LENGTH = 32
PROCESSES = {
    "masked": ("sampler.order_noise=1",),
    "gaussian": ("process.steps=20", "sample.steps=6"),
    "autoregressive": (),
}


@dataclass
class Model:
    """What drawing takes of a model."""

    process: object
    defaults: Request
    parts: dict
    length: int = LENGTH
    path: str = "model"
    manifest: object = field(default_factory=lambda: SimpleNamespace(labels=()))

    request = models.Model.request

    @property
    def tokenizer(self):
        return self.process.tokenizer


def make_model(process="masked", *assignments, **flags):
    layout = () if "tokenizer" in flags else ("tokenizer.layout=aligned",)
    given = (*layout, "backbone.size=tiny", *PROCESSES[process], *assignments)
    config = resolve(None, {"process": process, "length": LENGTH, **flags}, given)
    request = Request(**config.sample.model_dump(), sampler=config.sampler)
    built = build_process(config, build_tokenizer(config)).eval()
    return Model(built, request, {"process": config.process})


@pytest.fixture(scope="module", params=PROCESSES)
def model(request):
    return make_model(request.param)


@pytest.fixture(scope="module")
def music():
    random = np.random.default_rng(0)
    onset = random.integers(0, 300, 60).cumsum()
    return score_of(Notes(onset, random.integers(60, 900, 60), random.integers(30, 100, 60), np.full(60, 80)))


def anew(model, music, free=("velocity",), *, seed=0, on_step=None):
    ids = model.tokenizer.encode(music)
    request = model.defaults.model_copy(update={"seed": seed})
    computing = Computing(lambda: autocast("fp32", torch.device("cpu")), on_step=on_step)
    return ids, redraw(model, ids, free, request, computing)


def test_only_velocities_change_and_all_of_a_long_piece_are_drawn(model, music):
    tokenizer = model.tokenizer
    ids, new = anew(model, music)
    assert len(ids) > 3 * LENGTH, "several windows"
    is_velocity = tokenizer.grammar.type_of[ids] == tokenizer.grammar.types.index("velocity")
    assert np.array_equal(ids[~is_velocity], new[~is_velocity])
    assert tokenizer.faults(new) == 0
    one, two = (notes_of(tokenizer.decode(each)) for each in (ids, new))
    for column in ("onset", "duration", "pitch"):
        assert np.array_equal(getattr(one, column), getattr(two, column))
    quarters = np.array_split(one.velocity != two.velocity, 4)
    assert all(changed.any() for changed in quarters), "an untrained model draws any velocity, everywhere"


def test_it_follows_from_the_seed(model, music):
    again = [anew(model, music, seed=seed)[1] for seed in (3, 3, 4)]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_several_roles_are_drawn_together_and_types_stay(music):
    model = make_model()
    ids, new = anew(model, music, ("pitch", "duration"))
    grammar = model.tokenizer.grammar
    assert np.array_equal(grammar.type_of[ids], grammar.type_of[new])
    changed = {grammar.types[kind] for kind in grammar.type_of[ids[ids != new]]}
    assert changed == {"pitch", "duration"}


def test_later_windows_are_given_what_was_drawn_before(music):
    model = make_model()
    process, kinds = model.process, model.tokenizer.grammar
    velocities = kinds.type_of == kinds.types.index("velocity")
    real, given = process.denoise, []
    process.denoise = lambda z, *more: given.append(int(velocities[z.numpy()].sum())) or real(z, *more)
    anew(model, music)
    steps = model.defaults.steps
    assert given[0] == 0
    assert given[steps] > 0, "the second window begins with some of the first"


def test_steps_are_told(music):
    told = []
    model = make_model()
    anew(model, music, on_step=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, told[-1][1] + 1))


def test_what_the_tokens_do_not_tell_by_itself_is_refused(music):
    with pytest.raises(UsageError, match=r"no tokens that tell 'tempo'.*pitch, velocity, duration, time"):
        anew(make_model(), music, ("tempo",))
    silent = make_model("masked", "tokenizer.use_velocities=false", tokenizer="remi")
    with pytest.raises(UsageError, match="no tokens that tell 'velocity'"):
        anew(silent, music)
    with pytest.raises(UsageError, match="name a role"):
        anew(make_model(), music, ())


def test_a_note_longer_than_a_window_is_refused(music):
    model = make_model()
    model.length = 3
    with pytest.raises(DiffmidiError, match="larger --length"):
        anew(model, music)


def test_a_pipeline_gives_a_score_with_the_piece_s_own_time(music):
    pipeline = Pipeline(make_model(), device="cpu")
    pipeline.__dict__["_precision"] = "fp32"
    new = pipeline.redraw(music)
    encoded = pipeline.tokenizer.encode_piece(music)
    one, two = (notes_of(each) for each in (pipeline.tokenizer.decode(encoded.ids, encoded.timeline), new))
    assert np.array_equal(one.onset, two.onset)
    assert not np.array_equal(one.velocity, two.velocity)
    with pytest.raises(DiffmidiError, match="nothing that this model has tokens for"):
        pipeline.redraw(score_of(notes_of(music)[:0]))


@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_songs_of_lieder_keep_their_notes(count):
    if not (data := os.environ.get("DIFFMIDI_TEST_DATA")):
        pytest.skip("set DIFFMIDI_TEST_DATA to a folder that holds lieder/")
    songs = sorted(Path(data).glob("lieder/**/*.mid"))[:count]
    assert songs
    for song in songs:
        model = make_model()
        ids, new = anew(model, read_midi(song))
        one, two = (notes_of(model.tokenizer.decode(each)) for each in (ids, new))
        assert np.array_equal(one.pitch, two.pitch)
        assert np.array_equal(one.onset, two.onset)
        assert (one.velocity != two.velocity).mean() > 0.5
