"""What lies in a run is changed in odd ways: every command says what is wrong in one sentence, or does its work."""

import contextlib
import copy
import json
import random
import shutil

import pytest

from diffmidi_core.checksums import digest, sealed

from .conftest import silence

DEEP, NESTED = "@deep@", "[" * 10_000 + "]" * 10_000
"""A value by which what is nested too deeply to be read is put into a file."""
VALUES = (
    *(None, True, -1, 0, 10**400, 2**64, 1e308, float("nan"), float("inf"), -0.5, "", "x", "\x1b[31m", "\ud800", "\0"),
    *([], {}, [None], [[[]]], {"a": None}, {"name": 3}, [1, "a"], DEEP),
)
TEXTS = (b"", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"NaN", b"3", b"[]")

COMPARE, REPORT = "compare mine --csv t.csv --html t.html", "report mine"
SAMPLE, EXPORT = "sample mine --render none --samples 1 --steps 2", "export mine --to new"
EVALUATE = "evaluate mine -o evaluate.windows=2 -o evaluate.levels=1"
RENDER = "render mine --no-renderer wav"
RESUME = "train mine --resume --iterations 6"
FILES = {
    "config.json": (COMPARE, REPORT, SAMPLE),
    "run.json": (COMPARE, REPORT, EXPORT, RESUME),
    "metrics.jsonl": (COMPARE, REPORT, EXPORT),
    "checkpoints/step-000006/manifest.json": (SAMPLE, EXPORT),
    "checkpoints/step-000006/model.safetensors": (SAMPLE,),
    "checkpoints/step-000006/ema.safetensors": (EXPORT,),
    "draws/1/request.json": (COMPARE, REPORT, RENDER),
    "draws/1/record.jsonl": (REPORT, RENDER),
    "draws/1/figures.json": (COMPARE, REPORT, EXPORT),
    "data/data.json": (REPORT, EVALUATE),
    "data/tokens.arrow": (REPORT, EVALUATE),
}


def places(tree, path=()):
    """The way to every value of a tree."""
    yield path
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in pairs:
        yield from places(value, (*path, name))


def changed(tree, rng):
    """The same with one value another, or gone."""
    path = rng.choice(list(places(tree)))
    if not path:
        return rng.choice(VALUES)
    tree = copy.deepcopy(tree)
    above = tree
    for name in path[:-1]:
        above = above[name]
    if rng.random() < 0.15:
        del above[path[-1]]
    else:
        above[path[-1]] = rng.choice(VALUES)
    return tree


def as_text(tree):
    return json.dumps(tree).replace(json.dumps(DEEP), NESTED)


def change_text(file, rng):
    text = file.read_text()
    if rng.random() < 0.15:
        file.write_bytes(rng.choice((*TEXTS, text[: rng.randrange(len(text))].encode())))
    elif file.suffix == ".jsonl":
        lines = text.splitlines()
        number = rng.randrange(len(lines))
        lines[number] = as_text(changed(json.loads(lines[number]), rng))
        file.write_text("\n".join(lines) + "\n")
    else:
        tree = changed(json.loads(text), rng)
        if "checksum" in json.loads(text) and isinstance(tree, dict):
            with contextlib.suppress(ValueError):
                tree = sealed(tree)
        file.write_text(as_text(tree))


def change_bytes(file, rng):
    data = bytearray(file.read_bytes())
    length = int.from_bytes(data[:8], "little")
    kind = rng.random()
    if kind < 0.2:
        data = data[: rng.randrange(len(data))]
    elif file.suffix == ".safetensors" and kind < 0.8:
        header = as_text(changed(json.loads(data[8 : 8 + length]), rng)).encode()
        data = len(header).to_bytes(8, "little") + header + data[8 + length :]
    else:
        for _ in range(rng.choice((1, 4, 16))):
            at = rng.randrange(len(data) // 4) * 4
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4), rng.randbytes(4)))
    file.write_bytes(data)


def with_new_checksums(folder):
    """What lists the checksums of the files beside it does so of what they are now."""
    for file in folder.glob("*.json"):
        tree = json.loads(file.read_text())
        tree["files"] = {name: digest(folder / name) for name in tree["files"]}
        file.write_text(json.dumps(sealed(tree) if "checksum" in tree else tree))


@pytest.mark.parametrize("name", FILES)
def test_odd_values_are_one_sentence(mine, diffmidi, name, tmp_path):
    silence(mine)
    for seed in range(4):
        rng = random.Random(f"{name} {seed}")
        again = shutil.copytree(mine, tmp_path / "kept", dirs_exist_ok=True)
        if (mine / name).suffix in (".json", ".jsonl"):
            change_text(mine / name, rng)
        else:
            change_bytes(mine / name, rng)
            with_new_checksums((mine / name).parent)
        said = diffmidi(*rng.choice(FILES[name]).split())
        assert said.code in (0, 1, 2), (seed, said.err)
        if said.code:
            assert said.err.strip().splitlines()[-1].startswith("Error: "), (seed, said.err)
        assert "\x1b[31m" not in said.out + said.err
        shutil.rmtree(mine)
        shutil.rmtree("new", ignore_errors=True)
        shutil.move(again, mine)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "[" * 100_000),
        ("run.json", '{"data": ' + NESTED + "}"),
        ("draws/1/figures.json", '{"figures": ' + NESTED + "}"),
    ],
)
def test_json_that_is_nested_too_deeply_is_one_sentence(mine, diffmidi, name, text):
    (mine / name).write_text(text)
    said = diffmidi("compare", mine)
    assert said.code == 1
    assert said.err.strip() == f"Error: {mine / name} is not JSON that diffmidi wrote: it is nested too deeply."


def test_odd_lines_of_a_log_are_left_out(mine, diffmidi):
    before = diffmidi("compare", mine).out
    with (mine / "metrics.jsonl").open("a") as file:
        for value in (NESTED, "1" + "0" * 400, '"x"', "null", "NaN"):
            file.write(f'{{"step": {value}, "loss": 1}}\n{{"step": 6, "steps_per_second": {value}}}\n')
    said = diffmidi("compare", mine)
    assert said.code == 0, said.err
    assert said.out == before
    assert diffmidi("report", mine).code == 0


def test_figures_that_are_none_are_not_exported(mine, diffmidi):
    figures = json.loads((mine / "draws/1/figures.json").read_text())
    first = next(iter(figures["figures"]))
    figures["figures"][first] = {"value": "<b>"}
    (mine / "draws/1/figures.json").write_text(json.dumps(figures))
    said = diffmidi("export", mine, "--to", "new")
    assert said.code == 1
    assert f"draws/1/figures.json holds no figures (figures.{first}" in said.err
