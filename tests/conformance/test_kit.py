"""The kit catches what it says it catches: parts that each break one promise fail that check, and hardly any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffmidi_core.errors import UsageError
from diffmidi_core.kinds import KINDS
from diffmidi_core.registry import Offer, find
from diffmidi_core.testing import Component, checks_for, installed_by, parametrize_with_checks
from diffmidi_core.testing.component import failures

WRONG = {
    ("schedule", "rising"): {"check_signal_falls", "check_betas_are_noise"},
    ("schedule", "too_clean"): {"check_noise_at_one"},
    ("schedule", "float32"): {"check_alpha_bar_is_elementwise"},
    ("schedule", "two_lines"): {"check_summary_is_one_line"},
    ("schedule", "undescribed"): {"check_options_are_described"},
    ("schedule", "unfrozen"): {"check_unknown_option_is_refused"},
    ("schedule", "seeds_the_world"): {"check_leaves_globals_alone"},
    ("tokenizer", "partial_decode"): {"check_decoding_is_total"},
    ("tokenizer", "forgetful"): {
        "check_plain_notes_are_not_lost",
        "check_words_survive_decoding",
        "check_notes_survive",
        "check_pieces_are_encoded_alike",
    },
    ("tokenizer", "untimely"): {"check_a_timeline_is_kept"},
    ("tokenizer", "salted"): {"check_fingerprint_is_the_same_everywhere"},
    ("tokenizer", "no_boundary"): {"check_faultless", "check_pieces_are_encoded_alike", "check_groups_are_whole"},
    ("tokenizer", "off_key"): {"check_transposed_words_are_transposed_music"},
    ("tokenizer", "mistaken"): {"check_velocity_tokens_tell_velocities", "check_time_adds_up"},
    ("backbone", "peeks"): {"check_padding_is_not_seen", "check_causal_mask_is_respected"},
    ("backbone", "idle"): {"check_every_parameter_gets_a_gradient"},
    ("backbone", "counts"): {"check_places_are_where_features_stand", "check_cached_is_the_same"},
    ("process", "learns_padding"): {"check_loss_ignores_padding"},
    ("process", "own_step"): {"check_a_step_may_be_cut"},
    ("process", "global_noise"): {"check_leaves_globals_alone"},
    ("sampler", "overwrites"): {
        "check_any_legal_canvas_is_filled_legally",
        "check_fixed_words_stay",
        "check_oracle_gives_the_words_back",
        "check_only_what_is_allowed_is_drawn",
    },
    ("sampler", "chooses_freely"): {
        "check_only_what_is_allowed_is_drawn",
        "check_any_legal_canvas_is_filled_legally",
        "check_the_condition_reaches_the_denoiser",
    },
    ("sampler", "mixes_rows"): {"check_a_row_is_the_same_whatever_is_beside_it"},
    ("control", "widens"): {"check_preparing_only_narrows"},
    ("control", "relative"): {"check_losses_are_of_each_piece"},
    ("control", "idle_rule"): {"check_it_is_something"},
    ("control", "first_row"): {"check_wrapped_answers_as_a_denoiser"},
    ("metric", "last_row"): {"check_order_is_irrelevant", "check_nothing_measured_is_no_figure"},
    ("metric", "counts_tokens"): {"check_music_is_enough"},
    ("source", "twins"): {"check_pieces_repeat"},
    ("renderer", "in_place"): {"check_replaces_whole", "check_unwritable_is_said"},
    ("hook", "raises"): {"check_survives_a_run", "check_a_second_run_is_as_the_first"},
    ("hook", "deaf"): {"check_listens"},
    ("preset", "of_data"): {"check_kinds_are_known", "check_a_run_can_begin_from_it"},
    ("preset", "of_nobody"): {"check_parts_can_be_chosen", "check_a_run_can_begin_from_it"},
    ("preset", "misfit"): {"check_a_run_can_begin_from_it"},
}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "wrong"))


def wrong(kind: str, name: str, module: str = "wrong_declarations") -> Offer:
    return Offer(kind, name, "wrong-parts", "1.0", f"{module}:{name}")


@pytest.mark.parametrize(("part", "caught"), WRONG.items(), ids=["-".join(part) for part in WRONG])
def test_a_broken_promise_is_caught_by_name(part, caught):
    found = {name for name, error in failures(wrong(*part)) if error is not None}
    assert found == caught


def test_an_import_of_numpy_in_a_declaration_is_caught():
    found = dict(failures(wrong("schedule", "heavy", "wrong_heavy")))
    assert [name for name, error in found.items() if error] == ["check_declaration_is_light"]
    assert "imports numpy" in str(found["check_declaration_is_light"])


def test_a_part_that_cannot_be_built_is_said_to_be():
    found = dict(failures(wrong("schedule", "abstract")))
    assert "leaves out what a NoiseSchedule must have: alpha_bar" in str(found["check_builds"])


def test_a_sampler_of_a_family_without_a_process_is_told_so():
    found = dict(failures(wrong("sampler", "homeless")))
    assert "no installed process is of the family 'no such family'" in str(found["check_fixed_words_stay"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_checks_of_its_own_and_each_says_what_it_promises(kind):
    checks = checks_for(kind)
    assert any(check.__module__.endswith(f".{kind}") for check in checks)
    assert len({check.__name__ for check in checks}) == len(checks)
    assert all(check.__doc__ for check in checks)


def test_parametrising_names_each_case_after_part_and_check():
    mark = parametrize_with_checks([find("schedule", "sqrt")])
    names, cases = mark.mark.args
    assert names == ("component", "check")
    assert [case.id for case in cases] == [f"schedule-sqrt-{check.__name__}" for check in checks_for("schedule")]


def test_declarations_of_installed_packages_will_do_as_well():
    cases = parametrize_with_checks([find("schedule", "sqrt").load()]).mark.args[1]
    assert cases[0].values[0] == Component(find("schedule", "sqrt"))
    with pytest.raises(UsageError, match="no installed package offers wrong_parts:Rising"):
        parametrize_with_checks([wrong("schedule", "rising").load()])


def test_an_expected_failure_is_strict_and_must_name_a_test():
    reasons = {"schedule-sqrt-check_signal_falls": "it does not, #1"}
    cases = parametrize_with_checks([find("schedule", "sqrt")], reasons).mark.args[1]
    marked = {case.id: case.marks for case in cases if case.marks}
    assert list(marked) == list(reasons)
    assert marked["schedule-sqrt-check_signal_falls"][0].kwargs == {"reason": "it does not, #1", "strict": True}
    with pytest.raises(UsageError, match="schedule-sqrt-check_nothing"):
        parametrize_with_checks([find("schedule", "sqrt")], {"schedule-sqrt-check_nothing": "why"})


def test_nothing_to_check_is_an_error():
    with pytest.raises(UsageError, match="no parts to check"):
        parametrize_with_checks([])
    with pytest.raises(UsageError, match="Did you mean 'diffmidi'"):
        installed_by("difmidi")
