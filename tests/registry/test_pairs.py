"""A backbone that takes no masks of pairs is refused where a process needs them, before anything is prepared."""

from __future__ import annotations

import pytest

from diffmidi.api import UsageError
from diffmidi_core.config import resolve

DECLARED = """
from diffmidi.api import BackboneDeclaration

declared = BackboneDeclaration("rows alone", "acme_parts:Part", pairs=False)
"""


@pytest.mark.parametrize("process", ["autoregressive", "masked"])
def test_a_process_that_needs_pairs_is_refused(install, process):
    install("acme-midi", {"diffmidi.backbones": {"rows": "acme:declared"}}, acme=DECLARED, acme_parts="")
    with pytest.raises(UsageError, match="takes no such masks of pairs: choose another --backbone"):
        resolve(None, {"backbone": "acme-midi:rows", "process": process})


def test_without_a_plan_masked_takes_it(install):
    install("acme-midi", {"diffmidi.backbones": {"rows": "acme:declared"}}, acme=DECLARED, acme_parts="")
    flags = {"backbone": "acme-midi:rows", "process": "masked"}
    assert resolve(None, flags, ("tokenizer.layout=aligned",)).backbone.name == "rows"
