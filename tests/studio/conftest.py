"""A studio with a worker that draws nothing, and a page's way to ask it."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from diffmidi_core.music.notes import Notes, score_of
from diffmidi_core.studio.app import application
from diffmidi_core.studio.jobs import Jobs
from diffmidi_core.studio.library import Library

TOKEN, HOST = "secret-token", "127.0.0.1:8000"
STAND_IN = Path(__file__).with_name("stand_in.py")


def midi(name: str = "Piano", notes: int = 32) -> bytes:
    """Quarter notes in 4/4, eight bars; the first is a middle C."""
    onset = 480 * np.arange(notes)
    score = score_of(Notes(onset, np.full(notes, 400), 60 + np.arange(notes) % 12, np.full(notes, 70)))
    score.tracks[0].name = name
    return bytes(score.dumps_midi())


class Page(TestClient):
    """What the page may do: it has the cookie and the token."""

    def upload(self, data: bytes | None = None, name: str = "song.mid") -> str:
        answer = self.post("/api/pieces", files={"file": (name, midi() if data is None else data)})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["piece"])

    def ask(self, piece: str, **wanted: object) -> str:
        wanted = {"command": "infill", "region": ["bars 1-2"], **wanted}
        answer = self.post("/api/draws", json={"piece": piece, **wanted})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["draw"])

    def until(self, draw: str, reached: Callable[[dict], bool]) -> dict:
        """The draw, as soon as that is true of it."""
        for _ in range(600):
            told = self.get(f"/api/draws/{draw}").json()
            if reached(told):
                return told
            time.sleep(0.05)
        raise AssertionError(f"{draw} did not get there: {told}")

    def ended(self, draw: str) -> dict:
        return self.until(draw, lambda told: told["state"] not in ("queued", "running"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Page]]:
    """Starts a studio in the same folder; one that was started before ends."""
    running: list[Page] = []

    def end() -> None:
        while running:
            running.pop().__exit__(None, None, None)

    def start() -> Page:
        end()
        (tmp_path / "given.mid").write_bytes(midi())
        library = Library(tmp_path / "studio")
        library.open()
        command = [sys.executable, str(STAND_IN), str(tmp_path / "given.mid")]
        jobs = Jobs(library, Path("model"), "model", command)
        page = Page(application(library, jobs, TOKEN, {HOST}), base_url=f"http://{HOST}")
        page.__enter__()
        running.append(page)
        page.library, page.jobs = library, jobs
        assert page.get("/", params={"token": TOKEN}).status_code == 200
        page.headers["X-Diffmidi-Token"] = TOKEN
        return page

    yield start
    end()


@pytest.fixture
def page(start) -> Page:
    return start()
