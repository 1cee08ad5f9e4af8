"""What a release needs, without building one: metadata, one place for the version, and a tag that agrees with it."""

from __future__ import annotations

import re
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from packaging.requirements import Requirement

from diffmidi_core import __version__

from .scripts import ROOT, module_at, release

LARGEST = 4 * 2**20
"""Bytes of a file in an sdist: the starter's weights have 3.7 million."""
EVERY = [*release.PUBLISHED, *release.SHOWN]


def builder(project: Path) -> SdistBuilder:
    return SdistBuilder(str(project))


@pytest.mark.parametrize("project", release.PUBLISHED, ids=lambda path: path.name)
def test_pypi_can_show_it(project):
    core = builder(project).metadata.core
    assert {"Homepage", "Source"} <= set(core.urls)
    assert core.authors
    assert core.keywords
    assert core.description
    assert core.license_expression
    assert core.license_files == ["LICENSE"]
    assert core.requires_python == ">=3.11"
    assert core.readme_content_type == "text/markdown"
    links = re.findall(r"\]\(([^)#][^)]*)\)", core.readme)
    assert links
    assert [link for link in links if not link.startswith(("http", "diffmidi_starter/"))] == []


@pytest.mark.parametrize("project", EVERY, ids=lambda path: path.name)
def test_it_builds_and_takes_this_version(project):
    """hatchling refuses classifiers and licences that there are not."""
    core = builder(project).metadata.core
    assert core.classifiers
    for needed in map(Requirement, core.dependencies):
        if needed.name == "diffmidi":
            assert needed.specifier.contains(__version__)


def test_the_version_stands_in_one_place():
    assert builder(ROOT).metadata.version == release.version_of(ROOT) == __version__
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in config["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert "version" not in cited, "it would be the second one"


def test_links_into_the_repository_lead_to_the_tag_and_others_stay():
    absolute = module_at(ROOT / "hatch_build.py").absolute
    text = "![a](docs/b.png) [c](d/e.md#f) [g](https://h/i) [j](#k) `[l]`"
    home = "https://github.com/diffmidi/diffmidi"
    assert absolute(text, "1.2") == (
        f"![a]({home}/raw/v1.2/docs/b.png) [c]({home}/blob/v1.2/d/e.md#f) [g](https://h/i) [j](#k) `[l]`"
    )


def test_the_sdist_holds_what_its_tests_need_and_no_music(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    files = [Path(file.path) for file in builder(ROOT).recurse_included_files()]
    names = {file.relative_to(ROOT).as_posix() for file in files}
    needed = ("tests/conftest.py", "examples/uniform-noise/pyproject.toml", "benchmarks/device.py", "docs/sample.png")
    assert {*needed, ".ci/release.py", "constraints.txt", "Makefile", "hatch_build.py", "CITATION.cff"} <= names
    assert {Path(name).suffix for name in names} & {".wav", ".parquet", ".arrow", ".pyc", ".zip"} == set()
    assert [name for name in names if name.endswith(".mid")] == [
        "models/diffmidi-starter/diffmidi_starter/model/sample.mid"
    ]
    assert max(file.stat().st_size for file in files) < LARGEST


def test_pythons_are_the_same_everywhere():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    told = [text.rpartition(" ")[2] for text in config["project"]["classifiers"] if re.search(r":: 3\.\d+$", text)]
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]
    assert set(jobs["test"]["strategy"]["matrix"]["python"]) == set(told)
    assert config["tool"]["mypy"]["python_version"] == told[0]
    assert config["tool"]["ruff"]["target-version"] == f"py{told[0].replace('.', '')}"


DATED = f"## [Unreleased]\n\n## [1.2.0] - {date(2027, 1, 2)}\n\n### Added\n"


def test_a_tag_that_agrees():
    assert release.problem_of_tag("v1.2.0", "1.2.0", DATED) is None


@pytest.mark.parametrize(
    ("tag", "version", "sentence"),
    [
        ("v1.2.1", "1.2.0", "the tag is v1.2.1 and the version 1.2.0"),
        ("1.2.0", "1.2.0", "or tag v1.2.0"),
        ("v1.2.1", "1.2.1", r"no heading `## [1.2.1] - YYYY-MM-DD`"),
    ],
)
def test_a_tag_that_does_not(tag, version, sentence):
    assert sentence in release.problem_of_tag(tag, version, DATED)


def test_the_changelog_has_a_place_for_what_comes_next():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
