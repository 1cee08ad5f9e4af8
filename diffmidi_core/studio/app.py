"""The studio's addresses. Every answer is JSON, a file of the studio's own folder, or one of the page's own files."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from diffmidi_core.errors import DiffmidiError, RefusedError, UsageError
from diffmidi_core.studio.guard import Guard, TooLargeError, cookie_of, too_large
from diffmidi_core.studio.jobs import Jobs
from diffmidi_core.studio.library import ENDED, Library, NotThereError, clean
from diffmidi_core.studio.shown import shown
from diffmidi_core.studio.sound import WAV, sound_of
from diffmidi_core.studio.wanted import FROM_NOTHING, Wanted, planned

PAGE = Path(__file__).parent / "page"
TOKEN = "__TOKEN__"
"""What stands in index.html for the token."""
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
"""Files of the page that are served, by their endings."""
MIDI = ".mid"
MOST_TABS = 200
_LOOK, _ALIVE = 0.1, 15.0
"""Seconds between looking for news, and between signs of life."""


class Studio:
    """What answers.

    Args:
        told: what is known of the model: its name and labels.
    """

    def __init__(self, library: Library, jobs: Jobs, token: str, told: dict[str, Any]) -> None:
        self.library, self.jobs, self.token, self.told = library, jobs, token, told
        self.page_files = {path.name: path for path in PAGE.iterdir() if path.suffix in TYPES}
        self._open: dict[str, str] = {}  # tab -> the piece that it shows

    async def front(self, request: Request) -> Response:
        """The page."""
        path = PAGE / "index.html"
        text = await run_in_threadpool(path.read_text, encoding="utf-8")
        answer = HTMLResponse(text.replace(TOKEN, escape(self.token)))
        answer.set_cookie(cookie_of(self.token), self.token, httponly=True, samesite="strict", path="/")
        return answer

    async def page_file(self, request: Request) -> Response:
        """A file of the page, of those that were there when the studio began."""
        path = self.page_files.get(request.path_params["name"])
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, media_type=TYPES[path.suffix])

    async def state(self, request: Request) -> Response:
        """The model, and all pieces and draws, the oldest first."""
        return await _answer(self._state)

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.told,
            "pieces": [self._piece_summary(address) for address in self.library.piece_ids()],
            "draws": [self._draw(address) for address in self.library.draw_ids()],
            "bytes": self.library.bytes,
            "folder": str(self.library.folder),
            "queue": self.jobs.busy,
        }

    async def add(self, request: Request) -> Response:
        """A new piece: a file that was dropped, or bars from nothing."""
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            given = await _json(request)
            return await _answer(partial(self._ask, {"bars": 8, **given, "command": FROM_NOTHING, "piece": None}))
        try:
            async with request.form(max_files=1, max_fields=4) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise UsageError("no file came: drop one MIDI file on the page.")
                data, name = await file.read(), file.filename or ""
        except MultiPartException as error:
            raise UsageError(f"the upload is damaged: {error.message}") from None
        return await _answer(lambda: {"piece": self.library.add(data, name)})

    async def piece(self, request: Request) -> Response:
        """A piece as notes, as MIDI or as sound. `?tab=` says which tab shows it from now on."""
        address, suffix = _split(request.path_params["id"])
        if suffix:
            return await run_in_threadpool(self._file, address, suffix)
        answer = await _answer(partial(self._piece, address))
        if tab := request.query_params.get("tab", "")[:40]:
            self._open.pop(tab, None)
            self._open[tab] = address
            if len(self._open) > MOST_TABS:
                del self._open[next(iter(self._open))]
        return answer

    def _piece(self, address: str) -> dict[str, Any]:
        return {**self._piece_summary(address), **shown(self.library.file(address)), "redo": self.library.redo(address)}

    def _piece_summary(self, address: str) -> dict[str, Any]:
        piece = self.library.piece(address)
        return {
            "id": address,
            "name": piece.name,
            "parent": piece.parent,
            "take": piece.take,
            "at": piece.at.isoformat(),
            "undo": self.library.undo(address),
        }

    async def take(self, request: Request) -> Response:
        """A take, in the same ways."""
        address, suffix = _split(request.path_params["id"])
        if suffix:
            return await run_in_threadpool(self._file, address, suffix)
        return await _answer(partial(self._take, address))

    def _take(self, address: str) -> dict[str, Any]:
        file = self.library.file(address)
        draw = address.partition(".")[0]
        piece, before = self.library.draw(draw).wanted.piece, None
        if piece is not None:
            with contextlib.suppress(NotThereError):
                before = self.library.file(piece)
        told = shown(file, before)
        news = {} if before else {"new": list(range(len(told["notes"]))), "removed": []}
        return {"id": address, "draw": draw, "parent": piece, **told, **news}

    def _file(self, address: str, suffix: str) -> Response:
        path = self.library.midi(address)
        name = address if "." in address else Path(self.library.piece(address).name).stem or address
        if suffix == WAV:
            path = sound_of(path)
        return FileResponse(path, media_type="audio/wav" if suffix == WAV else "audio/midi", filename=f"{name}{suffix}")

    async def keep(self, request: Request) -> Response:
        """A take as a new piece."""
        given, piece = await _json(request), request.path_params["id"]
        return await _answer(lambda: {"piece": self.library.keep(str(given.get("take", "")), piece)})

    async def keep_take(self, request: Request) -> Response:
        """The same for one that was drawn from nothing."""
        return await _answer(lambda: {"piece": self.library.keep(request.path_params["id"])})

    async def plan(self, request: Request) -> Response:
        """What would be drawn."""
        given = await _json(request)

        def answer() -> dict[str, Any]:
            wanted = Wanted.of(given)
            line = {"command_line": self.jobs.command_line(wanted)}
            if wanted.piece is None:
                return {"bars": f"1-{wanted.bars}", "notes": 0, "sentence": f"Drawn: {wanted.bars} new bars."} | line
            return planned(wanted, self.library.file(wanted.piece)) | line

        return await _answer(answer)

    async def ask(self, request: Request) -> Response:
        """Queue a draw."""
        return await _answer(partial(self._ask, await _json(request)))

    def _ask(self, given: dict[str, Any]) -> dict[str, Any]:
        address = self.jobs.ask(Wanted.of(given))
        return {"draw": address, "command_line": self.library.draw(address).command_line}

    async def draw(self, request: Request) -> Response:
        """How a draw stands."""
        return await _answer(partial(self._draw, request.path_params["id"]))

    def _draw(self, address: str) -> dict[str, Any]:
        draw = self.library.draw(address)
        return {
            "id": address,
            "state": draw.state,
            **self.jobs.progress(address),
            "takes": self.library.takes(address),
            "error": draw.error,
            "command_line": draw.command_line,
            "request": draw.wanted.model_dump(mode="json", by_alias=True),
            "at": draw.at.isoformat(),
        }

    async def cancel(self, request: Request) -> Response:
        """End a draw."""
        address = request.path_params["id"]
        await run_in_threadpool(self.jobs.cancel, address)
        return await _answer(partial(self._draw, address))

    async def events(self, request: Request) -> Response:
        """What happens to a draw, from the beginning or from behind Last-Event-ID, until it ends."""
        address, last = request.path_params["id"], request.headers.get("last-event-id", "")
        told = await run_in_threadpool(self.jobs.events, address)
        after = int(last) if last.isdecimal() and len(last) < 9 and int(last) <= len(told) else 0
        if after and after == len(told) and told[-1].kind in ENDED:
            return Response(status_code=204)  # what makes a browser ask no more
        return StreamingResponse(self._news(address, after), media_type="text/event-stream")

    async def _news(self, address: str, after: int) -> AsyncIterator[str]:
        silent = 0.0
        while True:
            try:
                told = await run_in_threadpool(self.jobs.events, address)
            except DiffmidiError:  # emptied meanwhile
                return
            for number, event in enumerate(told[after:], start=after + 1):
                yield f"id: {number}\nevent: {event.kind}\ndata: {json.dumps(event.values)}\n\n"
            if told[after:] and told[-1].kind in ENDED:
                return
            silent = 0.0 if told[after:] else silent + _LOOK
            after = len(told)
            if silent >= _ALIVE:
                silent = 0.0
                yield ": still there\n\n"
            await asyncio.sleep(_LOOK)

    async def empty(self, request: Request) -> Response:
        """Remove all but the pieces that are open in some tab, or named, and what is being drawn."""
        named = (await _json(request)).get("open", [])
        kept = {*self._open.values(), *(each for each in named if isinstance(each, str))}

        def done() -> dict[str, Any]:
            self.library.empty(kept, self.jobs.busy)
            return {"bytes": self.library.bytes}

        return await _answer(done)

    def routes(self) -> list[Route]:
        """All addresses."""
        return [
            Route("/", self.front),
            Route("/page/{name}", self.page_file),
            Route("/api/state", self.state),
            Route("/api/pieces", self.add, methods=["POST"]),
            Route("/api/pieces/{id}", self.piece),
            Route("/api/pieces/{id}/keep", self.keep, methods=["POST"]),
            Route("/api/takes/{id}", self.take),
            Route("/api/takes/{id}/keep", self.keep_take, methods=["POST"]),
            Route("/api/plan", self.plan, methods=["POST"]),
            Route("/api/draws", self.ask, methods=["POST"]),
            Route("/api/draws/{id}", self.draw),
            Route("/api/draws/{id}", self.cancel, methods=["DELETE"]),
            Route("/api/draws/{id}/events", self.events),
            Route("/api/empty", self.empty, methods=["POST"]),
        ]


def application(
    library: Library, jobs: Jobs, token: str, hosts: Collection[str], told: dict[str, Any] | None = None
) -> ASGIApp:
    """The studio as an ASGI application. While it runs, so do the jobs."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        jobs.start()
        yield
        await run_in_threadpool(jobs.close)

    handlers: dict[Any, Any] = {DiffmidiError: _told, HTTPException: _http, TooLargeError: _large, Exception: _broken}
    studio = Studio(library, jobs, token, told or {})
    return Guard(Starlette(routes=studio.routes(), lifespan=lifespan, exception_handlers=handlers), token, hosts)


async def _answer(work: Any) -> JSONResponse:
    """What a function gives, which may take its time."""
    return JSONResponse(await run_in_threadpool(work))


async def _json(request: Request) -> dict[str, Any]:
    try:
        given = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        raise UsageError("the request is not JSON: reload the page.") from None
    if not isinstance(given, dict):
        raise UsageError("the request is not a JSON object: reload the page.")
    return given


def _split(address: str) -> tuple[str, str]:
    """piece-1.wav -> piece-1 and .wav."""
    for suffix in (MIDI, WAV):
        if address.endswith(suffix):
            return address.removesuffix(suffix), suffix
    return address, ""


async def _told(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, NotThereError) else 422 if isinstance(error, RefusedError) else 400
    sentence = str(error).encode("utf-8", "backslashreplace").decode("utf-8")
    return JSONResponse({"error": sentence}, status)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(
        {"error": f"the studio has no {clean(request.url.path)!r} to {request.method}."}, error.status_code
    )


async def _large(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooLargeError)
    return too_large(error.most)


async def _broken(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the studio has a mistake of its own here; where it runs, more is said of it."}, 500)
