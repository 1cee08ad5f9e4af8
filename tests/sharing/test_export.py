"""A run as a folder for others: what stands in it, what its card says, and what is said of a folder that is no good."""

import json
import os
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from diffmidi_core.config import resolve
from diffmidi_core.draw.model import open_model
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.publish import export as exporting
from diffmidi_core.publish.export import export
from diffmidi_core.saved.folder import RunFolder


@pytest.fixture(scope="module")
def once(trained, tmp_path_factory):
    return export(RunFolder.open(trained), tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture
def exported(once, tmp_path):
    """An exported folder, to do with as one likes."""
    return shutil.copytree(once, tmp_path / "model")


def part(name, package, version, **options):
    return {"name": name, "package": package, "version": version, "options": options}


def test_it_holds_what_the_hub_expects_and_the_averaged_weights(once, trained):
    assert sorted(path.name for path in once.iterdir()) == [
        *("README.md", "config.json", "model.safetensors", "sample.mid", "sample.png", "sample.wav", "vocab.txt"),
    ]
    average = load_file(trained / "checkpoints" / "step-000004" / "ema.safetensors")
    weights = load_file(once / "model.safetensors")
    assert average
    assert all((weights[name] == value).all() for name, value in average.items())
    assert (once / "vocab.txt").read_text().split()[:4] == ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    assert all(path.stat().st_mode & 0o044 for path in once.iterdir()), "others can read it"


def test_it_says_nothing_of_this_machine(once, trained):
    for path in once.glob("*.[mj]*"):
        assert b"my secret" not in path.read_bytes(), path
        assert str(trained.parent).encode() not in path.read_bytes(), path


def test_the_card_says_what_is_known_and_invents_no_licence(once, trained):
    card = ModelCard.load(once / "README.md")
    assert (card.data.library_name, card.data.license) == ("diffmidi", "unknown")
    assert card.data.pipeline_tag == "text-to-audio"
    assert card.data.datasets is None
    assert {"midi", "modern", "mmm", "gaussian"} <= set(card.data.tags)
    figure = json.loads((trained / "figures" / "step-000004.json").read_text())["figures"]["bound_bpw"]
    low, high = figure["interval"]
    assert (
        f"| bits per token, at most (lower is better) | bound_bpw | {figure['value']:.3g} | {low:.3g} to {high:.3g} |"
        in card.text
    )
    for said in ("| pieces | 4 |", "folder, music |", "Pipeline.from_pretrained", "32 tokens", "sample.wav"):
        assert said in card.text
    assert "Licence of this music: unknown" in card.text


def test_the_card_says_the_licence_and_the_name_that_were_given(run, tmp_path):
    card = ModelCard.load(
        export(RunFolder.open(run), tmp_path / "to", license="cc-by-4.0", name="ann/bach") / "README.md"
    )
    assert card.data.license == "cc-by-4.0"
    assert 'from_pretrained("ann/bach")' in card.text
    assert "unknown" not in card.text


@pytest.mark.parametrize(("data", "named"), [("hub:ann/songs", ["ann/songs"]), ("/home/ann/hub:songs", None)])
def test_the_card_names_a_data_set_of_the_hub(run, tmp_path, data, named):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "data": data}))
    card = ModelCard.load(export(RunFolder.open(run), tmp_path / "to") / "README.md")
    assert card.data.datasets == named


def test_figures_and_samples_of_another_checkpoint_are_not_this_ones(run, tmp_path):
    (measured,) = (json.loads(file.read_text())["checkpoint"] for file in (run / "figures").iterdir())
    other = {2: 4, 4: 2}[measured]
    folder = export(RunFolder.open(run), tmp_path / "to", which=other)
    text = ModelCard.load(folder / "README.md").text
    assert "None: this checkpoint was not measured" in text
    assert f"the moving average at iteration {other}" in text
    assert "bound_bpw" not in text
    assert not list(folder.glob("sample*"))


def test_a_run_that_only_trained_is_exported_too(run, tmp_path):
    for path in ("draws", "figures", "data"):
        shutil.rmtree(run / path)
    for path in ("run.json", "metrics.jsonl"):
        (run / path).unlink()
    card = ModelCard.load(export(RunFolder.open(run), tmp_path / "to") / "README.md")
    assert "this checkpoint was not measured" in card.text


