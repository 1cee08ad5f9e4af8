"""Run folders as training, drawing and evaluating leave them, to be compared, and what is said of them."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from diffmidi_core.config import resolve
from diffmidi_core.files import write_json
from diffmidi_core.request import Request
from diffmidi_core.saved.draw import DrawFolder, ModelReference, StoredRequest
from diffmidi_core.sections import Part


def better(value, low, high, way="lower"):
    return figure(value, interval=[low, high], better=way, title="bits")


def figure(value, **more):
    return {"value": value, "unit": "bits per token", "count": 8, "of": "windows", "error": None, **more}


def judged(step, figures, **more):
    return {"checkpoint": step, "weights": "w", "split": "test", "windows": 8, "figures": figures, **more}


@pytest.fixture
def leave(tmp_path):
    """Leaves a run folder as training and evaluating would."""

    def leave_(
        name, *assignments, figures=None, step=20, heldout=(5.0, 4.0), found=10, tokens="t", facts=None, **flags
    ):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = resolve(None, flags, assignments).model_dump(mode="json")
        told = {
            "parameters": 1000,
            "peak_memory_mb": 512.5,
            "iterations": 20,
            "data": {"found": found},
            **(facts or {}),
        }
        told["data"]["tokenizer"] = tokens
        log = [{"step": step, "loss": 1.0, "steps_per_second": speed} for step, speed in [(5, 1.0), (10, 3.0), (15, 2)]]
        log += [{"step": 10 * i, "heldout/bound_bpw": each, "train/bound_bpw": 3} for i, each in enumerate(heldout, 1)]
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "run.json").write_text(json.dumps(told))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
        if figures is not None:
            write_json(folder / "figures" / f"step-{step:06d}.json", judged(step, figures))
        return folder

    return leave_


def leave_draw(run, name, *, hour=0, step=20, figures=None, seed=0, **options):
    """Leaves a draw in it, judged where there are figures."""
    draw = DrawFolder(run / "draws" / name)
    sampler = Part(name="confidence", package="diffmidi", options=options)
    model = ModelReference(path=str(run), step=step, fingerprint="w")
    stored = StoredRequest(
        at=datetime(2026, 7, 1, hour, tzinfo=UTC), model=model, request=Request(seed=seed, sampler=sampler)
    )
    write_json(draw.request_file, stored.model_dump(mode="json"))
    if figures is not None:
        write_json(draw.figures_file, {"split": "test", "figures": figures})


def leave_seeds(leave, name, values, *assignments, **more):
    return [
        leave(f"{name}-{seed}", *assignments, seed=seed, figures={"x": better(value, value - 0.1, value + 0.1)}, **more)
        for seed, value in enumerate(values)
    ]


def cells(said, name):
    """What stands in the row of the printed table whose name begins so."""
    (line,) = [line for line in said.out.splitlines() if line.strip().startswith(name)]
    return [each.strip() for each in line.strip().removeprefix(name).split("  ") if each.strip()]


class Page(HTMLParser):
    """Counts tags, and remembers addresses."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data
