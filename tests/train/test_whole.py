"""A checkpoint is whole, or refused in a sentence that names what is wrong and what to do."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffmidi_core.checksums import digests
from diffmidi_core.draw.model import open_model
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.saved import checkpoint
from diffmidi_core.train.loop import Trainer
from diffmidi_core.train.whole import train

ANOTHER = r".*: .*use another one of the same run \(--checkpoint STEP\)"


@pytest.fixture
def run(trainer):
    made = trainer("run", "train.iterations=4", "train.save_every=2", "train.evaluate_every=4")
    made.run()
    return made


@pytest.fixture
def newest(run):
    return run.session.folder.checkpoints / "step-000004"


def flip(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def refused_by_both(run, sentence):
    """By training that goes on from it, and by everything that opens the model."""
    with pytest.raises(DiffmidiError, match=sentence):
        Trainer(run.session).resume()
    with pytest.raises(DiffmidiError, match=sentence):
        open_model(run.session.folder.path, "last")


@pytest.mark.parametrize("name", ["model.safetensors", "ema.safetensors", "optimizer.safetensors"])
def test_one_wrong_byte_is_refused(run, newest, name):
    flip(newest / name)
    refused_by_both(run, f"{name} is damaged.*not as it was written{ANOTHER}")
    assert open_model(run.session.folder.path, 2).step == 2


@pytest.mark.parametrize("name", ["model.safetensors", "ema.safetensors", "optimizer.safetensors"])
def test_a_missing_file_is_refused(run, newest, name):
    (newest / name).unlink()
    refused_by_both(run, f"{name} is missing{ANOTHER}")


def test_a_missing_manifest_is_not_an_older_checkpoint(run, newest):
    (newest / "manifest.json").unlink()
    refused_by_both(run, f"there is no .*manifest.json{ANOTHER}")


def test_a_manifest_that_was_changed_is_refused(run, newest):
    file = newest / "manifest.json"
    file.write_text(file.read_text().replace('"step": 4', '"step": 5'))
    refused_by_both(run, f"manifest.json is damaged{ANOTHER}")


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "null", "{}", "{", '{"step": "four"}', '{"files": [1]}'])
def test_a_manifest_of_the_wrong_shape_is_one_sentence(run, newest, text):
    (newest / "manifest.json").write_text(text)
    refused_by_both(run, f"manifest.json {ANOTHER}")


def rewritten(newest, rewrite, file, change):
    """Change the tensors of a file, so that its checksum still fits."""
    tensors = load_file(newest / file)
    change(tensors)
    save_file(tensors, newest / file)
    (newest / "manifest.json").rename(newest.parent / "kept")
    files = digests(newest)
    (newest.parent / "kept").rename(newest / "manifest.json")
    rewrite(newest / "manifest.json", files=files)


LACKING = [
    ("model.safetensors", "tokens.embedding", open_model),
    ("ema.safetensors", "tokens.embedding", open_model),
    ("model.safetensors", "tokens.embedding", None),
    ("ema.safetensors", "tokens.embedding", None),
    ("optimizer.safetensors", "tokens.embedding/exp_avg", None),
    ("optimizer.safetensors", "tokens.embedding/exp_avg_sq", None),
    ("optimizer.safetensors", "tokens.embedding/step", None),
]


@pytest.mark.parametrize(("file", "name", "opened"), LACKING)
def test_a_lacking_tensor_is_named(run, newest, rewrite, file, name, opened):
    rewritten(newest, rewrite, file, lambda tensors: tensors.pop(name))
    with pytest.raises(DiffmidiError, match=f"{file} does not hold {name}, which this model has{ANOTHER}"):
        open_model(run.session.folder.path, "last") if opened else Trainer(run.session).resume()


@pytest.mark.parametrize(
    ("file", "name"), [("ema.safetensors", "tokens.embedding"), ("optimizer.safetensors", "tokens.embedding/step")]
)
def test_a_tensor_of_another_shape_is_named(run, newest, rewrite, file, name):
    rewritten(newest, rewrite, file, lambda tensors: tensors.update({name: torch.zeros(3, 2)}))
    with pytest.raises(DiffmidiError, match=rf"{name} is \[3, 2\] in .*{file}, and \[.*\] in this model{ANOTHER}"):
        Trainer(run.session).resume()


def test_a_tensor_too_many_is_named(run, newest, rewrite):
    rewritten(newest, rewrite, "ema.safetensors", lambda tensors: tensors.update(more=torch.ones(1)))
    refused_by_both(run, f"ema.safetensors holds more, which this model does not have{ANOTHER}")


@pytest.mark.parametrize("file", ["model.safetensors", "ema.safetensors"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_weight_that_is_no_number_is_refused(run, newest, rewrite, file, value):
    def harm(tensors):
        for tensor in tensors.values():
            tensor.view(-1)[-1] = value

    rewritten(newest, rewrite, file, harm)
    with pytest.raises(DiffmidiError, match=rf"is not finite in .*{ANOTHER}"):
        Trainer(run.session).resume()
    if file == "ema.safetensors":
        with pytest.raises(DiffmidiError, match=rf"is not finite in .*{ANOTHER}"):
            open_model(run.session.folder.path, "last")


def test_other_data_are_not_trained_on_in_silence(run, trainer):
    """The same pieces, and another split of them."""
    other, data = trainer("other", "prepare.heldout=0.5"), run.session.folder.data
    shutil.rmtree(data)
    shutil.copytree(other.session.folder.data, data)
    with pytest.raises(DiffmidiError, match=r"are not those that its checkpoint of iteration 4 was trained on"):
        Trainer(run.session).resume()
    shutil.rmtree(run.session.folder.checkpoints)
    with pytest.raises(DiffmidiError, match=r"data \(fingerprint \w+\) is not what was prepared for this run"):
        train(run.session)


def test_data_with_a_wrong_byte_or_without_a_file_are_not_trained_on(run):
    data = run.session.folder.data
    flip(data / "tokens.arrow")
    with pytest.raises(DiffmidiError, match=r"tokens\.arrow is damaged.*: prepare the music again, for a new run"):
        Trainer(run.session)
    (data / "tokens.arrow").unlink()
    with pytest.raises(DiffmidiError, match=r"tokens\.arrow is missing"):
        Trainer(run.session)


def test_what_cannot_be_read_is_left_alone_by_pruning(run, newest):
    older = newest.parent / "step-000002"
    (older / "manifest.json").write_text("{")
    checkpoint.prune(newest.parent, 1)
    assert checkpoint.steps(newest.parent) == [2, 4]


def test_a_dataset_of_the_wrong_shape_is_one_sentence(run):
    file = run.session.folder.data / "data.json"
    said = json.loads(file.read_text())
    for text in ("[]", "3", json.dumps({**said, "notes": "many"})):
        file.write_text(text)
        with pytest.raises(DiffmidiError, match=r"data\.json is not of prepared music"):
            Trainer(run.session)
    file.write_text(json.dumps({**said, "files": {}}))
    with pytest.raises(DiffmidiError, match=r"data\.json has no checksums"):
        Trainer(run.session)
