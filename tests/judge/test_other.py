"""Other music is measured with the model, all of it, and its figures are kept apart."""

import pytest

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.judge.checkpoint import judge_checkpoint
from diffmidi_core.judge.other import judge_other
from diffmidi_core.sections import Part

from .conftest import write_music, written


@pytest.fixture
def other(tmp_path):
    return write_music(tmp_path / "jazz (live)", range(50, 54))


FOLDER = Part(name="folder")


def test_the_other_music_is_measured_and_not_the_runs_own(work, model, reference, judging, other, tmp_path):
    figures = tmp_path / "figures"
    own = judge_checkpoint(work, model, reference, judging("bound_bpw"), to=figures)
    found = judge_other(work, model, str(other), FOLDER, judging("bound_bpw", windows=1000), to=figures)
    assert written(figures / "step-000400.jazz-live.json") == found
    assert written(figures / "step-000400.json") == own
    assert found["data"] == {"data": str(other), "source": "folder", "pieces": 4, "refused": 0}
    assert found["split"] == "all"
    assert found["data_fingerprint"] != own["data_fingerprint"]
    # 4 pieces of 48 notes, 4 tokens each, in windows of 32: none is left out for training or validation.
    assert found["windows"] == found["figures"]["bound_bpw"]["count"] == 4 * 48 * 4 // 32
    assert found["figures"]["bound_bpw"]["value"] != own["figures"]["bound_bpw"]["value"]


def test_a_draw_is_compared_with_the_other_music_and_keeps_its_own_figures(
    work, model, reference, judging, other, draw
):
    chosen = judging("pitch_range", "originality")
    found = judge_other(work, model, str(other), FOLDER, chosen, draw=draw, training=reference.training)
    assert set(found["pieces"]) == {"001", "002", "003"}
    assert found["draw"]["request"]["request"]["seed"] == 7
    assert found["figures"]["pitch_range"]["reference"] is not None
    assert found["figures"]["originality/match"]["reference"] is not None
    assert not draw.figures_file.exists()


def test_other_music_of_the_same_name_does_not_replace_the_first(work, model, judging, other, tmp_path):
    again = write_music(tmp_path / "elsewhere" / other.name, range(60, 64))
    for data in (other, again, other):
        judge_other(work, model, str(data), FOLDER, judging("bound_bpw"), to=tmp_path / "figures")
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["step-000400.jazz-live-2.json", "step-000400.jazz-live.json"]
    assert written(tmp_path / "figures" / names[0])["data"]["data"] == str(again)


def test_other_files_that_cannot_be_read_are_said(work, model, judging, other, ears):
    (other / "broken.mid").write_bytes(b"MThd")
    found = judge_other(work, model, str(other), FOLDER, judging("bound_bpw"))
    assert (found["data"]["pieces"], found["data"]["refused"]) == (4, 1)
    (said,) = ears.warnings
    assert said.startswith("1 of the 5 pieces cannot be used and are not measured. The first: ")


def test_other_music_that_is_not_there_is_said(work, model, judging, tmp_path):
    with pytest.raises(DiffmidiError, match="nowhere does not exist"):
        judge_other(work, model, str(tmp_path / "nowhere"), FOLDER, judging("bound_bpw"))


def test_nothing_is_left_of_its_preparation(work, model, judging, other, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    judge_other(work, model, str(other), FOLDER, judging("bound_bpw"))
    assert not list((tmp_path / "temporary").iterdir())
    assert {path.suffix for path in other.iterdir()} == {".mid"}
