"""Pipeline: a trained model in three lines, and the same music as `diffmidi sample` gives."""

import shutil

import pytest
from accelerate.state import AcceleratorState

from diffmidi import Pipeline
from diffmidi_core.draw.sample import sample
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.machine.session import Surroundings
from diffmidi_core.publish.export import export
from diffmidi_core.saved.folder import RunFolder


def drawn(run):
    """The tokens of the newest draw that the stage `sample` made."""
    return [piece.tokens for piece in RunFolder.open(run).draw().pieces()]


def tokens(pipeline, count, on_step=None, **asked):
    """Those that a pipeline draws itself."""
    return [pipeline.tokenizer.to_tokens(ids) for ids in pipeline.draw(pipeline.request(count, **asked), on_step)]


def test_a_run_and_its_export_draw_what_the_stage_drew(trained, tmp_path):
    export(RunFolder.open(trained), tmp_path / "to")
    assert len(drawn(trained)) == 3
    for where in (str(trained), tmp_path / "to"):
        pipeline = Pipeline.from_pretrained(where, device="cpu")
        assert tokens(pipeline, 3, seed=0) == drawn(trained)
        scores = [pipeline.tokenizer.decode(pipeline.tokenizer.to_ids(each)) for each in drawn(trained)]
        assert [score.dumps_midi() for score in pipeline.sample(3)] == [score.dumps_midi() for score in scores]
        assert tokens(pipeline, 3, seed=1) != drawn(trained)


@pytest.fixture
def anew():
    """Accelerate settles on one precision for a process: let it forget that, before and after."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_in_bf16_too_and_with_other_steps(run, anew, rewrite):
    rewrite(run / "checkpoints" / "step-000004" / "manifest.json", precision="bf16")
    pipeline = Pipeline.from_pretrained(run, device="cpu")
    asked = pipeline.request(3, seed=5, steps=4)
    sample(Surroundings(precision="bf16"), pipeline.model, asked, run / "draws")
    assert [pipeline.tokenizer.to_tokens(ids) for ids in pipeline.draw(asked)] == drawn(run)


def test_a_checkpoint_can_be_chosen(trained):
    first, last = (Pipeline.from_pretrained(trained, checkpoint=which) for which in (2, "last"))
    assert (first.model.step, last.model.step) == (2, 4)
    assert tokens(first, 2) != tokens(last, 2)


def test_a_run_opens_from_its_checkpoint_alone(run, trained):
    for path in ("data", "draws", "figures", "run.json", "metrics.jsonl", "config.json"):
        shutil.rmtree(run / path) if (run / path).is_dir() else (run / path).unlink()
    assert tokens(Pipeline.from_pretrained(run), 3) == drawn(trained)


def test_steps_are_told_and_music_goes_there_and_back(trained):
    told = []
    pipeline = Pipeline.from_pretrained(trained)
    drew = tokens(pipeline, 3, lambda done, total: told.append((done, total)), steps=2)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert pipeline.tokenizer.to_tokens(pipeline.tokenizer.to_ids(drew[0])) == drew[0]
    assert [len(each) for each in drew] == [32, 32, 32]


@pytest.mark.parametrize("asked", [{"count": 0}, {"steps": 0}, {"seed": -1}, {"steps": 21}])
def test_what_is_out_of_range_is_said(trained, asked):
    with pytest.raises(DiffmidiError, match=r"given: 1, 0|given: 0|-1\)|20 noise levels"):
        Pipeline.from_pretrained(trained).sample(**asked)


def test_what_is_no_folder_and_no_name_is_said():
    with pytest.raises(DiffmidiError, match="there is no folder runs/no/where, and a model on the Hub has a name"):
        Pipeline.from_pretrained("runs/no/where")
