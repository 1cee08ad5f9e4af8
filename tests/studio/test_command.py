"""`diffmidi studio`: what it needs, and where it listens."""

import importlib.util
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from diffmidi_core.cli import group
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.saved.lock import hold
from diffmidi_core.studio import serve

from .conftest import midi


def refused(*words: str) -> str:
    with pytest.raises(DiffmidiError) as error:
        CliRunner().invoke(group, ["studio", *words], catch_exceptions=False, standalone_mode=False)
    return str(error.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    assert "pip install 'diffmidi[studio]'" in refused()


def test_without_a_model_it_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("diffmidi_core.saved.installed.is_installed", lambda where: False)
    sentence = refused()
    assert "pip install diffmidi-starter" in sentence
    assert "diffmidi run" in sentence
    assert not (tmp_path / "studio").exists()


class Manifest:
    """As much of one as is told."""

    labels = ()

    class process:  # noqa: N801
        label = "masked"


def started(tmp_path, monkeypatch, asks, **given):
    """Start a studio and, instead of serving, call `asks` with its address and its app."""
    told = []

    class Server:
        def __init__(self, config):
            self.config = config

        def run(self, sockets):
            asks(told[0].split()[4], self.config.app, sockets[0])

    monkeypatch.setattr(serve.uvicorn, "Server", Server)
    opened = []
    monkeypatch.setattr(serve.webbrowser, "open", opened.append)
    given = {"file": None, "port": 0, "browser": False, **given}
    serve.serve(tmp_path / "studio", tmp_path, "mine", Manifest, tell=told.append, **given)
    return opened


def test_it_listens_on_this_machine_alone_and_opens_its_address(tmp_path, monkeypatch):
    (tmp_path / "a.mid").write_bytes(midi())
    seen = []

    def asks(address, app, listening):
        seen.append(address)
        assert listening.getsockname()[0] == "127.0.0.1"
        assert address.startswith(f"http://127.0.0.1:{listening.getsockname()[1]}/?token=")
        assert address.endswith("#piece-1")

    for _ in range(2):  # the file that is there already is not there twice
        assert started(tmp_path, monkeypatch, asks, file=tmp_path / "a.mid", browser=True) == [seen[-1]]
    assert seen[0] != seen[1]
    assert started(tmp_path, monkeypatch, lambda *_: None) == []


def test_a_folder_has_one_studio_and_a_port_one_program(tmp_path, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DiffmidiError, match="choose another --port"):
            started(tmp_path, monkeypatch, lambda *_: None, port=port)

    def again(*_):
        program = (
            "from diffmidi_core.saved.lock import hold; from pathlib import Path\n"
            f"with hold(Path({str(tmp_path / 'studio')!r}), 'studio', agree=False): pass"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert "is in use" in done.stderr

    started(tmp_path, monkeypatch, again)
    with hold(tmp_path / "studio", "studio", agree=False):
        pass
