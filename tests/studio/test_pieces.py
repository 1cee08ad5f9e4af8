"""Pieces: what is dropped, shown, kept, undone, played and emptied, whatever names and texts there are in it."""

import pytest

from .conftest import midi

HOSTILE = [
    "../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/shadow",
    '<img src=x onerror="alert(1)">.mid',
    "a\"b'c.mid",
    "a\x00b\x1b[31m\u202e.mid",
    "ä" * 300,
    "...",
    "",
]


def test_a_piece_has_its_notes_bars_and_beats_in_seconds(page):
    told = page.get(f"/api/pieces/{page.upload()}").json()
    assert told["bars"][1] == [2, 2.0, 4.0, 4, 4]
    assert (len(told["bars"]), len(told["beats"]), told["seconds"]) == (8, 32, 16.0)
    assert told["notes"][4] == [0, 64, 2.0, 2.4167, 70, 2]
    assert told["tracks"] == [{"number": 1, "name": "Piano", "program": 0, "drums": False, "notes": 32}]
    assert (told["name"], told["parent"], told["undo"], told["redo"]) == ("song.mid", None, None, None)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_name_is_shown_and_is_never_a_path(page, name):
    piece = page.upload(name=name or " ")
    shown = page.get(f"/api/pieces/{piece}").json()["name"]
    assert shown
    assert len(shown) <= 200
    assert not {"/", "\\", "\x00", "\x1b", "\u202e"} & {*shown}
    assert shown.strip(".")
    folder = page.library.folder
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"piece.mid", "piece.json", "studio.json"}
    assert {path.name for path in folder.parent.iterdir()} == {"given.mid", "studio"}
    answer = page.get(f"/api/pieces/{piece}.mid")
    assert answer.content == midi()
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "\n" not in answer.headers["content-disposition"]


def test_text_in_a_file_is_json_and_nothing_else(page):
    text = '</script><script>alert("1")</script>'
    answer = page.get(f"/api/pieces/{page.upload(midi(text))}")
    assert answer.json()["tracks"][0]["name"] == text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("data", [b"", b"MThd", b"<html>", b"\x00" * 1000, midi()[:30]])
def test_what_is_no_midi_file_is_refused_and_not_kept(page, data):
    answer = page.post("/api/pieces", files={"file": ("a.mid", data)})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("a.mid ")
    assert not [*page.library.pieces_folder.iterdir()]


def test_an_upload_without_a_file_is_refused(page):
    assert page.post("/api/pieces", files={"other": ("a.mid", midi())}).status_code == 400
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    assert page.post("/api/pieces", content=b"--x", headers=form).status_code == 400
    many = [("file", ("a.mid", midi())), ("file", ("b.mid", midi()))]
    assert page.post("/api/pieces", files=many).status_code == 400


@pytest.mark.parametrize("where", ["pieces", "takes", "draws"])
@pytest.mark.parametrize(
    "address",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fgiven",
        "piece-1%00",
        "piece-01x",
        "a" * 300,
        "piece-1%2f..%2fpiece-1",
        "<b>",
        "piece-9",
    ],
)
def test_an_address_leads_nowhere_else(page, where, address):
    page.upload()
    for suffix in ("", ".mid", ".wav"):
        answer = page.get(f"/api/{where}/{address}{suffix}")
        assert answer.status_code == 404
        assert "error" in answer.json()


def test_a_take_is_kept_as_a_new_piece_and_can_be_undone(page):
    piece = page.upload()
    draw = page.ask(piece, candidates=2)
    first, second = page.ended(draw)["takes"]
    before = page.get(f"/api/pieces/{piece}.mid").content
    kept = [page.post(f"/api/pieces/{piece}/keep", json={"take": take}).json()["piece"] for take in (first, second)]
    assert len({piece, *kept}) == 3
    assert page.get(f"/api/pieces/{piece}.mid").content == before
    told = page.get(f"/api/pieces/{kept[1]}").json()
    assert (told["parent"], told["undo"], told["redo"], told["name"]) == (piece, piece, None, "song.mid")
    assert page.get(f"/api/pieces/{piece}").json()["redo"] == kept[1]
    assert page.get(f"/api/pieces/{kept[0]}.mid").content == page.get(f"/api/takes/{first}.mid").content


def test_a_take_is_kept_only_where_it_was_drawn(page):
    one, other = page.upload(), page.upload()
    (take,) = page.ended(page.ask(one))["takes"]
    assert page.post(f"/api/pieces/{other}/keep", json={"take": take}).status_code == 400
    for wrong in ("../../given", "infill-99.001", one, None, ["x"]):
        assert page.post(f"/api/pieces/{one}/keep", json={"take": wrong}).status_code == 404


def test_a_take_says_what_is_new_in_it(page):
    piece = page.upload()
    (take,) = page.ended(page.ask(piece))["takes"]
    told = page.get(f"/api/takes/{take}").json()
    assert [told["notes"][place][1] for place in told["new"]] == [61, 61, 61]
    assert [note[1] for note in told["removed"]] == [60, 60, 60]
    assert told["parent"] == piece


def test_a_piece_and_a_take_are_heard(page):
    piece = page.upload(midi(notes=1))
    for _ in range(2):
        sound = page.get(f"/api/pieces/{piece}.wav")
        assert (sound.content[:4], sound.headers["content-type"]) == (b"RIFF", "audio/wav")
    part = page.get(f"/api/pieces/{piece}.wav", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"RIFF")


def test_emptying_keeps_what_is_open_in_any_tab_and_what_is_drawn(page):
    mine, theirs, other, drawn = (page.upload() for _ in range(4))
    page.get(f"/api/pieces/{other}?tab=them")
    page.get(f"/api/pieces/{theirs}?tab=them")
    gone = page.ended(page.ask(mine))["id"]
    busy = page.ask(drawn, seed=99)
    page.until(busy, lambda told: told["takes"])
    size = page.get("/api/state").json()["bytes"]
    assert page.post("/api/empty", json={"open": [mine]}).json()["bytes"] < size
    state = page.get("/api/state").json()
    assert [piece["id"] for piece in state["pieces"]] == [mine, theirs, drawn]
    assert [draw["id"] for draw in state["draws"]] == [busy]
    assert page.get(f"/api/draws/{gone}").status_code == 404
    assert page.upload() not in (mine, theirs, other, drawn, gone)
