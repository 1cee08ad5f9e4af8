"""Who is refused: other programs, other pages, other names of this address, and what is too large."""

import asyncio

import pytest
from starlette.testclient import TestClient

from diffmidi_core.studio import guard
from diffmidi_core.studio.guard import HEADER, MOST_JSON

from .conftest import HOST, TOKEN

CHANGES = [
    ("POST", "/api/pieces"),
    ("POST", "/api/draws"),
    ("POST", "/api/plan"),
    ("POST", "/api/pieces/piece-1/keep"),
    ("POST", "/api/takes/infill-1.001/keep"),
    ("POST", "/api/empty"),
    ("DELETE", "/api/draws/infill-1"),
]


def stranger(page) -> TestClient:
    """Another program of this machine: no cookie, no token."""
    return TestClient(page.app, base_url=f"http://{HOST}")


@pytest.mark.parametrize(
    "path", ["/", "/?token=", "/?token=wrong", "/?token=secret-token2", "/api/state", "/page/a.js"]
)
def test_nothing_is_told_without_the_token(page, path):
    answer = stranger(page).get(path)
    assert answer.status_code == 403
    assert "token" in answer.json()["error"]
    assert TOKEN not in answer.text


def test_a_token_in_the_address_opens_the_page_alone(page):
    assert stranger(page).get(f"/api/state?token={TOKEN}").status_code == 403


def test_the_cookie_is_kept_from_scripts_and_other_sites(page):
    cookie = stranger(page).get(f"/?token={TOKEN}").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    wrong = TestClient(page.app, base_url=f"http://{HOST}", cookies={next(iter(page.cookies)): "wrong"})
    assert wrong.get("/api/state").status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "0.0.0.0:8000", ""]
)
def test_another_name_of_this_address_is_refused(page, host):
    for path in ("/", f"/?token={TOKEN}", "/api/state"):
        assert page.get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8001", f"https://{HOST}"])
def test_another_origin_is_refused_even_with_the_token(page, origin):
    assert page.get("/api/state", headers={"Origin": origin}).status_code == 403
    assert page.post("/api/empty", headers={"Origin": origin}).status_code == 403
    assert page.post("/api/empty", headers={"Origin": f"http://{HOST}"}).status_code == 200
    assert "access-control-allow-origin" not in page.get("/api/state").headers


def test_what_another_site_embeds_is_refused(page):
    for site in ("cross-site", "same-site"):
        assert page.get("/api/state", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert page.get("/api/state", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_change_needs_the_header(page, method, path, token):
    del page.headers[HEADER]
    answer = page.request(method, path, headers={} if token is None else {HEADER: token})
    assert answer.status_code == 403
    assert HEADER in answer.json()["error"]


def test_every_answer_has_a_strict_policy(page):
    for answer in (page.get("/"), page.get("/api/state"), page.get("/nowhere"), stranger(page).get("/")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not {"unsafe-inline", "unsafe-eval", "http", "*", "data:", "blob:"} & {*policy.replace(";", " ").split()}
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/api/draws", "/api/plan", "/api/empty", "/api/pieces"])
def test_a_request_that_says_that_it_is_too_large_is_not_read(page, path):
    answer = page.post(path, content=b"x" * (MOST_JSON + 1))
    assert answer.status_code == 413
    assert page.post(path, headers={"Content-Length": "-1"}).status_code == 413


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "application/json"])
def test_a_request_that_does_not_end_is_bounded_while_it_is_read(page, monkeypatch, kind):
    monkeypatch.setattr(guard, "MAX_BYTES", 2**20)
    sent, read = [], 0
    first = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mid"\r\n\r\n'

    async def receive():
        nonlocal read
        read += 1
        return {"type": "http.request", "body": first if read == 1 else b"x" * 2**16, "more_body": True}

    async def send(message):
        sent.append(message)

    cookies = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    headers = {"host": HOST, "cookie": cookies, HEADER.lower(): TOKEN, "content-type": kind}
    scope = {
        **{"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/api/pieces"},
        **{"raw_path": b"/api/pieces", "query_string": b"", "root_path": "", "client": None, "server": None},
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(page.app(scope, receive, send))
    assert sent[0]["status"] == 413
    assert read < 20


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page",
        "/page/%2e%2e",
        "/page/../app.py",
        "/page/%2e%2e%2fapp.py",
        "/page/..%5capp.py",
        "/studio/",
        "/draws/",
    ],
)
def test_no_folder_is_listed_and_no_other_file_served(page, path):
    answer = page.get(path)
    assert answer.status_code == 404
    assert "error" in answer.json()
    assert "import" not in answer.text
