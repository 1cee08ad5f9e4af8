"""A tab of Chromium in which somebody works: keys, mouse, files, pictures."""

import base64
import time
from pathlib import Path
from typing import Any

from tests.report.browser import PATIENCE, Browser

CODES = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Escape": 27,
    "Delete": 46,
    "Tab": 9,
    " ": 32,
}
SHIFT, ALT = 8, 1


class Tab(Browser):
    """What a person does to the page, and what they see of it."""

    def until(self, expression: str, patience: float = PATIENCE / 2) -> None:
        """Wait for an expression to be true."""
        deadline = time.monotonic() + patience
        while not self.ask(f"Boolean({expression})"):
            shown = self.ask("document.body?.innerText") if time.monotonic() > deadline else None
            assert shown is None, f"still not: {expression}; the page says {shown!r}, complains {self.complaints()}"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """The same, without requests that the page itself gave up, as a sound that is changed for another."""
        return [told for told in super().complaints() if '"canceled": true' not in told]

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key, to what has the focus."""
        told: dict[str, Any] = {"key": key, "modifiers": SHIFT if shift else 0}
        told["windowsVirtualKeyCode"] = CODES.get(key, ord(key[0].upper()))
        if len(key) == 1:
            told["text"] = key
        self.call("Input.dispatchKeyEvent", type="keyDown", **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=told["modifiers"])

    def click(self, selector: str) -> None:
        """The middle of an element, with the mouse."""
        x, y = self.ask(
            f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        self.drag((x, y), (x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float], modifiers: int = 0) -> None:
        """From one point to another, with the left button."""
        told: dict[str, Any] = {"button": "left", "buttons": 1, "clickCount": 1, "modifiers": modifiers}
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], **told)
        for part in (0.3, 1.0) if start != end else ():
            x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, **told)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], **{**told, "buttons": 0})

    def on_roll(self, bar: int, pitch: int, share: float = 0.5) -> tuple[float, float]:
        """Where the middle of a bar and of a row is; of another `share` of the bar where that is told."""
        x, y = self.ask(
            "(() => { const roll = studio.roll, box = roll.box; box.scrollIntoView({block: 'center'});"
            f"const [from, to] = roll.music.timeOf({bar}, {bar}), b = box.getBoundingClientRect();"
            f"return [b.x + roll.x(from + (to - from) * {share}), b.y + roll.y({pitch}) + roll.row / 2]; }})()"
        )
        return x, y

    def choose_file(self, selector: str, path: Path) -> None:
        """A file, as the dialog of the browser gives it."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """What is seen, or all of the page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