def test_the_card_says_what_was_changed_on_the_way_and_what_it_began_from(run, tmp_path):
    folder = RunFolder.open(run)
    (segment,) = folder.segments()
    changed = {"train.iterations": [3, 4], "hooks": [[], ["/home/ann"]]}
    began = {"run": "/home/ann/secret", "step": 7, "iterations": 11, "weights": "0"}
    folder.note(segments=[{**segment, "to": 3}, {**segment, "from": 3, "changed": changed}], began=began)
    text = " ".join(ModelCard.load(export(folder, tmp_path / "to") / "README.md").text.split())
    assert "From iteration 3 on: `train.iterations` 4 instead of 3." in text
    assert "began from the weights of another run, which had been trained for 11 iterations" in text
    assert "ann" not in text


def test_long_sound_stays_at_home(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "MOST_SOUND", 2)
    folder = export(RunFolder.open(run), tmp_path / "to")
    assert not (folder / "sample.wav").exists()
    assert (folder / "sample.png").read_bytes() == b"roll.png"
    assert "sample.wav" not in (folder / "README.md").read_text()


def test_nothing_is_overwritten(run, tmp_path, diffmidi):
    (tmp_path / "to").mkdir()
    assert diffmidi("export", run, "--to", "to")[0] == 0, "an empty folder is no loss"
    (tmp_path / "to" / "README.md").write_text("mine")
    code, said = diffmidi("export", run, "--to", "to")
    assert code == 1
    assert "to is there already: choose another --to" in said
    assert (tmp_path / "to" / "README.md").read_text() == "mine"


def test_a_part_built_from_files_of_this_machine_is_refused():
    config = resolve(None, {"backbone": "bert"}, ("backbone.pretrained=/home/ann/bert",))
    with pytest.raises(DiffmidiError, match=r"cannot be exported: backbone\.pretrained is /home/ann/bert"):
        exporting._check_portable({"tokenizer": config.tokenizer, "backbone": config.backbone})


def test_no_run_and_no_checkpoint_are_said_in_a_sentence(run, diffmidi):
    assert "there is no run in nowhere" in diffmidi("export", "nowhere")[1]
    assert "there is no checkpoint of step 7" in diffmidi("export", run, "--checkpoint", "7")[1]
    assert not (run / "export").exists()


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda at: (at / "config.json").unlink(), "there is no model in"),
        (lambda at: (at / "config.json").write_text("{"), "is not valid JSON.*: export or fetch the model again"),
        (lambda at: (at / "config.json").write_text("[]"), "does not describe a diffmidi model"),
        (lambda at: (at / "config.json").write_text('{"model_type": "bert"}'), "does not describe a diffmidi model"),
        (lambda at: (at / "model.safetensors").unlink(), r"model\.safetensors is missing: .* so export or fetch"),
        (lambda at: (at / "model.safetensors").write_bytes(b"\x80\x04pickled"), r"model\.safetensors is damaged"),
        (lambda at: (at / "vocab.txt").write_text("[PAD]"), r"vocab\.txt is damaged \(it is not as it was written\)"),
        (
            lambda at: (at / "config.json").write_text((at / "config.json").read_text().replace("fp32", "bf16")),
            r"config\.json is damaged",
        ),
    ],
)
def test_a_folder_that_is_no_good_is_said_in_a_sentence(exported, harm, sentence):
    harm(exported)
    with pytest.raises(DiffmidiError, match=sentence):
        open_model(exported)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"length": -3}, r"\(length: input should be greater than or equal to 1\)"),
        ({"step": None}, r"\(step: input should be a valid integer\)"),
        ({"precision": "int8"}, r"\(precision: input should be 'auto'"),
        ({"lengths": {"windows": [3, 2]}}, "windows are rising lengths"),
        ({"lengths": {"windows": []}}, "there are windows"),
        ({"lengths": 3}, r"\(lengths: "),
        ({"files": {"../secret": "0"}}, "is not a file of this folder"),
        ({"files": {}}, r"does not hold model\.safetensors"),
        ({"backbone": "bert"}, r"\(backbone: "),
        ({"sample": {"steps": 0}}, r"\(sample\.steps: "),
        ({"format": 2, "library_version": "9.1"}, "by diffmidi 9.1, which is newer than this one"),
        ({"tokenizer_fingerprint": "0"}, r"another vocabulary than tokenizer 'mmm' has"),
        (
            {"backbone": part("mamba", "x", "3")},
            r"needs backbone 'mamba' of x 3, which is not installed: pip install x==3",
        ),
        ({"schedule": part("sqrt", "other", "3")}, r"needs schedule 'sqrt' of other 3, which is not installed"),
        ({"process": part("gaussian", "diffmidi", "0", z=1)}, r"there is no option process\.z"),
        (
            {"backbone": part("modern", "diffmidi", "0.0.9", size="small")},
            r"in this model: export or fetch the model again; it was made with backbone 'modern' of diffmidi 0\.0",
        ),
    ],
)
def test_a_manifest_that_is_no_good_is_said_in_a_sentence(exported, rewrite, values, sentence):
    rewrite(exported / "config.json", **values)
    with pytest.raises(DiffmidiError, match=sentence):
        open_model(exported)


