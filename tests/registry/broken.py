"""Broken packages of every sort, as they would lie in site-packages, and what is told of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from diffmidi_core import __version__
from diffmidi_core.config import resolve
from diffmidi_core.kinds import KINDS

API = "from diffmidi.api import *\n"
FINE = API + "declared = Declaration('falls', 'acme_parts:Part')"
PART = """
from diffmidi.api.schedule import NoiseSchedule

class Part(NoiseSchedule):
    def alpha_bar(self, t):
        return 1 - t
"""

POWER = "schedule 'power' of acme-midi 1.0"
IMPORTED = f"{POWER} is broken: its declaration acme:declared cannot be imported"


@dataclass(frozen=True)
class Row:
    """A package.

    Attributes:
        says: what is told of it: in the list, beside it, or where it is chosen.
        declaration: the text of module `acme`, or its bytes; None: there is no such module.
        kind, name, target: its entry point.
        files: of its dist-info, in place of what would lie there; None: not there at all.
        modules: others that it has.
        chosen: what somebody does who chooses it.
        slow: seconds that it may take to declare itself.
    """

    says: str
    declaration: str | bytes | None = FINE
    kind: str = "schedule"
    name: str = "power"
    target: str = "acme:declared"
    files: dict[str, str | bytes | None] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    chosen: Callable[[], object] | None = None
    slow: float = math.inf


def metadata(*lines: str, name: str = "acme-midi") -> dict[str, str | bytes | None]:
    return {"METADATA": "\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *lines, ""])}


def entry_points(*lines: str) -> dict[str, str | bytes | None]:
    return {"entry_points.txt": "\n".join([*lines, ""])}


def choosing(**flags: object) -> Callable[[], object]:
    return lambda: resolve(flags=flags)


def declaring(kind: str, more: str) -> str:
    return f"{API}declared = {KINDS[kind].declaration.__name__}('x', 'acme_parts:Part', {more})"


IMPORTS = {
    "raises": Row(f"{IMPORTED} (RuntimeError: no licence key).", "raise RuntimeError('no licence\\nkey')"),
    "needs-a-module": Row(f"{IMPORTED} (ModuleNotFoundError: No module named 'not_there')", "import not_there"),
    "needs-an-older-api": Row(f"{IMPORTED} (ImportError: cannot import name 'Plan'", "from diffmidi.api import Plan"),
    "unknown-argument": Row(f"{IMPORTED} (TypeError: ", declaring("schedule", "wings=2")),
    "syntax": Row(f"{IMPORTED} (SyntaxError: ", "def"),
    "indentation": Row(f"{IMPORTED} (IndentationError: ", "if 1:\n1"),
    "no-utf-8": Row(f"{IMPORTED} (SyntaxError: ", b"x = '\xff'"),
    "null-bytes": Row(f"{IMPORTED} (SyntaxError: ", b"x = 1\0"),
    "relative": Row(f"{IMPORTED} (ImportError: attempted relative import", "from .other import x"),
    "circular": Row(
        f"{IMPORTED} (ImportError: ", "from acme_b import x", modules={"acme_b": "from acme import declared"}
    ),
    "exits": Row(f"{IMPORTED} (SystemExit: bye).", "import sys; sys.exit('bye')"),
    "exits-silently": Row(f"{IMPORTED} (SystemExit).", "raise SystemExit"),
    "no-exception": Row(f"{IMPORTED} (Panic: lost).", "class Panic(BaseException): ...\nraise Panic('lost')"),
    "generator-exit": Row(f"{IMPORTED} (GeneratorExit).", "raise GeneratorExit"),
    "recursion": Row(f"{IMPORTED} (RecursionError: ", "def f(): f()\nf()"),
    "memory": Row(f"{IMPORTED} (MemoryError).", "raise MemoryError"),
    "without-words": Row(f"{IMPORTED} (AssertionError).", "assert False"),
    "unspeakable": Row(
        f"{IMPORTED} (Mute).", "class Mute(Exception):\n    def __str__(self): return 1 / 0\nraise Mute"
    ),
    "colours": Row(f"{IMPORTED} (ValueError: \\x1b[31mred).", "raise ValueError('\\x1b[31mred')"),
    "not-there": Row(f"{IMPORTED} (ModuleNotFoundError: No module named 'acme')", None),
    "no-attribute": Row(f"{IMPORTED} (AttributeError: module 'acme' has no attribute 'declared')", ""),
    "lazy-attribute": Row(f"{IMPORTED} (KeyError: 'declared').", "def __getattr__(name): raise KeyError(name)"),
}

TYPES = {
    "a-number": Row(f"{POWER} is broken: acme:declared is of type int, not a diffmidi Declaration.", "declared = 3"),
    "a-class": Row(
        "acme:declared is of type type, not a diffmidi Declaration.", API + "class declared(Declaration): ..."
    ),
    "of-another-kind": Row("is of type Declaration, not a diffmidi SamplerDeclaration.", kind="sampler"),
    "of-a-kind-that-says-more": Row(
        "is of type SamplerDeclaration, not a diffmidi Declaration.", declaring("sampler", "family='masked'")
    ),
    "summary": Row("summary is one line of text, not None", API + "declared = Declaration(None, 'acme_parts:Part')"),
    "place": Row("'package.module:Class', not 'a.Part'", API + "declared = Declaration('x', 'a.Part')"),
    "no-place": Row("'package.module:Class', not None", API + "declared = Declaration('x', None)"),
    "options": Row("options is a subclass of diffmidi.api.Options", declaring("schedule", "options=dict")),
    "tiny": Row("tiny is a mapping of options to values, not 'small'", declaring("schedule", "tiny='small'")),
    "needs": Row("needs is a tuple of texts, such as ('one',), not 'json'", declaring("schedule", "needs=('json')")),
    "was": Row("was is a tuple of texts, such as ('one',), not (3,)", declaring("schedule", "was=(3,)")),
    "takes": Row("takes is a tuple of texts", declaring("source", "takes='*.flat'"), "source"),
    "decides": Row("decides names roles of tokens", declaring("control", "decides=('colour',)"), "control"),
    "decides-one": Row("decides is a tuple of texts", declaring("control", "decides='pitch'"), "control"),
    "steps": Row("steps is 1 or more, or None, not '20'", declaring("sampler", "steps='20'"), "sampler"),
    "better": Row("better is 'lower', 'higher' or '', not 'up'", declaring("metric", "better='up'"), "metric"),
    "goes-with-a-word": Row("goes_with names a part", declaring("process", "goes_with='ddpm'"), "process"),
    "goes-with-no-kind": Row(
        "goes_with names a part of a kind (source, tokenizer, backbone, schedule, sampler), not {'samplr': 'ddpm'}",
        declaring("process", "goes_with={'samplr': 'ddpm'}"),
        "process",
    ),
    "preset": Row("the parts of a preset name at least its process", API + "declared = Preset('x', [1])", "preset"),
}

CONTRACTS = {
    "newer-contract": Row(
        f"{POWER} is broken: it keeps version 2 of the contract of a schedule, and diffmidi {__version__} knows 1: "
        "pip install --upgrade diffmidi.",
        declaring("schedule", "contract=2"),
    ),
    "older-contract": Row(
        f"it keeps version 0 of the contract of a schedule, and diffmidi {__version__} knows 1: pip install --upgrade "
        "acme-midi.",
        declaring("schedule", "contract=0"),
    ),
    "contract-in-words": Row("contract is a whole number, not 'one'", declaring("schedule", "contract='one'")),
    "newer-diffmidi": Row(
        f"{POWER} is broken: it requires diffmidi>=99, and diffmidi {__version__} is installed: pip install --upgrade "
        "diffmidi.",
        "raise RuntimeError('must not be imported')",
        files=metadata("Requires-Dist: diffmidi >=99"),
        chosen=choosing(schedule="power"),
    ),
    "older-diffmidi": Row(
        f"it requires diffmidi<0.1, and diffmidi {__version__} is installed, which is another one.",
        files=metadata("Requires-Dist: diffmidi<0.1"),
    ),
    "extra-of-newer-diffmidi": Row(
        "it requires diffmidi>=99,", files=metadata("Requires-Dist: torch", "Requires-Dist: Diffmidi[studio] (>=99)")
    ),
    "unreadable-requirement": Row(
        "what it requires of diffmidi cannot be read ('diffmidi >>99')",
        files=metadata("Requires-Dist: diffmidi >>99"),
    ),
    "newer-model": Row(
        "model 'power' of acme-midi 1.0 is broken: it requires diffmidi>=99",
        kind="model",
        files=metadata("Requires-Dist: diffmidi>=99"),
    ),
}

METADATA = {
    "none": Row("schedule 'power' of unknown (no version) is broken", "1 / 0", files={"METADATA": None}),
    "no-utf-8": Row("schedule 'power' of unknown (no version) is broken", "1 / 0", files={"METADATA": b"Name: \xff"}),
    "coloured-name": Row("of \\x1b[31macme 1.0 is broken", "1 / 0", files=metadata(name="\x1b[31macme")),
    "another's-name": Row("says that it is numpy 1.0, and is not: none of its parts", files=metadata(name="numpy")),
    "our-name": Row("says that it is diffmidi 1.0, and is not: none", files=metadata(name="diffmidi")),
    "line-without-equals": Row(
        "entry_points.txt of acme-midi 1.0 cannot be read (line 2: 'power acme:declared'), so that none of its parts",
        files=entry_points("[diffmidi.schedules]", "power acme:declared"),
    ),
    "latin-1": Row(
        "entry_points.txt of acme-midi 1.0 cannot be read (UnicodeDecodeError: ",
        files={"entry_points.txt": "[diffmidi.schedules]\nmödel = acme:declared\n".encode("latin-1")},
    ),
    "another's-malformed": Row("", files=entry_points("[console_scripts]", "power acme:declared")),
    "another's-latin-1": Row("", files={"entry_points.txt": "[gui_scripts]\nmödel = a:b\n".encode("latin-1")}),
    "a-folder": Row("", files={"entry_points.txt": None}),
    "british": Row(
        "Warning: acme-midi 1.0 offers power under diffmidi.tokenisers, which is no kind of part. Did you mean "
        "'diffmidi.tokenizers'?",
        files=entry_points("[diffmidi.tokenisers]", "power = acme:declared"),
        chosen=choosing(tokenizer="power"),
    ),
    "singular": Row(
        "Did you mean 'diffmidi.schedules'?", files=entry_points("[diffmidi.schedule]", "power = acme:declared")
    ),
    "underscore": Row(
        "Did you mean 'diffmidi.schedules'?", files=entry_points("[diffmidi_schedules]", "power = acme:declared")
    ),
    "no-kind-at-all": Row(
        "offers power under diffmidi.wishes, which is no kind of part. Groups: diffmidi.tokenizers, ",
        files=entry_points("[diffmidi.wishes]", "power = acme:declared"),
    ),
    "its-own-group": Row("", files=entry_points("[diffmidi_acme.parts]", "power = acme:declared")),
    "colon-in-a-name": Row("schedule 'acme:x' of acme-midi 1.0 is broken: a name is of letters", name="acme:x"),
    "control-in-a-name": Row("schedule 'a\\x07b' of acme-midi 1.0 is broken: a name is of letters", name="a\x07b"),
    "no-colon": Row("its entry point is 'package.module:name', not 'acme'", target="acme"),
    "no-target": Row("its entry point is 'package.module:name', not ''", target=""),
    "more-than-a-target": Row("not 'acme:declared; import os'", target="acme:declared; import os"),
    "twice": Row(
        "acme-midi 1.0 offers schedule 'power' twice, as acme:declared and acme_b:declared.",
        files=entry_points("[diffmidi.schedules]", "power = acme:declared", "power = acme_b:declared"),
        modules={"acme_b": FINE},
        chosen=choosing(schedule="power"),
    ),
    "our-part's-name": Row("", name="sqrt"),
    "model-not-there": Row(
        "model 'power' of acme-midi 1.0 is broken: there is no package", kind="model", target="no_no"
    ),
    "model-without-folder": Row(
        "model 'power' of acme-midi 1.0 is broken: there is no package", kind="model", target="acme"
    ),
}

NOISY = {
    "print": Row("LOUD", f"print('LOUD')\n{FINE}"),
    "behind-python": Row("LOUD", f"import os; os.write(1, b'LOUD')\n{FINE}"),
    "first-output": Row("LOUD", f"import sys; sys.__stdout__.write('LOUD')\n{FINE}"),
    "a-program": Row("LOUD", f"import subprocess; subprocess.run(['echo', 'LOUD'])\n{FINE}"),
    "takes-output": Row("", f"import io, sys; sys.stdout = io.StringIO()\n{FINE}"),
    "closes-output": Row("", f"import sys; sys.stdout = None\n{FINE}"),
    "warns": Row("", f"import warnings; warnings.warn('LOUD')\n{FINE}"),
    "slow": Row(f"Warning: {POWER} took ", f"import time; time.sleep(0.02)\n{FINE}", slow=0.01),
    "loud-and-broken": Row(f"{IMPORTED} (ZeroDivisionError", "print('LOUD'); 1 / 0"),
}

CHOSEN = {
    "goes-with-nothing": Row(
        "process 'power' of acme-midi 1.0 is broken: it goes with sampler 'nope', and no sampler 'nope' is installed.",
        declaring("process", "family='masked', plans=True, goes_with={'sampler': 'nope'}"),
        "process",
        chosen=choosing(process="power"),
    ),
    "window-raises": Row(
        "tokenizer 'power' of acme-midi 1.0 failed while saying how long its windows are (ZeroDivisionError",
        API + "declared = TokenizerDeclaration('x', 'acme_parts:Part', window=lambda options: 1 / 0)",
        "tokenizer",
        chosen=choosing(tokenizer="power"),
    ),
    "window-in-words": Row(
        "window gives 1 or more and without_plan a text, not 'long' and ''",
        API + "declared = TokenizerDeclaration('x', 'acme_parts:Part', window=lambda options: 'long')",
        "tokenizer",
        chosen=choosing(tokenizer="power"),
    ),
    "merging-raises": Row(
        f"{POWER} failed while laying options over each other (KeyError: 'size').",
        API
        + "class Choices(Options):\n    x: int = 1\n    @classmethod\n    def merged(cls, below, above):\n"
        + "        return {'x': below['size']}\ndeclared = Declaration('x', 'acme_parts:Part', options=Choices)",
        chosen=lambda: resolve(flags={"schedule": "power"}, assignments=("schedule.x=2",)),
    ),
    "default-raises": Row(
        f"the options of {POWER} cannot be checked (ZeroDivisionError",
        API
        + "class Choices(Options):\n    x: int = Field(default_factory=lambda: 1 // 0)\n"
        + "declared = Declaration('x', 'acme_parts:Part', options=Choices)",
        chosen=choosing(schedule="power"),
    ),
    "no-json": Row(
        f"{POWER} failed while writing down its options (PydanticSerializationError",
        API
        + "class Choices(Options):\n    x: object = object()\n"
        + "declared = Declaration('x', 'acme_parts:Part', options=Choices)",
        chosen=choosing(schedule="power"),
    ),
    "preset-of-nothing": Row(
        "preset 'power' of acme-midi 1.0 is broken: it sets process 'nope', and no process 'nope' is installed.",
        API + "declared = Preset('x', {'process': {'name': 'nope'}})",
        "preset",
        chosen=choosing(preset="power"),
    ),
    "preset-with-a-slip": Row(
        "preset 'power' of acme-midi 1.0 is broken: it sets process 'masked', and process 'masked' "
        f"(diffmidi {__version__}): there is no option process.neighburs.",
        API + "declared = Preset('x', {'process': {'name': 'masked', 'options': {'neighburs': 8}}})",
        "preset",
        chosen=choosing(preset="power"),
    ),
    "metrics-of-a-preset": Row(
        "it sets metric 'nope', and no metric 'nope' is installed.",
        API + "declared = Preset('x', {'process': {'name': 'masked'}, 'metrics': [{'name': 'nope'}]})",
        "preset",
        chosen=choosing(preset="power"),
    ),
}

TABLE = {
    f"{part}-{name}": row
    for part, rows in {
        "imports": IMPORTS,
        "types": TYPES,
        "contracts": CONTRACTS,
        "metadata": METADATA,
        "noisy": NOISY,
        "chosen": CHOSEN,
    }.items()
    for name, row in rows.items()
}
