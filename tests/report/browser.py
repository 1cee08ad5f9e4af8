"""Chromium over its debugging pipe: messages of JSON, each ended by a NUL, on file descriptors 3 and 4."""

import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from typing import Any

PATIENCE = 60
"""Seconds for an answer: a busy machine starts a browser slowly."""
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe"),
)


class Browser:
    """One page: open it, ask it in JavaScript, and see what it complained of and asked the network for."""

    def __init__(self, program: str) -> None:
        self.home = tempfile.mkdtemp(prefix="chromium-")
        theirs_in, self.write_end = os.pipe()
        self.read_end, theirs_out = os.pipe()
        words = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", words, program, *QUIET, f"--user-data-dir={self.home}", "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.numbers = itertools.count(1)
        self.unread = b""
        self.events: list[dict[str, Any]] = []
        self.session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        os.close(self.write_end)
        os.close(self.read_end)
        shutil.rmtree(self.home, ignore_errors=True)

    def open(self, url: str, *, width: int = 1200, scheme: str = "light") -> None:
        """Load a page, as wide and in the colours that are said."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=url)
        self._read_until(lambda: any(event["method"] == "Page.loadEventFired" for event in self.events))

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise's is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """Whatever stands in the console, and requests that failed."""
        bad = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Network.loadingFailed")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in bad]

    def requested(self) -> list[str]:
        """The URLs that were asked for."""
        sent = [event["params"] for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        found: list[dict[str, Any]] = []
        self._read_until(lambda: bool(found), number, found)
        assert "error" not in found[0], found[0]
        answer: dict[str, Any] = found[0]["result"]
        return answer

    def _read_until(self, done, number: int = 0, found: list[dict[str, Any]] | None = None) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            ready, _, _ = select.select([self.read_end], [], [], max(0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            data = os.read(self.read_end, 1 << 20)
            assert data, "Chromium has ended"
            *messages, self.unread = (self.unread + data).split(b"\0")
            for message in map(json.loads, messages):
                if "method" in message:
                    self.events.append(message)
                elif found is not None and message["id"] == number:
                    found.append(message)
