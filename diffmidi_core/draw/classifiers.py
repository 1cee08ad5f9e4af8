"""The classifiers of a request, opened beside the model that they lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.diffusion.classifier import Classifier
from diffmidi_core.diffusion.classifier_guidance import Aim
from diffmidi_core.draw.model import Model, open_classifier
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.request import Request
from diffmidi_core.saved.installed import model_at
from diffmidi_core.saved.manifest import is_run


@dataclass(frozen=True)
class Asked:
    """A classifier, opened, and the label that it tells."""

    classifier: Classifier
    label: KnownLabel

    def aim(self, asked: Sequence[Mapping[str, str]]) -> Aim:
        """Where it leads rows of which this is `asked`."""
        return Aim(self.classifier, torch.tensor([self.label.number(each.get(self.label.name)) for each in asked]))


def asked_for(request: Request, model: Model) -> tuple[Asked, ...]:
    """The classifiers of a request, on the device of the model.

    Raises DiffmidiError where one is not what it was when it was asked for.
    """
    device = next(model.process.parameters()).device
    found = []
    for asked in request.classifiers:
        folder = model_at(Path(asked.path).expanduser())
        opened = open_classifier(folder, asked.step if is_run(folder) else None)
        if opened.fingerprint != asked.weights:
            raise DiffmidiError(
                f"{asked.path} is not the classifier that was asked for (weights {opened.fingerprint}, and not "
                f"{asked.weights}): draw anew."
            )
        assert isinstance(opened.process, Classifier)
        found.append(Asked(opened.process.to(device).requires_grad_(False), asked.label))
    return tuple(found)
