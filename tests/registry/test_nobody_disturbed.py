"""Broken packages of every sort: each is told in a sentence that names it, and nothing else suffers.

A row is a package as it would lie in site-packages. With each of them `diffmidi plugins --json` prints JSON, all of the
built-ins are listed as before, and a schedule of ours is built.
"""

from __future__ import annotations

import json
import sys

import pytest
import torch

from diffmidi_core.cli import plugins
from diffmidi_core.config import resolve
from diffmidi_core.errors import UsageError
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import find, forget_installed, offers

from .broken import PART, TABLE, Row

OURS = [(kind, offer.name, "declared") for kind in KINDS for offer in offers(kind) if offer.package == "diffmidi"]


@pytest.fixture
def put(install, monkeypatch):
    """Lays a row's package on the path, as it is."""

    def put(row: Row) -> None:
        groups = {KINDS[row.kind].group: {row.name: row.target}}
        sys.modules.pop("acme", None)
        site = install("acme-midi", groups, acme_parts=PART, **row.modules)
        if isinstance(row.declaration, bytes):
            (site / "acme.py").write_bytes(row.declaration)
        elif row.declaration is not None:
            (site / "acme.py").write_text(row.declaration)
        for name, content in row.files.items():
            file = site / "acme_midi-1.0.dist-info" / name
            file.unlink()
            if content is None and name != "METADATA":
                file.mkdir()
            elif isinstance(content, bytes):
                file.write_bytes(content)
            elif content is not None:
                file.write_text(content)
        forget_installed()
        monkeypatch.setattr(plugins, "SLOW", row.slow)

    yield put
    sys.modules.pop("acme", None)


@pytest.mark.filterwarnings("ignore:LOUD")
@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_a_broken_package_is_named_and_disturbs_nobody(put, capfd, row):
    put(row)
    output = sys.stdout
    plugins.command.main(["--json"], standalone_mode=False)
    assert sys.stdout is output
    out, err = capfd.readouterr()
    rows = [each for each in json.loads(out) if each["package"] != "diffmidi-starter"]
    ours = [each for each in rows if each["package"] == "diffmidi"]
    assert [(each["kind"], each["name"], each["state"]) for each in ours] == OURS
    assert float(find("schedule", "linear").build().alpha_bar(torch.ones(()))) < 0.1
    resolve()  # what nobody chose is in no one's way
    said = [err, *(each["why"] for each in rows if each["why"])]
    if row.chosen is not None:
        with pytest.raises(UsageError) as error:
            row.chosen()
        said.append(str(error.value))
        assert "\n" not in said[-1]
        assert row.says.removeprefix("Warning: ") in said[-1]
    if not row.says:
        assert said == [err]
        assert "Warning" not in err.replace("UserWarning", "")
    assert any(row.says in each for each in said), said
