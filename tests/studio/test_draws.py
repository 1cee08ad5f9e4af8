"""Draws: queued, told as they come, cancelled, failed, and there again when the studio is."""

import json
from pathlib import Path

import pytest


def kinds(page, draw: str, **headers: str) -> list[str]:
    text = page.get(f"/api/draws/{draw}/events", headers=headers).text
    return [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]


def test_takes_come_one_by_one_and_then_the_end(page):
    draw = page.ask(page.upload(), candidates=2)
    told = kinds(page, draw)
    assert told[-1] == "done"
    assert told.count("take") == 2
    assert told.index("take") < len(told) - 1 - told[::-1].index("progress") < len(told) - 1
    assert page.ended(draw)["takes"] == [f"{draw}.001", f"{draw}.002"]
    after = {"last-event-id": str(len(told) - 1)}
    assert kinds(page, draw, **after) == ["done"]
    over = page.get(f"/api/draws/{draw}/events", headers={"last-event-id": str(len(told))})
    assert over.status_code == 204


def test_the_command_line_that_does_the_same_stands_beside_a_draw(page):
    piece = page.upload()
    draw = page.ask(piece, region=["bars 1-2, pitch C4-C5", "bars 5"], locks=["rhythm"], candidates=2, seed=3, steps=7)
    assert page.ended(draw)["command_line"] == (
        f"diffmidi infill {page.library.midi(piece)} --model model --region 'bars 1-2, pitch C4-C5' --region 'bars 5' "
        "--lock rhythm --candidates 2 --seed 3 --steps 7 -o sample.batch_size=1"
    )


def test_labels_can_be_asked_of_a_piece_and_the_plan_names_the_command_before_it_is_drawn(page):
    piece = page.upload()
    asked = {"region": ["bars 1-2"], "want": {"key": "Dminor"}, "guidance": 2.5, "seed": 4}
    plan = page.post("/api/plan", json={"piece": piece, "command": "infill", **asked}).json()
    assert plan["command_line"] == (
        f"diffmidi infill {page.library.midi(piece)} --model model --region 'bars 1-2' --candidates 1 "
        "--want key=Dminor --guidance 2.5 --seed 4"
    )
    assert page.ended(page.ask(piece, **asked))["command_line"] == plan["command_line"]


def test_music_from_nothing_is_a_draw_whose_takes_are_kept_as_pieces(page):
    answer = page.post("/api/pieces", json={"bars": 4}).json()
    assert answer["command_line"] == "diffmidi sample model --bars 4 --samples 1 --seed 0"
    (take,) = page.ended(answer["draw"])["takes"]
    told = page.get(f"/api/takes/{take}").json()
    assert (len(told["new"]), told["removed"], told["parent"]) == (len(told["notes"]), [], None)
    kept = page.post(f"/api/takes/{take}/keep").json()["piece"]
    assert page.get(f"/api/pieces/{kept}").json()["parent"] is None


def test_a_plan_says_what_a_dry_run_says(page):
    piece = page.upload()
    told = page.post("/api/plan", json={"piece": piece, "command": "infill", "region": ["bars 3-4"]}).json()
    assert (told["bars"], told["notes"]) == ("3-4", 8)
    assert "Kept: 24 notes" in told["sentence"]
    assert page.get("/api/state").json()["draws"] == []


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"region": []}, "nothing says what is to be drawn anew"),
        ({"region": ["bars 99"]}, "bars up to 8"),
        ({"region": ["<script>"]}, "is no condition"),
        ({"region": ["\ud800"]}, "region"),
        ({"region": "bars 1"}, "region"),
        ({"locks": ["tempo"]}, "can be locked"),
        ({"command": "rm"}, "command"),
        ({"command": "sample"}, "from nothing"),
        ({"piece": None}, "needs a piece"),
        ({"candidates": 10**6}, "candidates"),
        ({"seed": -1}, "seed"),
        ({"bars": "8; rm"}, "bars"),
        ({"strength": float("nan")}, "strength"),
        ({"shell": "x"}, "shell"),
        ({"want": "key=Cmajor"}, "want"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_queued(page, wanted, sentence):
    body = json.dumps({"piece": page.upload(), "command": "infill", "region": ["bars 1-2"], **wanted})
    for path in ("/api/draws", "/api/plan"):
        answer = page.post(path, content=body)
        assert answer.status_code == 400
        assert sentence in answer.json()["error"]
        assert "\n" not in answer.json()["error"]
    assert page.get("/api/state").json()["draws"] == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000, b'"a"'])
