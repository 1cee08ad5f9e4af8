"""Pipeline: a trained model in three lines, and the same music as `diffmidi sample` gives."""

import shutil

import pytest
from accelerate.state import AcceleratorState

from diffmidi_core.api import Pipeline
from diffmidi_core.draw.model import open_model
from diffmidi_core.draw.sample import sample
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.publish.export import export
from diffmidi_core.run.folder import RunFolder
from diffmidi_core.run.session import Surroundings


def drawn(run, name=None):
    """The tokens of a draw of the run."""
    return [piece.tokens for piece in RunFolder(run).draw(name).pieces()]


def tokens(pipeline, count, *, on_step=None, **asked):
    return [pipeline.tokenizer.to_words(ids) for ids in pipeline.draw(pipeline.request(count, **asked), on_step)]


def test_a_run_and_its_export_draw_what_the_stage_drew(trained, tmp_path):
    export(RunFolder.open(trained), tmp_path / "to")
    assert len(drawn(trained)) == 3
    for where in (str(trained), tmp_path / "to"):
        pipeline = Pipeline.from_pretrained(where, device="cpu")
        assert tokens(pipeline, 3, seed=0) == drawn(trained)
        scores = [pipeline.tokenizer.decode(pipeline.tokenizer.to_ids(words)) for words in drawn(trained)]
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
    model = open_model(run, "last")
    request = model.defaults.model_copy(update={"seed": 5, "steps": 4})
    sample(Surroundings(precision=model.precision), model, request, run / "draws", name="other")
    pipeline = Pipeline.from_pretrained(run, checkpoint="last", device="cpu")
    assert tokens(pipeline, 3, seed=5, steps=4) == drawn(run, "other") != drawn(run, "1")


def test_a_checkpoint_can_be_chosen(trained):
    first, last = (Pipeline.from_pretrained(trained, checkpoint=which) for which in (2, "last"))
    assert (first.model.step, last.model.step) == (2, 4)
    assert tokens(first, 2) != tokens(last, 2)


def test_a_run_opens_from_its_checkpoint_alone(run):
    for path in run.iterdir():
        if path.name not in ("checkpoints", "draws"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert tokens(Pipeline.from_pretrained(run), 3) == drawn(run)


def test_steps_are_told_and_music_goes_there_and_back(trained):
    told = []
    pipeline = Pipeline.from_pretrained(trained)
    words = tokens(pipeline, 3, steps=2, on_step=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert pipeline.tokenizer.to_words(pipeline.tokenizer.to_ids(words[0])) == words[0]
    assert [len(each) for each in words] == [32, 32, 32]


@pytest.mark.parametrize("asked", [{"count": 0}, {"steps": 0}, {"seed": -1}, {"steps": 21}])
def test_what_is_out_of_range_is_said(trained, asked):
    with pytest.raises(DiffmidiError, match=r"given: 1, 0|given: 0|-1\)|20 noise levels"):
        Pipeline.from_pretrained(trained).sample(**asked)


def test_what_is_no_folder_and_no_name_is_said():
    with pytest.raises(DiffmidiError, match="there is no folder runs/no/where, and a model on the Hub has a name"):
        Pipeline.from_pretrained("runs/no/where")
