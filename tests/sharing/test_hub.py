"""Publishing and fetching, through huggingface_hub, with a Hub of our own."""

import os
import subprocess
import sys

import pytest
from huggingface_hub import ModelCard, constants

from diffmidi import Pipeline
from diffmidi_core.checksums import digests
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.publish.export import export
from diffmidi_core.saved.folder import RunFolder


def test_what_is_published_opens_anywhere_by_its_name(hub, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pipeline = Pipeline.from_pretrained(trained, checkpoint=2)
    assert pipeline.push_to_hub("ann/bach", license="cc0-1.0") == f"{hub.url}/ann/bach"
    assert {"README.md", "config.json", "model.safetensors", "vocab.txt"} <= set(hub.models["ann/bach"])
    assert hub.models["ann/bach"]["model.safetensors"] in hub.store.values(), "weights go where large files go"
    card = ModelCard(hub.models["ann/bach"]["README.md"].decode())
    assert card.data.license == "cc0-1.0"
    assert 'from_pretrained("ann/bach")' in card.text
    fetched = Pipeline.from_pretrained("ann/bach")
    assert fetched.model.step == 2
    asked = pipeline.request(2, seed=3)
    assert fetched.request(2, seed=3) == asked
    assert [ids.tolist() for ids in fetched.draw(asked)] == [ids.tolist() for ids in pipeline.draw(asked)]
    assert not list((tmp_path / "cache").rglob("README.md")), "only what is needed is fetched"


def test_an_exported_folder_is_published_as_it_is(hub, trained, tmp_path, diffmidi):
    folder = export(RunFolder.open(trained), tmp_path / "to")
    (folder / "README.md").write_text("---\nlicense: mit\n---\nMy own words.\n")
    code, said = diffmidi("push", folder, "ann/own", "--private")
    assert code == 0, said
    assert f"{hub.url}/ann/own" in said
    assert b"My own words" in hub.models["ann/own"]["README.md"]
    assert hub.private == {"ann/own"}
    code, said = diffmidi("push", folder, "ann/own", "--license", "mit")
    assert code == 2
    assert "exported already, card and all" in said


def test_the_environment_says_which_hub(hub, trained, tmp_path):
    folder = export(RunFolder.open(trained), tmp_path / "to")
    code = (
        "import pathlib, sys; from diffmidi import Pipeline; from diffmidi_core.publish.hub import publish; "
        "publish(pathlib.Path(sys.argv[1]), sys.argv[2]); print(Pipeline.from_pretrained(sys.argv[2]).model.step)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), "ann/there"],
        env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "4\n"
    assert "ann/there" in hub.models


def test_who_is_not_logged_in_is_told_how(hub, trained, monkeypatch, diffmidi):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    code, said = diffmidi("push", trained, "ann/bach")
    assert code == 1
    assert "does not let you. Log in with `hf auth login`" in said
    assert "Traceback" not in said
    assert hub.models == {}


@pytest.mark.parametrize("name", ["bach", "ann/bach/two", "ann/"])
def test_a_name_that_is_none_is_refused_before_anything_is_sent(hub, trained, diffmidi, name):
    code, said = diffmidi("push", trained, name)
    assert code == 2
    assert "has a name such as user/name" in said


def test_no_such_model_revision_or_network(hub, monkeypatch, trained):
    with pytest.raises(DiffmidiError, match=r"no such model or hides it from you, .* no folder of that name here"):
        Pipeline.from_pretrained("ann/nothing")
    hub.models["ann/empty"] = {"README.md": b"nothing here"}
    with pytest.raises(DiffmidiError, match="no such revision"):
        Pipeline.from_pretrained("ann/empty", revision="v2")
    with pytest.raises(DiffmidiError, match=r"there is no model in .* \(no config\.json\)"):
        Pipeline.from_pretrained("ann/empty")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DiffmidiError, match="cannot be reached, and no copy is in the cache"):
        Pipeline.from_pretrained("ann/other")
    with pytest.raises(DiffmidiError, match=r"cannot be published: http://127\.0\.0\.1:9 could not be used"):
        Pipeline.from_pretrained(trained).push_to_hub("ann/other")


def test_of_an_exported_folder_only_what_export_wrote_is_published(hub, trained, tmp_path, diffmidi):
    folder = export(RunFolder.open(trained), tmp_path / "to")
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    (folder / ".env").write_text("KEY=secret")
    (folder / "id_rsa").write_text("secret")
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "notes.txt").write_text("secret")
    (tmp_path / "outside").write_text("secret")
    (folder / "more.bin").symlink_to(tmp_path / "outside")
    code, said = diffmidi("push", folder, "ann/own")
    assert code == 0, said
    assert set(hub.models["ann/own"]) == written
    assert not any(b"secret" in content for content in hub.models["ann/own"].values())


@pytest.mark.parametrize("name", ["README.md", "sample.wav", "model.safetensors", "config.json"])
def test_a_link_is_never_published(hub, trained, tmp_path, diffmidi, name):
    folder = export(RunFolder.open(trained), tmp_path / "to")
    (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(tmp_path / "outside")
    code, said = diffmidi("push", folder, "ann/own")
    assert code == 1
    assert f"{folder / name} is a link, and what it leads to is not published" in said
    assert hub.models == {}


def test_a_list_that_names_other_files_is_refused(hub, trained, tmp_path, diffmidi, rewrite):
    folder = export(RunFolder.open(trained), tmp_path / "to")
    (folder / ".env").write_text("KEY=secret")
    sums = digests(folder)
    rewrite(folder / "config.json", files={name: sums[name] for name in ("model.safetensors", "vocab.txt", ".env")})
    code, said = diffmidi("push", folder, "ann/own")
    assert code == 1
    assert "lists .env, which is no file of a model" in said
    assert hub.models == {}
