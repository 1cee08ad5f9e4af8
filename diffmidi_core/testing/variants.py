"""Trying a part with other options than its smallest, without knowing what they mean."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace
from typing import Any, get_args

from diffmidi_core.declaration import Options
from diffmidi_core.errors import BrokenPluginError, DiffmidiError
from diffmidi_core.testing.component import Check, Component
from diffmidi_core.testing.expect import ConformanceError


def variants(options: Options) -> list[Options]:
    """These options with one of them changed: another choice, the other truth, a little more, a little less."""
    found: list[Options] = []
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        others: list[Any] = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
        if isinstance(value, bool):
            others = [not value]
        elif isinstance(value, int):
            others = [value + 1, value - 1]
        elif isinstance(value, float):
            others = [value / 2, value + 0.5]
        for other in others:
            with contextlib.suppress(ValueError):
                changed = type(options).model_validate({**options.model_dump(), name: other})
                if changed != options:
                    found.append(changed)
    return found


def whatever_the_options(check: Check) -> Check:
    """Run a check on the smallest options, then on each variant of them; a failure says on which.

    A part may refuse a variant that it cannot do (DiffmidiError), but not its smallest options.
    """

    @functools.wraps(check)
    def on_each(component: Component) -> None:
        check(component)
        for options in variants(component.options):
            try:
                check(replace(component, chosen=options))
            except BrokenPluginError:
                raise
            except DiffmidiError:
                continue
            except Exception as error:
                said = f"{type(error).__name__}: " * (not isinstance(error, ConformanceError))
                raise ConformanceError(f"{said}{error} (with {options!r})") from error

    return on_each
