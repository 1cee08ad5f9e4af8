"""Any MIDI files against other music: no model, no tokenizer."""

import shutil

import numpy as np
import pytest
from symusic.core import TimeSignatureTick

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.config import default_parts, resolve
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.judge.files import judge_files, stretches
from diffmidi_core.judge.metrics import Metrics
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.sections import Part

from .conftest import LENGTH, write_music, written

METRICS = [part.name for part in default_parts("metric")]


@pytest.fixture
def against(tmp_path):
    return write_music(tmp_path / "theirs", range(20, 26))


@pytest.fixture
def samples(tmp_path):
    return write_music(tmp_path / "mine", range(10, 14), notes=20)


@pytest.fixture
def judge(hooks):
    def judge(samples, against, *names, **how):
        chosen = Metrics([Part(name=name) for name in names or METRICS], hooks.warn)
        return judge_files(samples, against, chosen, hooks=hooks, **how)

    return judge


def test_every_metric_that_needs_no_model_judges_files_with_intervals(judge, samples, against, ears):
    write_music(samples, range(14, 18), notes=20)
    found = judge(samples, against)
    assert ears.warnings == []
    judged = {name.partition("/")[0] for name in found["figures"]}
    needs = {
        "bound_bpw",
        "baselines",
        "bits_per_note",
        "bits_by_type",
        "rounding_bpw",
        "exact_bits",
        "grammar_faults",
        "grammar_changes",
        "obedience",
    }
    assert judged == set(METRICS) - needs
    assert set(found["left_out"]) == needs
    low, high = found["figures"]["pitch_range"]["interval"]
    assert low < found["figures"]["pitch_range"]["value"] < high
    assert found["figures"]["pitch_range"]["reference"] is not None
    assert set(found["pieces"]) == {f"{seed}.mid" for seed in range(10, 18)}
    # 48 notes in stretches of 20: the last 8 are too few.
    assert (found["against"]["stretches"], found["against"]["notes_each"]) == (12, 20)


