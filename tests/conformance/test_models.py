"""The kit on models: those that each break one promise fail that check, and what nobody may import is not imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffmidi_core.checksums import digests, sealed
from diffmidi_core.config import resolve
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.machine.build import build_process, build_tokenizer
from diffmidi_core.publish.export import write_model
from diffmidi_core.registry import find
from diffmidi_core.saved.lengths import DataLengths
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.saved.typical import Typical
from diffmidi_core.testing.component import failures

SMALL = ("tokenizer.layout=aligned", "tokenizer.grid=4", "backbone.size=tiny", "sample.steps=2")
CARD = "---\nlibrary_name: diffmidi\nlicense: cc0-1.0\n---\n\n# Songs\n\n## Music it was trained on\n\nNone at all.\n"


def tiny_model(folder: Path) -> None:
    """A model that learned nothing, as `export` writes one."""
    flags = {"tokenizer": "mmm", "backbone": "bert", "process": "masked", "length": 32, "precision": "fp32"}
    config = resolve(None, flags, SMALL)
    tokenizer = build_tokenizer(config)
    torch.manual_seed(0)
    process = build_process(config, tokenizer)
    lengths = DataLengths(windows=(32,), pieces=(64,), bars=(4,), tokens_per_note=4.0)
    about = Manifest.of(config, 1, tokenizer.fingerprint, lengths, Typical(), None)
    folder.mkdir(parents=True)
    write_model(folder, process, about)
    (folder / "README.md").write_text(CARD)


@pytest.fixture
def songs(install) -> Path:
    """The folder of a model "songs" that is really installed, by a package that cannot be imported."""
    site = install("acme-songs", {"diffmidi.models": {"songs": "acme_songs"}})
    metadata = site / "acme_songs-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Summary: songs of nobody\nLicense-Expression: CC0-1.0\n")
    tiny_model(site / "acme_songs" / "model")
    (site / "acme_songs" / "__init__.py").write_text("raise RuntimeError('imported')")
    return site / "acme_songs" / "model"


def incomplete(model: Path, monkeypatch) -> None:
    (model / "vocab.txt").unlink()


def edited(model: Path, monkeypatch) -> None:
    with (model / "vocab.txt").open("a") as file:
        file.write("more\n")


def crowded(model: Path, monkeypatch) -> None:
    (model / "weights.pt").write_bytes(b"who knows")


def infinite(model: Path, monkeypatch) -> None:
    weights = load_file(model / "model.safetensors")
    next(iter(weights.values())).view(-1)[0] = torch.nan
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    about = json.loads((model / "config.json").read_text())
    about["files"] = {name: digests(model)[name] for name in about["files"]}
    (model / "config.json").write_text(json.dumps(sealed(about)))


def unlicensed(model: Path, monkeypatch) -> None:
    (model / "README.md").write_text(CARD.replace("cc0-1.0", "unknown"))


def of_unknown_origin(model: Path, monkeypatch) -> None:
    (model / "README.md").write_text(CARD.partition("## ")[0])


def large(model: Path, monkeypatch) -> None:
    with (model / "sample.wav").open("wb") as file:
        file.truncate(20 * 2**20)


def faulty(model: Path, monkeypatch) -> None:
    monkeypatch.setattr(Tokenizer, "faults", lambda self, ids: 1)


def nowhere(model: Path, monkeypatch) -> None:
    model.rename(model.with_name("modle"))


WRONG = {
    incomplete: {"check_folder_is_whole", "check_opens", "check_draws_without_faults"},
    edited: {"check_folder_is_whole", "check_opens", "check_draws_without_faults"},
    crowded: {"check_folder_is_whole"},
    infinite: {"check_opens", "check_draws_without_faults"},
    unlicensed: {"check_card_says_licence_and_data"},
    of_unknown_origin: {"check_card_says_licence_and_data"},
    large: {"check_size"},
    faulty: {"check_draws_without_faults"},
    nowhere: {"check_builds"},
}


def test_a_model_that_keeps_its_promises_passes_and_its_package_is_never_imported(songs):
    assert [f"{name}: {error}" for name, error in failures(find("model", "songs")) if error] == []
    assert "acme_songs" not in sys.modules


@pytest.mark.parametrize(("breaks", "caught"), WRONG.items(), ids=[breaks.__name__ for breaks in WRONG])
def test_a_broken_promise_is_caught_by_name(songs, monkeypatch, breaks, caught):
    breaks(songs, monkeypatch)
    assert {name for name, error in failures(find("model", "songs")) if error is not None} == caught


def test_a_package_without_a_summary_is_caught(install):
    site = install("acme-songs", {"diffmidi.models": {"songs": "acme_songs"}})
    (site / "acme_songs" / "model").mkdir(parents=True)
    assert "check_summary_is_one_line" in {name for name, error in failures(find("model", "songs")) if error}