def test_what_is_no_json_object_is_refused(page, body):
    assert page.post("/api/draws", content=body).status_code == 400


def computes(process: int) -> bool:
    """Whether a process is there and is more than a remainder of one."""
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_cancel_ends_the_computation_and_the_next_draw_goes_on(page):
    piece = page.upload()
    endless, waits, next_one = page.ask(piece, seed=99), page.ask(piece), page.ask(piece)
    page.until(endless, lambda told: told["takes"])
    worker = page.jobs._worker.pid
    assert computes(worker)
    assert page.get("/api/state").json()["queue"] == [endless, waits, next_one]
    assert page.delete(f"/api/draws/{waits}").json()["state"] == "cancelled"
    told = page.delete(f"/api/draws/{endless}").json()
    assert not computes(worker)
    assert (told["state"], told["takes"]) == ("cancelled", [f"{endless}.001"])
    assert kinds(page, endless)[-1] == "cancelled"
    assert page.ended(next_one)["state"] == "done"
    assert page.get(f"/api/draws/{waits}").json()["takes"] == []
    assert page.delete(f"/api/draws/{next_one}").json()["state"] == "done"


def test_a_worker_that_dies_fails_its_draw_alone(page):
    piece = page.upload()
    dies, fails, goes_on = page.ask(piece, seed=98, candidates=3), page.ask(piece, seed=97), page.ask(piece)
    told = page.ended(dies)
    assert (told["state"], told["takes"]) == ("failed", [f"{dies}.001"])
    assert "ended unexpectedly (3)" in told["error"]
    assert page.ended(fails)["error"] == "this model cannot do that."
    assert page.ended(goes_on)["state"] == "done"


def test_a_studio_that_starts_again_has_everything(start):
    page = start()
    piece = page.upload()
    done, endless = page.ask(piece, candidates=2), page.ask(piece, seed=99, candidates=2)
    page.ended(done)
    page.until(endless, lambda told: told["takes"])
    waits = page.ask(piece)
    before = page.get("/api/state").json()
    worker = page.jobs._worker.pid
    page = start()
    assert not computes(worker)
    after = page.get("/api/state").json()
    assert after["pieces"] == before["pieces"]
    assert [draw["state"] for draw in after["draws"]] == ["done", "failed", "failed"]
    assert [draw["takes"] for draw in after["draws"]] == [[f"{done}.001", f"{done}.002"], [f"{endless}.001"], []]
    assert "after 1 of 2 takes" in after["draws"][1]["error"]
    assert kinds(page, waits) == ["failed"]
    assert kinds(page, done) == ["take", "take", "done"]
    assert page.get(f"/api/takes/{endless}.001").status_code == 200


def test_two_tabs_do_not_spoil_each_other(page):
    one, other = page.upload(), page.upload()
    assert one != other
    mine, theirs = page.ask(one), page.ask(other, seed=99)
    page.until(theirs, lambda told: told["takes"])
    also_mine = page.ask(one)
    page.delete(f"/api/draws/{theirs}")
    assert {page.ended(draw)["state"] for draw in (mine, also_mine)} == {"done"}
    (take,) = page.ended(mine)["takes"]
    kept = page.post(f"/api/pieces/{one}/keep", json={"take": take}).json()["piece"]
    again = page.post(f"/api/pieces/{one}/keep", json={"take": take}).json()["piece"]
    assert kept != again
    assert page.get(f"/api/pieces/{other}").json()["redo"] is None
    assert {page.get(f"/api/pieces/{each}").json()["undo"] for each in (kept, again)} == {one}