def test_nothing_is_written_but_where_it_is_asked_for(judge, samples, against, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    judge(samples, against, "pitch_range")
    assert sorted(tmp_path.rglob("*")) == before
    found = judge(samples, against, "pitch_range", out=tmp_path / "out.json")
    assert written(tmp_path / "out.json") == found


def test_files_that_cannot_be_read_are_counted_and_named(judge, samples, against, ears):
    for name in ("a", "b", "c", "d"):
        (samples / f"{name}.mid").write_bytes(b"MThd")
    found = judge(samples, against, "pitch_range")
    assert found["samples"]["read"] == found["figures"]["pitch_range"]["count"] == 4
    assert len(found["samples"]["refused"]) == 4
    (said,) = ears.warnings
    assert said.startswith("4 of the 8 files in ")
    assert "a.mid is cut short" in said
    assert said.endswith(" And 1 more.")


def test_what_is_copied_from_the_other_folder_is_found(judge, samples, against):
    assert judge(samples, against, "originality")["figures"]["originality/match"]["value"] < 10
    copied = judge(against, against, "originality")["figures"]
    assert copied["originality/match"]["value"] == 48
    assert set(copied) == {"originality/match"}, "stretches of that folder are no measure of how new something is"


@pytest.fixture
def run(data, model, tmp_path):
    """A run as far as judging looks at one: its config and its data."""
    config = resolve(None, {"process": "gaussian", "length": LENGTH}, ("tokenizer.layout=aligned",))
    return RunFolder.new(tmp_path / "run", config), shutil.copytree(data, tmp_path / "run" / "data")


def test_against_a_run_files_stand_beside_its_test_music_and_are_new_or_not_beside_its_training_music(
    judge, run, reference, samples, tmp_path
):
    found = judge(samples, run[0].path, "pitch_range", "originality")
    assert found["against"]["split"] == "test"
    # 48 notes in stretches of 20: the last 8 are too few.
    assert found["against"]["stretches"] == 2 * len(reference.dataset.test_pieces)
    assert found["figures"]["originality/percentile"]["reference"] == 50
    training = tmp_path / "training"
    for number in range(len(reference.training)):
        write_midi(reference.training.read(number), training / f"{number}.mid")
    assert judge(training, run[0].path, "originality")["figures"]["originality/match"]["value"] == 48
    assert not run[0].figures.exists()


def test_a_run_without_its_data_is_no_folder_of_music_either(judge, run, samples):
    shutil.rmtree(run[1])
    with pytest.raises(DiffmidiError, match=r"there are no \.mid"):
        judge(samples, run[0].path, "pitch_range")


def test_music_shorter_than_the_samples_is_no_comparison(judge, samples, against, ears):
    assert judge(against, samples, "pitch_range")["figures"]["pitch_range"]["reference"] is None
    assert any("as long as the samples typically are (48 notes)" in said for said in ears.warnings)


@pytest.mark.parametrize("flag", ["--samples", "--against"])
def test_a_folder_that_is_not_there_or_empty_is_said_by_its_flag(judge, samples, tmp_path, flag):
    (tmp_path / "empty").mkdir()
    for folder, why in (("nowhere", "does not exist"), ("empty", "there are no .mid")):
        pair = (tmp_path / folder, samples) if flag == "--samples" else (samples, tmp_path / folder)
        with pytest.raises(DiffmidiError if folder == "empty" else UsageError, match=why) as error:
            judge(*pair, "pitch_range")
        assert "--data" not in str(error.value)


def test_no_file_that_can_be_read_is_said(judge, against, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.mid").write_bytes(b"no")
    with pytest.raises(DiffmidiError, match=r"none of the 1 files in --samples .*bad can be read. The first: "):
        judge(tmp_path / "bad", against, "pitch_range")


def test_stretches_tile_pieces_and_keep_chords_and_times():
    onset = np.array([0, 0, 480, 480, 480, 960, 1440, 1920])
    piece = score_of(Notes(onset, np.full(8, 100), np.arange(60, 68), np.full(8, 80)))
    found = sorted((notes_of(each) for each in stretches([piece], 3, 10)), key=lambda notes: notes.onset[0])
    assert [notes.pitch.tolist() for notes in found] == [[60, 61, 62, 63, 64], [65, 66, 67]]
    assert found[1].onset.tolist() == [960, 1440, 1920]  # the first bar of 4/4 lasts to 1920
    assert len(stretches([piece] * 9, 3, 4)) == 4


def test_stretches_begin_with_a_bar_and_keep_metres():
    """Two bars of 3/4, then 4/4: three notes a bar, a bar a stretch."""
    onset = np.array([0, 480, 960, 1440, 1920, 2400, 2880, 3360, 3840])
    piece = score_of(Notes(onset, np.full(9, 100), np.arange(60, 69), np.full(9, 80)), metre=(3, 4))
    piece.time_signatures.append(TimeSignatureTick(2880, 4, 4))
    found = sorted(stretches([piece], 3, 10), key=lambda each: notes_of(each).pitch[0])
    assert [notes_of(each).onset.tolist() for each in found] == [[0, 480, 960]] * 3
    signs = [[(sign.time, sign.numerator) for sign in each.time_signatures] for each in found]
    assert signs == [[(0, 3)], [(0, 3)], [(0, 4)]]
    (across,) = (each for each in stretches([piece], 5, 10) if notes_of(each).pitch[0] == 65)
    assert [(sign.time, sign.numerator) for sign in across.time_signatures] == [(0, 3), (1440, 4)]
    assert notes_of(across).onset.tolist() == [960, 1440, 1920, 2400]
    piece.time_signatures = type(piece.time_signatures)([])
    assert all(not each.time_signatures for each in stretches([piece], 3, 10))


def test_a_metric_that_asks_a_model_says_which_option_names_it(judge, samples, against, ears):
    assert judge(samples, against, "judge")["figures"] == {}
    assert "metric 'judge'" in ears.warnings[0]
    assert "none is named: add -o metric.NAME.model=RUN" in ears.warnings[0]
