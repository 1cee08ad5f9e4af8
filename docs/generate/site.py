"""From the pages of this repository to a site: what is copied, what is generated, and Zensical."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from docs.generate.commands import commands
from docs.generate.mathematics import with_mathematics
from docs.generate.parts import api, contract_pages, installed_pages, settings

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
COPIED = (".md", ".png", ".svg", ".js", ".css")
ELSEWHERE = {
    "how-to/paper.md": "examples/paper/README.md",
    "how-to/many-gpus.md": "examples/multi_gpu/README.md",
    "explanation/ablation.md": "examples/ablation/README.md",
    "explanation/steps.md": "examples/ablation/STEPS.md",
    "explanation/starter.md": "examples/starter/README.md",
    "explanation/benchmarks.md": "benchmarks/README.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages of the site that stand elsewhere in the repository, beside what they tell of."""
GENERATED = {"<!-- commands -->": commands, "<!-- settings -->": settings, "<!-- api -->": api}
"""Lines of a page in whose place something is written from the code."""


def build(to: Path) -> Path:
    """Build the site in a folder, and return where it lies. Raises RuntimeError with what Zensical warned of."""
    write_sources(to)
    program = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(program, cwd=to, text=True, capture_output=True, env={**os.environ, "NO_COLOR": "1"})
    if done.returncode:
        raise RuntimeError(f"The site could not be built:\n{done.stdout}{done.stderr}")
    return to / "site"


def write_sources(to: Path) -> None:
    """Lay out mkdocs.yml and every page in a folder, as Zensical takes them."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    shutil.copy(ROOT / "mkdocs.yml", to)
    for page, content in pages():
        target = to / "docs" / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def pages() -> Iterator[tuple[str, bytes]]:
    """Every file of the site by its path: what is written by hand, then what is generated."""
    for file in sorted(DOCS.rglob("*")):
        if file.suffix in COPIED:
            yield file.relative_to(DOCS).as_posix(), _content(file)
    for page, source in ELSEWHERE.items():
        yield page, _moved(page, source).encode()
        for picture in sorted((ROOT / source).parent.glob("*.png")):
            yield f"{page.rpartition('/')[0]}/{picture.name}", picture.read_bytes()
    for page, text in (*contract_pages(), *installed_pages()):
        yield page, text.encode()


def _content(file: Path) -> bytes:
    if file.suffix != ".md":
        return file.read_bytes()
    text = with_mathematics(file.read_text("utf-8"))
    for line, written in GENERATED.items():
        if line in text:
            text = text.replace(line, written())
    return text.encode()


def _moved(page: str, source: str) -> str:
    """A page from elsewhere: links to other pages of the site go there, those to files name the file."""
    folder = (ROOT / source).parent
    homes = {(ROOT / origin).resolve(): home for home, origin in ELSEWHERE.items()}

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        if "://" in target or not target:
            return found[0]
        file = (folder / target).resolve()
        if file in homes:
            return f"[{text}]({os.path.relpath(homes[file], Path(page).parent)}{anchor})"
        return text if text.startswith("`") else f"{text} (`{file.relative_to(ROOT).as_posix()}`)"

    text = (ROOT / source).read_text("utf-8")
    for file in sorted(folder.glob("*.sbatch")):
        text = text.replace(f"<!-- {file.name} -->", f"```bash\n{file.read_text('utf-8')}```")
    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)#\s]*)(#[^)\s]*)?\)", link, text)
