"""The rules of the house that code can break without any other test noticing."""

from __future__ import annotations

import ast
import importlib.util
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from diffmidi_core.kinds import KINDS

ROOT = Path(__file__).parents[1]
CORE = sorted((ROOT / "diffmidi_core").rglob("*.py"))
DOORS = sorted((ROOT / "diffmidi").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").glob("*/src/**/*.py"))
DECLARATIONS = [path for path in (*PLUGINS, *EXAMPLES) if path.name == "declarations.py"]
PACKAGES = {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()}
HEAVY = {"torch", "transformers", "numpy", "symusic", "datasets", "accelerate", "matplotlib", "music21", "safetensors"}
LIGHT = [
    *(
        ROOT / "diffmidi_core" / f"{name}.py"
        for name in ("__init__", "config", "declaration", "errors", "files", "kinds", "presets")
    ),
    *(ROOT / "diffmidi_core" / f"{name}.py" for name in ("hooks", "hookspecs", "numbers", "registry")),
    *(ROOT / "diffmidi" / f"{name}.py" for name in ("__init__", "commands", "api/__init__")),
    *(ROOT / "diffmidi_core" / "cli").glob("*.py"),
    *DECLARATIONS,
]
OF_KINDS = {kind.name: f"diffmidi.api.{kind.name}" for kind in KINDS.values() if kind.contract}
LONGEST = 320
"""Lines: a file is one subject that a newcomer reads in one sitting."""

pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path, *, top: bool = False) -> Iterator[str]:
    """The modules a file imports, type checking's aside; only those that importing it imports, where `top`."""

    def walk(nodes: list[ast.stmt]) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name(path)} imports relatively"
                yield node.module or ""
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                yield from walk(node.orelse)
            elif not (top and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
                for field in ("body", "orelse", "finalbody", "handlers"):
                    yield from walk(getattr(node, field, []))

    return walk(ast.parse(path.read_text(encoding="utf-8")).body)


@pytest.mark.parametrize("path", [*PLUGINS, *EXAMPLES], ids=name)
def test_a_plugin_imports_the_doors_alone_and_no_other_plugin(path):
    own = next(part for part in reversed(path.parts) if part.startswith("diffmidi_") and not part.endswith(".py"))
    ours = {module for module in imports(path) if module.split(".")[0] in {"diffmidi", "diffmidi_core", *PACKAGES}}
    assert {module for module in ours if module.split(".")[0] != own} <= {"diffmidi.api", *OF_KINDS.values()}


@pytest.mark.parametrize("path", CORE, ids=name)
def test_the_core_imports_no_plugin_and_no_door(path):
    assert not {module for module in imports(path) if module.split(".")[0] in {"diffmidi", *PACKAGES}}


@pytest.mark.parametrize("path", DOORS, ids=name)
def test_a_door_imports_no_plugin(path):
    assert not {module for module in imports(path) if module.split(".")[0] in PACKAGES}


ROOMS = (
    "music",
    "contracts",
    "data",
    "diffusion",
    "machine",
    "saved",
    "draw",
    "steer",
    "judge",
    "train",
    "publish",
    "show",
    "run",
    "studio",
)
"""Each imports what stands before it, and nothing behind it."""


@pytest.mark.parametrize("path", [path for path in CORE if path.parent.name in ROOMS], ids=name)
def test_no_arrow_leads_back(path):
    own = ROOMS.index(path.parent.name)
    rooms = {
        module.split(".")[1] for module in imports(path) if module.startswith("diffmidi_core.") and "." in module[14:]
    }
    assert not rooms & {"cli", "testing"}
    assert not {room for room in rooms if room in ROOMS and ROOMS.index(room) > own}


@pytest.mark.parametrize("path", LIGHT, ids=name)
def test_light_modules_import_nothing_heavy_at_the_top(path):
    assert not {module for module in imports(path, top=True) if module.split(".")[0] in HEAVY}


@pytest.mark.parametrize("path", [*CORE, *DOORS, *PLUGINS, *EXAMPLES], ids=name)
def test_nothing_from_a_file_is_executed(path):
    text = path.read_text(encoding="utf-8")
    assert not {"pickle", "dill", "joblib", "shelve", "marshal"} & {module.split(".")[0] for module in imports(path)}
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        called = ast.unparse(call.func)
        assert called not in ("eval", "exec", "compile", "os.system")
        said = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert called != "torch.load" or said.get("weights_only") == "True"
        assert called not in ("np.load", "numpy.load") or said.get("allow_pickle", "False") == "False"


@pytest.mark.parametrize("path", [*CORE, *DOORS, *PLUGINS, *EXAMPLES], ids=name)
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def chosen_by_name(path: Path) -> Iterator[str]:
    """Names that a file gives to a call which looks a part up: find("sampler", NAME), Part(name=NAME), ..."""
    for call in (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)):
        called = ast.unparse(call.func)
        if called == "Part":
            given = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
        else:
            given = call.args[1:2] if called in ("find", "smallest") else []
        yield from (each.value for each in given if isinstance(each, ast.Constant))


@pytest.mark.parametrize("path", CORE, ids=name)
def test_the_core_names_no_part(path):
    """What is chosen where nobody chose is the default preset's, and presets are a package's as parts are."""
    assert list(chosen_by_name(path)) == []


def test_every_entry_point_is_in_the_wheel_and_resolves():
    groups = pyproject["project"]["entry-points"]
    assert set(groups) <= {kind.group for kind in KINDS.values()}
    packages = {Path(package).name for package in pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert packages == {"diffmidi", "diffmidi_core", *PACKAGES}
    for group, entries in groups.items():
        for entry, target in entries.items():
            module, _, attribute = target.partition(":")
            assert module.split(".")[0] in packages, f"{group} {entry}"
            source = Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")
            assigned = {ast.unparse(node.targets[0]) for node in ast.parse(source).body if isinstance(node, ast.Assign)}
            assert attribute in assigned, f"{group} {entry}: {target}"


DECLARED = {kind.declaration.__name__ for kind in KINDS.values()}


def test_every_declaration_is_an_entry_point():
    """A part that is declared and not offered would be neither listed nor tested."""
    offered = {target for entries in pyproject["project"]["entry-points"].values() for target in entries.values()}
    for path in (each for each in PLUGINS if each.name == "declarations.py"):
        assigned = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
        for node in assigned:
            if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in DECLARED:
                assert f"{path.parent.name}.declarations:{ast.unparse(node.targets[0])}" in offered


@pytest.mark.parametrize("package", sorted({"diffmidi", "diffmidi_core", *PACKAGES}))
def test_every_package_is_typed(package):
    folder = ROOT / package if package in ("diffmidi", "diffmidi_core") else ROOT / "plugins" / package
    assert (folder / "py.typed").is_file()