def test_an_exported_folder_has_no_checkpoints_to_choose_from(exported):
    with pytest.raises(DiffmidiError, match="leave out the checkpoint"):
        open_model(exported, "last")


def test_a_folder_that_holds_anything_is_left_alone(run, tmp_path, diffmidi):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / ".env").write_text("KEY=secret")
    assert diffmidi("export", run, "--to", "to")[0] == 1
    assert [path.name for path in (tmp_path / "to").iterdir()] == [".env"]


def test_a_sample_that_is_a_link_is_not_exported(run, tmp_path):
    (tmp_path / "outside").write_text("secret")
    (midi,) = run.glob("draws/1/001.mid")
    midi.unlink()
    midi.symlink_to(tmp_path / "outside")
    folder = export(RunFolder.open(run), tmp_path / "to")
    assert not (folder / "sample.mid").exists()
    assert (folder / "sample.wav").exists()


def test_a_full_disk_is_one_sentence_and_leaves_nothing(run, tmp_path, diffmidi):
    resource = pytest.importorskip("resource", reason="what a file may have is limited on Unix alone")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # the weights alone are larger
    try:
        code, said = diffmidi("export", run, "--to", "to")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1
    assert "Error: to cannot be written: " in said
    assert "Traceback" not in said
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.txt"])
def test_64_gb_that_take_no_room_on_the_disk_are_refused_unread(exported, name, monkeypatch):
    monkeypatch.setattr("diffmidi_core.saved.manifest.verify", lambda *_: pytest.fail("it was read"))
    os.truncate(exported / name, 64 * 2**30)
    with pytest.raises(
        DiffmidiError, match=rf"{name} (is damaged \(it is|cannot be read: it has 68,719,476,736 bytes)"
    ):
        open_model(exported)


def test_a_card_shows_what_others_named_and_nothing_else(run, tmp_path):
    odd = '<img src="http://x/?y">[click](http://x)|`rm`\x1b[2J'
    (file,) = (run / "figures").iterdir()
    stored = json.loads(file.read_text())
    stored["figures"]["bound_bpw"] |= {"title": odd, "note": odd, "unit": odd}
    stored["figures"][odd] = stored["figures"]["bound_bpw"]
    file.write_text(json.dumps(stored))
    folder = RunFolder.open(run)
    (segment,) = folder.segments()
    folder.note(versions={odd: odd}, segments=[{**segment, "changed": {f"train.{odd}": [odd, odd]}}])
    named = shutil.move(run, tmp_path / "<b>name")
    text = ModelCard.load(export(RunFolder.open(Path(named)), tmp_path / "to", license=odd) / "README.md").text
    assert "<img" not in text
    assert "<b>" not in text
    assert "\x1b" not in text
    assert "[click]" not in text
    assert "&lt;img src=" in text


@pytest.mark.parametrize(
    "package", ["x; rm -rf ~", "--index-url=http://x", "x @ http://x/y.whl", "x\n", "-r x", "\x1b[2J"]
)
def test_no_command_is_made_of_what_is_no_package(exported, rewrite, package):
    rewrite(exported / "config.json", backbone=part("mamba", package, "3"))
    with pytest.raises(DiffmidiError, match=r"needs backbone 'mamba' of .* which is not installed") as caught:
        open_model(exported)
    assert "pip install" not in str(caught.value)


def test_no_command_is_made_of_what_is_no_version(exported, rewrite):
    rewrite(exported / "config.json", backbone=part("mamba", "acme-midi", "3 && rm"))
    with pytest.raises(DiffmidiError, match=r"which is not installed: pip install acme-midi\.$"):
        open_model(exported)


def test_how_the_sampler_draws_is_as_was_said_and_nothing_else_can_be_set(run, tmp_path, diffmidi):
    code, err = diffmidi("export", run, "--to", tmp_path / "calm", "-o", "sampler.prediction=mean")
    assert code == 0, err
    assert open_model(tmp_path / "calm").defaults.sampler.options["prediction"] == "mean"
    code, err = diffmidi("export", run, "--to", tmp_path / "other", "-o", "process.given=1")
    assert (code, (tmp_path / "other").exists()) == (2, False)
    assert "only options of the sampler" in err
