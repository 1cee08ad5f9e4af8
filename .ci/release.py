"""A release, built and tried: `make dist`, `make release-check`, and the tag's own check in .github/workflows.

    python .ci/release.py build DIST            # sdist and wheel of each distribution, as PyPI would show them
    python .ci/release.py try DIST              # and what people do first, in an environment without this clone
    python .ci/release.py tag v0.1.0            # the tag, the version and CHANGELOG.md say the same

It needs what `pip install '.[dev]'` brings, and nothing of diffmidi itself.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = (ROOT, *sorted(file.parent for file in (ROOT / "models").glob("*/pyproject.toml")))
"""What a tag publishes: diffmidi, and the models that are distributions of their own."""
SHOWN = tuple(sorted(file.parent for file in (ROOT / "examples").glob("*/pyproject.toml")))
"""Distributions to learn from, which are built to know that they can be."""
FIRST = (
    ("--version",),
    ("plugins",),
    ("models",),
    ("sample", "starter", "--bars", "2", "--samples", "1", "--no-renderer", "all", "--renderer", "midi"),
)
"""What people do first."""


def call(*command: object, cwd: Path | None = None) -> None:
    """Run a command, and print it; end with it where it fails."""
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    if (done := subprocess.run(words, cwd=cwd, env=_clean())).returncode:
        sys.exit(done.returncode)


def build(projects: Sequence[Path], out: Path) -> list[Path]:
    """An sdist of each, and a wheel built from it, in a folder that holds none yet; all files there."""
    if old := [*out.glob("*.whl"), *out.glob("*.tar.gz")]:
        sys.exit(f"{out} holds {old[0].name} already: empty it, or name another folder.")
    for project in projects:
        call(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, project)
    built = sorted([*out.glob("*.whl"), *out.glob("*.tar.gz")])
    call(sys.executable, "-m", "twine", "check", "--strict", *built)
    return built


def try_out(wheels: Sequence[Path]) -> None:
    """Install wheels into a new environment, what they need by constraints.txt, and do there what is done first."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        venv.create(folder / "venv", with_pip=True)
        commands = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        call(commands / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", *wheels)
        for words in FIRST:
            call(commands / "diffmidi", *words, cwd=folder)


def version_of(project: Path) -> str:
    """The version of a distribution, from the one place that says it."""
    config = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    if "version" in config["project"]:
        return str(config["project"]["version"])
    text = (project / config["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    return re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)[0]


def problem_of_tag(tag: str, version: str, changelog: str) -> str | None:
    """What is wrong with a tag, in a sentence; None where it names this version and the changelog has it, dated."""
    if tag != f"v{version}":
        return f"the tag is {tag} and the version {version}: set it in diffmidi_core/__init__.py, or tag v{version}."
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        return f"CHANGELOG.md has no heading `## [{version}] - YYYY-MM-DD`: date what stands under [Unreleased]."
    return None


def _clean() -> dict[str, str]:
    """This environment without what would lead a new one back into this clone."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def main() -> None:
    """What is asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("build", "try", "tag"))
    parser.add_argument("where", help="a folder for the distributions; of `tag` the tag")
    asked = parser.parse_args()
    if asked.what == "tag":
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        sys.exit(problem_of_tag(asked.where, version_of(ROOT), changelog))
    out = Path(asked.where)
    if asked.what == "build":
        with tempfile.TemporaryDirectory() as aside:
            build(SHOWN, Path(aside))
        for file in build(PUBLISHED, out):
            print(f"{file} ({file.stat().st_size / 2**20:.1f} MB)")
    else:
        try_out(sorted(out.glob("*.whl")))


if __name__ == "__main__":
    main()
