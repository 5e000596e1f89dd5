"""A hub of the tests' own on the loopback: as much of the hub's protocol as its own library uses.

Repositories with revisions, files, and large files on a server of their own (ranges, redirects, hashes), gates,
transfers that stand still, and uploads: preupload, LFS batch, commit.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

FIRST = "1" * 40
LARGE = (".safetensors", ".onnx", ".bin", ".gz", ".npz")  # kept in LFS, whatever their size
TOKEN = "hf_of_the_tests"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@dataclass
class Repository:
    """``commits``: commit -> file -> bytes."""

    commits: dict[str, dict[str, bytes]]
    main: str = FIRST
    licence: str = ""
    private: bool = False
    refuse: tuple[int, str] | None = None  # (status, X-Error-Code) of every request

    @property
    def files(self) -> dict[str, bytes]:
        """Of the latest commit."""
        return self.commits[self.main]


@dataclass
class Hub:
    """What is served, and what was asked for."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    announced: dict[str, str] = field(default_factory=dict)  # file -> a SHA-256 other than the true one
    requested: list[str] = field(default_factory=list)  # paths of the hub
    sent: list[tuple[str, int, int]] = field(default_factory=list)  # of the file server: file, first byte, bytes
    hold_after: int | None = None  # bytes of a large file after which it stands still, until ``go_on``
    go_on: Event = field(default_factory=Event)
    url: str = ""
    files_url: str = ""

    def add(self, name: str, folder: Path, *, licence: str = "", commit: str = FIRST) -> Repository:
        """Serve all files below a folder as a repository."""
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        repository = self.repositories[name] = Repository({commit: files}, commit, licence)
        return repository

    def environment(self, home: Path) -> dict[str, str]:
        """Variables for a process that uses this hub, with caches and models below ``home``."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_ETAG_TIMEOUT": "60",
            "SKETCHSEEK_MODELS": str(home / "models"),
            "NO_PROXY": "*",
        }

    def facts(self, name: str, commit: str) -> dict[str, Any]:
        repository = self.repositories[name]

        def sibling(file: str, body: bytes) -> dict[str, Any]:
            large = {"lfs": {"sha256": self.announced.get(file, sha256(body)), "size": len(body), "pointerSize": 130}}
            return {"rfilename": file, "size": len(body), **(large if file.endswith(LARGE) else {})}

        card = {"cardData": {"license": repository.licence}} if repository.licence else {}
        return {
            "id": name,
            "sha": commit,
            "siblings": [sibling(*one) for one in repository.commits[commit].items()],
            **card,
        }


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, value: Any) -> None:
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found


class _HubHandler(_Handler):
    """``/api/models/...``, ``/owner/name/resolve/...`` and uploads."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requested.append(path)
        parts = path.split("/")
        facts = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if facts else parts[:2])
        repository = self.hub.repositories.get(name)
        if repository is None:
            return self.answer(404, {"X-Error-Code": "RepoNotFound"})
        if repository.refuse:
            status, code = repository.refuse
            return self.answer(status, {"X-Error-Code": code} if code else {})
        revision = parts[5] if facts and len(parts) > 5 else "main" if facts else parts[3]
        commit = repository.main if revision == "main" else revision
        if commit not in repository.commits:
            return self.answer(404, {"X-Error-Code": "RevisionNotFound"})
        if facts:
            return self.answer_json(self.hub.facts(name, commit))
        file = "/".join(parts[4:])
        if file not in repository.commits[commit]:
            return self.answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        body = repository.commits[commit][file]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{sha256(body)[:40]}"'}
        if not file.endswith(LARGE):
            return self.answer(200, headers, body)
        place = f"{self.hub.files_url}/{name}/{commit}/{file}"
        linked = {"X-Linked-ETag": f'"{sha256(body)}"', "X-Linked-Size": str(len(body))}
        return self.answer(302, {**headers, **linked, "Location": place})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requested.append(path)
        body = self.body()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {}, b'{"error": "log in"}')
        if path == "api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'someone'}/{asked['name']}"
            if name in self.hub.repositories:
                return self.answer(409, {}, b'{"error": "it exists"}')
            private = asked.get("private") or asked.get("visibility") == "private"
            self.hub.repositories[name] = Repository({FIRST: {}}, private=bool(private))
            return self.answer_json({"url": f"{self.hub.url}/{name}", "name": name})
        if path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.hub.files_url}/upload/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            return self.answer_json({"transfer": "basic", "objects": objects})
        if path == "api/validate-yaml":  # the head of a model card
            return self.answer_json({"errors": [], "warnings": []})
        parts = path.split("/")
        name, action = "/".join(parts[2:4]), parts[4]
        if action == "preupload":
            files = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            return self.answer_json({"files": files})
        return self._commit(name, body)

    def _commit(self, name: str, body: bytes) -> None:
        repository = self.hub.repositories[name]
        commit = sha256(body)[:40]
        files = dict(repository.files)
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = _FilesHandler.uploads[value["oid"]]
        repository.commits[commit] = files
        repository.main = commit
        place = f"{self.hub.url}/{name}/commit/{commit}"
        self.answer_json({"commitUrl": place, "commitOid": commit, "success": True})


class _FilesHandler(_Handler):
    """Where large files lie: ``/owner/name/commit/file``, with ranges; an account has no business there."""

    uploads: dict[str, bytes]

    def do_GET(self) -> None:
        if "Authorization" in self.headers:
            return self.answer(400, {}, b"the account was sent to the file server")
        owner, name, commit, *file = unquote(urlsplit(self.path).path).strip("/").split("/")
        body = self.hub.repositories[f"{owner}/{name}"].commits[commit]["/".join(file)]
        start, total = 0, len(body)
        if asked := self.headers.get("Range"):
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            body = body[start:]
        headers = {"Content-Range": f"bytes {start}-{total - 1}/{total}"} if asked else {}
        held = self.hub.hold_after
        self.hub.sent.append(("/".join(file), start, len(body)))
        if held is None or held >= len(body):
            return self.answer(206 if asked else 200, headers, body)
        self.answer(206 if asked else 200, {**headers, "Content-Length": str(len(body))}, body[:held])
        self.wfile.flush()
        self.hub.go_on.wait(60)
        self.close_connection = True
        return None

    def do_PUT(self) -> None:
        body = self.body()
        self.uploads[sha256(body)] = body
        self.answer(200, {})


@contextmanager
def serve() -> Iterator[Hub]:
    """A hub with no repositories yet."""
    hub = Hub()
    handlers = (
        type("Handler", (_HubHandler,), {"hub": hub}),
        type("Handler", (_FilesHandler,), {"hub": hub}),
    )
    _FilesHandler.uploads = {}
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in handlers]
    for server in servers:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hub.url, hub.files_url = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
