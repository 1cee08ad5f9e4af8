"""`diffmidi plugins`: the listing, one part's options, and the kit without pytest."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest
from click.testing import CliRunner

from diffmidi_core.cli.plugins import command
from diffmidi_core.errors import BrokenPluginError, DiffmidiError, UsageError
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import offers

HEAVY = ("torch", "transformers", "numpy", "symusic", "matplotlib", "music21", "diffmidi_schedules.schedules")
WORKING = """
from diffmidi.api.schedule import NoiseSchedule

class Part(NoiseSchedule):
    def alpha_bar(self, t):
        return (1 - t) ** self.options.power
"""


def run(*arguments: str, columns: int = 80) -> str:
    runner = CliRunner(env={"COLUMNS": str(columns)})
    result = runner.invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


def as_list() -> dict[tuple[str, str], dict[str, str]]:
    return {(row["kind"], row["name"]): row for row in json.loads(run("--json"))}


def test_every_installed_part_is_listed():
    rows = as_list()
    assert set(rows) == {(kind, offer.spelling) for kind in KINDS for offer in offers(kind)}
    sqrt = rows["schedule", "sqrt"]
    assert (sqrt["package"], sqrt["state"], sqrt["why"]) == ("diffmidi", "declared", None)
    assert sqrt["summary"]


def test_a_heading_for_each_kind_and_a_line_for_each_part(install, good):
    install("acme-midi", {"diffmidi.schedules": {"power": "acme:declared"}}, acme=good("acme"), acme_parts=WORKING)
    lines = run().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert [line for line in lines if line in KINDS] == [kind for kind in KINDS if offers(kind)]
    listed = lines[lines.index("schedule") + 1 : lines.index("process") - 1]
    assert [line.split()[0] for line in listed] == [offer.name for offer in offers("schedule")]
    assert [line for line in listed if "0.1.0" in line or "declared" in line] == []
    assert "  power      (acme-midi 1.0) falls as a power" in listed


def test_a_summary_that_is_too_long_is_cut_behind_a_word_and_whole_where_there_is_room():
    def bert(width):
        return next(line for line in run("--kind", "backbone", columns=width).splitlines() if line[2:6] == "bert")

    assert bert(40) == "  bert     BERT encoder (transformers)…"
    assert bert(200).endswith(offers("backbone")[0].described().summary)
    assert bert(8) == "  bert"


def test_two_parts_of_one_name_are_told_apart(install, good):
    install("acme-midi", {"diffmidi.schedules": {"cosine": "acme:declared"}}, acme=good("acme"), acme_parts=WORKING)
    names = [line.split()[0] for line in run("--kind", "schedule").splitlines() if line.startswith("  ")]
    assert names == ["cosine", "linear", "loglinear", "sqrt", "acme-midi:cosine"]


def test_one_kind_is_listed_alone():
    assert run("--kind", "schedule").splitlines()[0] == "schedule"
    assert "metric" not in run("--kind", "schedule")
    assert {row["kind"] for row in json.loads(run("--kind", "schedule", "--json"))} == {"schedule"}
    with pytest.raises(UsageError, match=r"there is no kind 'metrics'\. Did you mean 'metric'"):
        run("--kind", "metrics")


def test_a_broken_part_is_listed_with_the_reason_in_full_below(install):
    install("acme-midi", {"diffmidi.schedules": {"bad": "acme:declared"}}, acme="raise RuntimeError('no [red]key')")
    output = run()
    assert "  bad        (acme-midi 1.0) broken, see below\n" in output
    assert (
        "schedule 'bad' of acme-midi 1.0 is broken: its declaration acme:declared cannot be imported "
        "(RuntimeError: no [red]key)."
    ) in " ".join(output.split())
    assert "sqrt" in output


def test_nothing_heavy_and_no_implementation_is_imported_to_list():
    code = (
        "import sys; from diffmidi_core.cli.plugins import command; command.main([], standalone_mode=False); "
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "sqrt" in done.stdout


def test_offers_imports_not_even_a_declaration():
    code = (
        "import sys; from diffmidi_core.kinds import KINDS; from diffmidi_core.registry import offers; "
        "[offers(kind) for kind in KINDS]; "
        "print([name for name in sys.modules if name.endswith('.declarations')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_show_prints_options_with_type_default_bounds_and_meaning():
    output = run("show", "backbone", "bert")
    assert "backbone bert: BERT" in output
    assert "diffmidi_backbones.bert:Bert" in output
    words = {line.split()[0]: " ".join(line.split()[1:]) for line in output.splitlines() if line.strip()}
    assert words["option"] == "type default bounds meaning"
    assert words["size"].startswith("tiny | mini | small ")
    assert words["layers"].startswith("int 4 ≥ 1 ")
    assert words["dropout"].startswith("float 0.1 ≥ 0, < 1 ")
    assert words["pretrained"].startswith("path | null null ")


def test_show_says_the_family_the_steps_and_that_there_are_no_options():
    assert "family          gaussian" in run("show", "sampler", "ddpm")
    assert "steps           20, unless --steps says otherwise" in run("show", "sampler", "confidence")
    assert "It has no options." in run("show", "schedule", "sqrt")


def test_show_of_what_is_not_there_is_an_error_of_usage(install):
    with pytest.raises(UsageError, match="Did you mean 'bert'"):
        run("show", "backbone", "brt")
    with pytest.raises(UsageError, match="there is no kind 'bckbone'"):
        run("show", "bckbone", "bert")
    install("acme-midi", {"diffmidi.schedules": {"bad": "acme:declared"}}, acme="raise RuntimeError")
    with pytest.raises(BrokenPluginError, match=r"acme-midi 1\.0"):
        run("show", "schedule", "bad")


def test_check_passes_a_part_that_keeps_its_promises(install, good):
    install(
        "acme-midi",
        {"diffmidi.schedules": {"power": "acme_ok:declared"}},
        acme_ok=good("acme_ok"),
        acme_ok_parts=WORKING,
    )
    output = run("check", "Acme_Midi")
    assert output.splitlines()[0] == "schedule-acme-midi:power  (acme-midi 1.0)"
    assert "  pass  check_signal_falls" in output
    assert "FAIL" not in output
    assert output.rstrip().endswith("checks passed.")


def test_check_says_which_promise_is_broken_and_leaves_with_1(install, good, capsys):
    rising = WORKING.replace("(1 - t) ** self.options.power", "t")
    install(
        "acme-midi",
        {"diffmidi.schedules": {"power": "acme_up:declared"}},
        acme_up=good("acme_up"),
        acme_up_parts=rising,
    )
    result = CliRunner().invoke(command, ["check", "acme-midi"], standalone_mode=False)
    assert isinstance(result.exception, DiffmidiError)
    assert result.exception.exit_code == 1
    assert "  FAIL  check_signal_falls\n        alpha_bar falls; it rises at t = [0.0]" in result.output
    assert "  pass  check_builds" in result.output


def test_check_of_a_broken_part_says_so_once(install):
    install("acme-midi", {"diffmidi.schedules": {"bad": "acme:declared"}}, acme="raise RuntimeError('no')")
    result = CliRunner().invoke(command, ["check", "acme-midi"], standalone_mode=False)
    assert result.output.count("is broken") == 1
    assert "1 of 1 checks failed" in str(result.exception)


def test_check_of_a_package_that_is_not_there():
    with pytest.raises(UsageError, match=r"no installed package 'difmidi' offers parts.* Did you mean 'diffmidi'"):
        run("check", "difmidi")


def test_check_says_the_promise_and_file_and_line_and_knows_expected_failures(install, good):
    noisy = WORKING.replace("(1 - t) ** self.options.power", "1 - 0.5 * t")
    install(
        "acme-midi",
        {"diffmidi.schedules": {"power": "acme_ex:declared"}},
        acme_ex=good("acme_ex"),
        acme_ex_parts=noisy,
    )
    result = CliRunner().invoke(command, ["check", "acme-midi"], standalone_mode=False)
    assert "promise: alpha_bar(1) is nearly 0" in result.output
    assert "acme_ex_parts.py:4" in result.output.replace("\n", "")
    name = "schedule-acme-midi:power-check_noise_at_one"
    output = run("check", "acme-midi", "--expect", f"{name}=as published")
    assert "xfail  check_noise_at_one (as published)" in output
    assert "checks went as they should" in output
    with pytest.raises(DiffmidiError, match="1 of"):
        run("check", "acme-midi", "--expect", f"{name}=x", "--expect", "schedule-acme-midi:power-check_builds=y")
    with pytest.raises(UsageError, match="names no check"):
        run("check", "acme-midi", "--expect", f"{name}=x", "--expect", "schedule-other-check_builds=y")


def test_a_setting_is_shown_so_that_a_shell_takes_it_as_one_word(install):
    declared = """
from diffmidi.api import Declaration, Field, Options

class Some(Options):
    voices: tuple[str, ...] = Field(("soprano", "alto", "tenor", "bass"), description="who sings, the highest first")

declared = Declaration(summary="by voices", implementation="acme_parts:Part", options=Some)
"""
    install("acme-midi", {"diffmidi.schedules": {"voices": "acme:declared"}}, acme=declared, acme_parts=WORKING)
    shown = run("show", "schedule", "voices", columns=60)
    line = next(line for line in shown.splitlines() if line.startswith("Set one with "))
    assert shlex.split(line)[3:] == ["-o", 'schedule.voices=["soprano", "alto", "tenor", "bass"]']
