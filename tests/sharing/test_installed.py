"""Models that packages bring: taken by name wherever a run is, never imported, and a folder goes before a name."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from diffmidi import Pipeline
from diffmidi_core.errors import BrokenPluginError, DiffmidiError, UsageError
from diffmidi_core.publish.export import export
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.saved.installed import installed_models, model_at

GROUP = "diffmidi.models"


@pytest.fixture
def site(install, trained) -> Path:
    """Where "songs" of acme-songs is installed, whose package may not be imported."""
    site = install("acme-songs", {GROUP: {"songs": "acme_songs"}})
    metadata = site / "acme_songs-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Summary: songs of nobody\nLicense-Expression: MIT\n")
    package = site / "acme_songs"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    export(RunFolder.open(trained), package / "model", half=True)
    return site


def test_it_is_found_by_its_name_with_and_without_its_package(site):
    assert model_at("songs") == model_at("acme-songs:songs") == site / "acme_songs" / "model"
    assert "acme_songs" not in sys.modules


def test_it_is_listed_with_all_there_is_to_know(site, diffmidi):
    (songs,) = (model for model in installed_models() if model.package == "acme-songs")
    assert (songs.name, songs.version, songs.summary, songs.license) == ("songs", "1.0", "songs of nobody", "MIT")
    assert songs.problem is None
    assert songs.size == sum(path.stat().st_size for path in (site / "acme_songs" / "model").iterdir())
    code, said = diffmidi("models", "--json")
    assert code == 0
    assert "songs" in {model["name"] for model in json.loads(said)}
    assert "acme-songs" in diffmidi("models")[1]


def test_one_that_does_not_open_is_listed_with_the_reason(site, diffmidi):
    (site / "acme_songs" / "model" / "vocab.txt").unlink()
    said = " ".join(diffmidi("models")[1].split())
    assert "vocab.txt is missing" in said
    shutil.rmtree(site / "acme_songs" / "model")
    said = " ".join(diffmidi("models")[1].split())
    assert "model 'songs' of acme-songs 1.0 is broken: its package has no folder" in said
    with pytest.raises(BrokenPluginError, match="has no folder"):
        model_at("songs")


def test_plugins_lists_and_shows_it(site, diffmidi):
    rows = json.loads(diffmidi("plugins", "--json")[1])
    (row,) = (row for row in rows if row["name"] == "acme-songs:songs")
    assert (row["kind"], row["state"], row["summary"]) == ("model", "declared", "songs of nobody")
    code, said = diffmidi("plugins", "show", "model", "songs")
    assert code == 0
    assert "songs of nobody" in said
    assert "acme_songs" in said.replace("\n", "")


def test_a_draw_of_it_lies_where_one_is_and_goes_on_by_name(site, diffmidi, tmp_path):
    code, said = diffmidi("sample", "songs", "--samples", 1, "--no-renderer", "all")
    assert code == 0, said
    draw = DrawFolder(tmp_path / "draws" / "1")
    assert len(draw.pieces()) == 1
    whole = draw.record_file.read_text()
    draw.record_file.write_text("")
    assert diffmidi("sample", "songs", "--resume", "--no-renderer", "all")[0] == 0
    assert draw.record_file.read_text() == whole
    assert "acme_songs" not in sys.modules


def test_its_labels_are_listed_by_its_name(site, diffmidi):
    code, said = diffmidi("labels", "songs")
    assert code == 0, said
    assert "songs was trained without labels" in " ".join(said.split())


def test_a_pipeline_opens_it_and_draws_what_its_folder_draws(site):
    named, folder = Pipeline.from_pretrained("songs"), Pipeline.from_pretrained(site / "acme_songs" / "model")
    request = named.request(1, seed=3)
    assert [ids.tolist() for ids in named.draw(request)] == [ids.tolist() for ids in folder.draw(request)]


def test_a_folder_goes_before_a_name(site, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "songs").symlink_to(trained)
    assert model_at("songs") == Path("songs")
    assert Pipeline.from_pretrained("songs").model.fingerprint == Pipeline.from_pretrained(trained).model.fingerprint


@pytest.mark.parametrize("asked", ["snogs", "acme-songs:snogs"])
def test_an_unknown_name_is_answered_with_the_nearest(site, asked, diffmidi):
    with pytest.raises(UsageError, match=rf"no folder {asked}, and no model '{asked}' is installed\. Did you mean '"):
        model_at(asked)
    code, said = diffmidi("sample", asked)
    assert code == 2
    assert "A run, or a folder that was exported, is named by its path." in said
    with pytest.raises(UsageError, match="is installed"):
        Pipeline.from_pretrained(asked)


def test_two_of_one_name_are_told_apart(site, install):
    other = install("other-songs", {GROUP: {"songs": "other_songs"}})
    shutil.copytree(site / "acme_songs", other / "other_songs")
    with pytest.raises(UsageError, match="Choose one: acme-songs:songs or other-songs:songs"):
        model_at("songs")
    assert model_at("other-songs:songs") == other / "other_songs" / "model"
    assert {"acme-songs:songs", "other-songs:songs"} <= {model.name for model in installed_models()}


@pytest.mark.parametrize("command", ["evaluate", "train", "report", "export"])
def test_what_needs_a_run_says_that_it_is_none(site, diffmidi, command):
    code, said = diffmidi(command, "songs")
    assert code == 1
    assert "songs is an installed model, not a run" in said


def test_half_precision_is_half_as_large_and_nearly_the_same(trained, site, tmp_path):
    whole = export(RunFolder.open(trained), tmp_path / "whole")
    files = [folder / "model.safetensors" for folder in (whole, site / "acme_songs" / "model")]
    assert files[1].stat().st_size < 0.6 * files[0].stat().st_size
    full, half = (Pipeline.from_pretrained(file.parent) for file in files)
    assert full.model.fingerprint != half.model.fingerprint
    stored = load_file(files[1])
    for name, value in half.process.state_dict().items():
        assert value.dtype == full.process.state_dict()[name].dtype
        assert (value.to(stored[name].dtype) == stored[name]).all()


def test_weights_too_large_for_half_precision_are_refused(run, tmp_path, monkeypatch):
    from diffmidi_core.publish import export as exporting

    opened = exporting.open_model(run)
    next(opened.process.parameters()).data.fill_(1e6)
    monkeypatch.setattr(exporting, "open_model", lambda *given: opened)
    with pytest.raises(DiffmidiError, match="too large for 16 bits: export the model without --half"):
        export(RunFolder.open(run), tmp_path / "to", half=True)
    assert not (tmp_path / "to").exists()
