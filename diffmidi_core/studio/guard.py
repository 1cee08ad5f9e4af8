"""Guard: who may ask the studio anything. Everything that is not its own page is refused before a request is read.

The page lies on 127.0.0.1, which every program of this machine and every page in the user's browser can reach. A random
token keeps the programs of others out; Host, Origin and Sec-Fetch-Site keep out other pages, those among them that let
their own name point to 127.0.0.1 (DNS rebinding); what changes anything needs a header that no other page can send.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from hashlib import sha256
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diffmidi_core.music.container import MAX_BYTES

HEADER = "X-Diffmidi-Token"
MOST_JSON = 256 * 2**10
"""Bytes of a request that is no file."""
MOST_FORM = 64 * 2**10
"""Bytes of an upload beside its file."""
POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'"),
        *("connect-src 'self'", "media-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
    )
)
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class TooLargeError(Exception):
    """A request that is larger than it may be, which is `most` bytes."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Guard:
    """Middleware round the whole studio.

    Args:
        token: what the page has and nobody else.
        hosts: what the Host header may be: name and port.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str]) -> None:
        self.app, self.token, self.hosts = app, token, frozenset(hosts)
        # Cookies of one host are those of all its ports; two studios must not have the same.
        self.cookie = cookie_of(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with what the answer always has."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in _ALWAYS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if problem := self._problem(scope, headers):
            await JSONResponse({"error": problem[1]}, problem[0])(scope, receive, guarded)
            return
        upload = scope["path"] == "/api/pieces" and headers.get("content-type", "").startswith("multipart/form-data")
        most = MAX_BYTES + MOST_FORM if upload else MOST_JSON
        told = headers.get("content-length", "0")
        if not told.isdecimal() or int(told) > most:
            await too_large(most)(scope, receive, guarded)
            return
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise TooLargeError(most)
            return message

        await self.app(scope, bounded, guarded)

    def _problem(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Why it is refused: the status and a sentence; None where it is not."""
        if headers.getlist("host") == [] or not self.hosts.issuperset(headers.getlist("host")):
            return 403, "the studio answers at its own address only: open the one that it printed."
        origins = headers.getlist("origin")
        if not {f"http://{host}" for host in self.hosts}.issuperset(origins):
            return 403, "another page asked the studio for something: only its own page may."
        front = scope["path"] == "/"
        # The page itself may be opened by a link, with its token in the address.
        if not front and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "another page asked the studio for something: only its own page may."
        if not self._knows(scope, headers, front):
            return (
                403,
                "the token is missing or wrong: open the whole address that the studio printed, or start it anew.",
            )
        if scope["method"] not in ("GET", "HEAD") and not self._is_token(headers.get(HEADER, "")):
            return 403, f"the header {HEADER} is missing or wrong: reload the page."
        return None

    def _knows(self, scope: Scope, headers: Headers, front: bool) -> bool:
        given = [cookie_parser(text).get(self.cookie, "") for text in headers.getlist("cookie")]
        if front:
            given += parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return any(map(self._is_token, given))

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())


def cookie_of(token: str) -> str:
    """What the cookie is called."""
    return f"diffmidi-{sha256(token.encode()).hexdigest()[:12]}"


def too_large(most: int) -> JSONResponse:
    """The answer to it."""
    size = f"{most // 2**20} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
    return JSONResponse({"error": f"that is larger than {size}, which no piece of music needs."}, 413)
