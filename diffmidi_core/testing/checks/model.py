"""What an installed model promises."""

from __future__ import annotations

import re

import numpy as np

from diffmidi_core.pipeline import Pipeline
from diffmidi_core.publish.card import CARD, UNKNOWN
from diffmidi_core.publish.export import written_files
from diffmidi_core.saved.installed import size_of
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect
from diffmidi_core.testing.surroundings import in_new_process

MOST_BYTES = 20 * 2**20
"""Of all its files: it is fetched by everybody who installs it, and kept in a version control system perhaps."""
_DATA = re.compile(r"^#+ .*\b(music|data|trained on)\b", re.IGNORECASE | re.MULTILINE)
_FOUND = """
import json, sys
from diffmidi_core.registry import Offer
from diffmidi_core.saved.manifest import read_model
offer = Offer("model", *sys.argv[1:])
read_model(offer.folder())
print(json.dumps([name for name in sys.modules if name.split(".")[0] == offer.target.split(".")[0]]))
"""


def check_found_without_import(component: Component) -> None:
    """Its folder is found, and said what it is, without importing anything of its package."""
    offer = component.offer
    imported = in_new_process(_FOUND, offer.name, offer.package, offer.version, offer.target)
    expect(not imported, f"finding the model imports {', '.join(imported)}")


def check_folder_is_whole(component: Component) -> None:
    """It holds what `diffmidi export` wrote, each file as it was written, and nothing else."""
    folder = component.offer.folder()
    written = {*written_files(folder)}
    more = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - written
    expect(not more, f"{folder} holds {min(more, default='')}, which `diffmidi export` did not write")


def check_size(component: Component) -> None:
    """All of it is 20 MB at most: `diffmidi export --half` stores weights in 16 bits."""
    size = size_of(component.offer.folder())
    expect(size <= MOST_BYTES, f"the model has {size / 2**20:.1f} MB: {MOST_BYTES // 2**20} at most")


def check_card_says_licence_and_data(component: Component) -> None:
    """There is a card that names the licence, and has a part on the music that the model was trained on."""
    from huggingface_hub import ModelCard

    file = component.offer.folder() / CARD
    expect(file.is_file(), f"there is no card {file}")
    card = ModelCard.load(file)
    named = card.data.license not in (None, "", UNKNOWN)
    expect(named, f"{file} does not name the licence: diffmidi export --license")
    expect(_DATA.search(card.text), f"{file} has no part on the music that the model was trained on")


def check_opens(component: Component) -> None:
    """All its parts are installed, and its weights are whole and finite."""
    Pipeline.from_pretrained(component.offer.folder(), device="cpu")


def check_draws_without_faults(component: Component) -> None:
    """It draws a piece that has notes and no fault, and from one seed always the same."""
    pipeline = Pipeline.from_pretrained(component.offer.folder(), device="cpu")
    request = pipeline.request(1, seed=0)
    (ids,), (again,) = pipeline.draw(request), pipeline.draw(request)
    faults = pipeline.tokenizer.faults(ids)
    expect(faults == 0, f"a piece of {len(ids)} tokens has {faults} that do not belong where they stand")
    expect(pipeline.tokenizer.count_notes(ids), "a piece has no note")
    expect(np.array_equal(ids, again), "two pieces of one seed differ")
