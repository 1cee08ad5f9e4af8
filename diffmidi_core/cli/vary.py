"""`diffmidi vary`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.paths import UserPath
from diffmidi_core.cli.steering import in_regions, region_of, steered, steering


@click.command("vary")
@click.argument("file", type=UserPath(), metavar="FILE")
@click.option("--strength", type=float, default=0.4, show_default=True, help="Which share of it is drawn anew.")
@in_regions
@steering
def command(file: Path, strength: float, **given: Any) -> None:
    """Draw some of what the notes of a MIDI FILE are anew; as many notes stay, and all else does, event by event.

    Without a region it is all of the file. A share of pitches, times, durations and velocities is masked and drawn
    back by a masked model. The takes go into a folder of their own, draws/1 and so on, with a picture of before and
    after.
    """
    from diffmidi_core.steer.regions import regions

    texts, inverted, locks, conditions = region_of(given)
    named = texts or inverted or any(value is not None for value in conditions.values())
    asked = regions(texts, inverted=inverted, **conditions) if named else None

    def ask(user_file: Any, upbeat: Any) -> Any:
        from diffmidi_core.steer.asked import Asked

        return Asked.region(user_file, asked, upbeat, locks=locks, strength=strength)

    steered("vary", file, ask, given)
