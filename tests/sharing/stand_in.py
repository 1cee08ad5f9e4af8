"""A stand-in for the Hugging Face Hub: the few endpoints that publishing and fetching a model take, in memory.

As there, weights, sound and pictures are sent to a store for large files (Git LFS), and other files inside the commit.
"""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_good"


class Hub:
    """While it is entered it listens at `url`; `models` maps names to files and their bytes."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.store: dict[str, bytes] = {}
        hub = self

        class Handler(_Handler):
            def __init__(self, *arguments) -> None:
                self.hub = hub
                super().__init__(*arguments)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "Hub":
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            if asked.get("private") or asked.get("visibility") == "private":
                self.hub.private.add(name)
            self.hub.models.setdefault(name, {})
            return self._answer(200, {"url": f"{self.hub.url}/{name}"})
        if self.path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/models/(\S+?)/preupload/main", self.path):
            files = [{"path": file["path"], "uploadMode": _mode(file["path"])} for file in json.loads(body)["files"]]
            return self._answer(200, {"files": [{**file, "shouldIgnore": False} for file in files]})
        if re.fullmatch(r"/\S+\.git/info/lfs/objects/batch", self.path):
            asked = json.loads(body)["objects"]
            there = [{**each, "actions": {"upload": {"href": f"{self.hub.url}/store"}}} for each in asked]
            return self._answer(200, {"transfer": "basic", "objects": there})
        if found := re.fullmatch(r"/api/models/(\S+?)/commit/main", self.path):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.hub.models[found[1]][line["value"]["path"]] = content
                elif line["key"] == "lfsFile":
                    self.hub.models[found[1]][line["value"]["path"]] = self.hub.store[line["value"]["oid"]]
            oid = self._commit(found[1])
            return self._answer(200, {"commitUrl": f"{self.hub.url}/{found[1]}/commit/{oid}", "commitOid": oid})
        return self._answer(404, {"error": f"no {self.path} here"})

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.store[hashlib.sha256(content).hexdigest()] = content
        self._answer(200, {})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+|/tree/[^/]+)?", path):
            name, what = found[1], found[2] or ""
            if name not in self.hub.models:
                return self._missing("RepoNotFound")
            files, oid = self.hub.models[name], self._commit(name)
            if what.rpartition("/")[2] not in ("", "main", oid):
                return self._missing("RevisionNotFound")
            if what.startswith("/tree"):
                listed = [{"path": file, "size": len(data), "oid": _tag(data)} for file, data in files.items()]
                return self._answer(200, [{"type": "file", **each} for each in listed])
            said = {"id": name, "sha": oid, "private": name in self.hub.private, "tags": [], "downloads": 0}
            return self._answer(200, {**said, "siblings": [{"rfilename": file} for file in files]})
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            data = self.hub.models[found[1]].get(found[2])
            if data is None:
                return self._missing("EntryNotFound")
            return self._send(200, data, {"ETag": f'"{_tag(data)}"', "X-Repo-Commit": self._commit(found[1])})
        return self._answer(404, {"error": f"no {path} here"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""

    def _commit(self, name: str) -> str:
        return hashlib.sha1(repr(sorted(self.hub.models[name].items())).encode()).hexdigest()

    def _missing(self, code: str) -> None:
        self._send(404, json.dumps({"error": code}).encode(), {"X-Error-Code": code})

    def _answer(self, status: int, value: object) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _mode(path: str) -> str:
    return "lfs" if path.endswith((".safetensors", ".wav", ".png")) else "regular"


def _tag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
