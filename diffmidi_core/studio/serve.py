"""serve: a studio on this machine, until it is stopped."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import WINDOWS
from diffmidi_core.music.reading import bytes_of
from diffmidi_core.saved.lock import hold
from diffmidi_core.saved.manifest import Manifest
from diffmidi_core.studio.app import application
from diffmidi_core.studio.jobs import Jobs
from diffmidi_core.studio.library import Library

HOST = "127.0.0.1"


def serve(
    folder: Path,
    model: Path,
    called: str,
    manifest: Manifest,
    *,
    file: Path | None,
    port: int,
    browser: bool,
    tell: Callable[[str], None],
) -> None:
    """Serve a studio in a folder. Raises DiffmidiError where another one is in it, or where the port is taken."""
    with hold(folder, "studio", agree=False):
        library = Library(folder)
        library.open()
        opened = f"#{library.add_once(bytes_of(file), file.name)}" if file else ""
        token = secrets.token_urlsafe(24)
        listening = _socket(port)
        port = listening.getsockname()[1]
        app = application(
            library,
            Jobs(library, model, called),
            token,
            {f"{HOST}:{port}", f"localhost:{port}"},
            told(called, manifest),
        )
        address = f"http://{HOST}:{port}/?token={token}{opened}"
        tell(f"The studio is at {address}\nIts pieces and takes are in {folder}. Ctrl-C ends it.")
        if browser:
            webbrowser.open(address)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, ws="none")
        config.timeout_graceful_shutdown = 2
        with listening:
            uvicorn.Server(config).run(sockets=[listening])


def told(called: str, manifest: Manifest) -> dict[str, Any]:
    """What the page shows of the model: what it is called, its kind, and what it can be asked for."""
    return {
        "name": called,
        "process": manifest.process.label,
        "labels": {label.name: list(label.seen) for label in manifest.labels},
    }


def _socket(port: int) -> socket.socket:
    """One that listens on this machine alone. Raises DiffmidiError."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if not WINDOWS:  # where it would let two programs have one port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise DiffmidiError(
            f"port {port} cannot be had ({error.strerror}): choose another --port, or leave it out."
        ) from None
    return listening
