"""Requests that no browser sends: seeded, as raw bytes, from almost right to nonsense."""

import json
import random
from collections.abc import Mapping
from urllib.parse import quote

from tests.pictures.mutations import MUTATIONS, hostile_picture
from tests.server.uploads import CORNER

TEXTS = (
    "",
    " ",
    "red",
    "a" * 600,
    "\0",
    "\x1b[31m",
    "\u202e",
    "é" * 300,
    "';--",
    "<script>",
    "../../etc/passwd",
    "%00",
    "%",
    "null",
    "-1",
    "0",
    "1e308",
    "1e999",
    "nan",
    "inf",
    "9" * 400,
    "1,2",
    "[]",
    "{}",
    "[" * 2000,
    CORNER,
    "2024-13-45",
    "0000",
    "9999-12-31",
    "2024",
    "C:\\",
    "/",
    "//x",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "true",
    "\ud800",
)
FIELDS = (
    "by",
    "camera",
    "download",
    "file",
    "first",
    "fold",
    "folder",
    "form",
    "how",
    "id",
    "ids",
    "k",
    "kind",
    "like",
    "look",
    "min_relevance",
    "min_score",
    "minus",
    "name",
    "offset",
    "on",
    "photo",
    "query",
    "retry",
    "size",
    "sketch",
    "strokes",
    "taken_from",
    "taken_to",
    "text",
    "token",
    "under",
    "unlike",
    "weights",
    "x",
)
PATHS = (
    "/",
    "/index.html",
    "/api/search",
    "/api/status",
    "/api/explain",
    "/api/photos/{id}",
    "/api/photos/{id}/thumbnail",
    "/api/photos/{id}/about",
    "/api/photos/{id}/facts",
    "/api/photos/{id}/reveal",
    "/api/photos/{id}/similar",
    "/api/timeline",
    "/api/timeline/page?first={id}",
    "/api/folders",
    "/api/folders/add",
    "/api/folders/forget",
    "/api/folders/scan",
    "/api/folders/watch",
    "/api/cameras",
    "/api/places",
    "/api/models",
    "/api/models/{name}/use",
    "/api/indexing/stop",
    "/api/indexing/resume",
    "/api/collections",
    "/api/collections/photos?name=x",
    "/api/collections/add",
    "/api/collections/remove",
    "/api/collections/delete",
    "/api/collections/copy",
    "/api/collections/paths?name=x",
    "/api/collections/zip?name=x",
    "/api/collections/zip?name=x",
    "/api/collections/paths?name=x",
    "/api/collections/copy?name=x&folder=x",
    "/api/searches/save",
    "/api/searches/delete",
    "/api/photos/{id}/explain",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/api",
    "/api/photos/",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static/..%2f..%2fetc/passwd",
    "//",
    "/\\",
    "/%ff",
    "/%00",
    "*",
    "/api/photos/" + "a" * 3000,
    "http://evil.example/",
    "/api/photos/%F0%9F%98%80",
)
# Names in paths; none is of a model that there is, which a server would download.
NAMES = ("x", "no-model", "..", "..%2f..%2fetc", "%00", "%ff", "a%20b", "a" * 101, "%F0%9F%98%80")
METHODS = (
    "GET",
    "GET",
    "GET",
    "POST",
    "POST",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "HEAD",
    "PATCH",
    "TRACE",
    "CONNECT",
    "x",
)
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Host": ("localhost", "127.0.0.1", "evil.example", "", "[", "localhost:99999", "a" * 3000, "localhost\0"),
    "Origin": ("null", "http://[", "http://evil.example", "http://localhost", "https://a:b@c:d", "\xff", "x" * 5000),
    "Sec-Fetch-Site": ("cross-site", "same-origin", "none", "x"),
    "Sec-Fetch-Mode": ("navigate", "no-cors", "cors"),
    "Authorization": ("Bearer x", "Bearer", "Basic eDp5", "Bearer \xff", "Bearer " + "x" * 5000),
    "Cookie": ("sketchseek=x", "=;=,;;\x01", "a=b; " * 500, "\xff"),
    "Range": ("bytes=0-", "bytes=x", "bytes=9-1", "bytes=-99999999999999999999", "bytes=" + "0-1," * 500 + "0-1"),
    "If-None-Match": ("*", '"x"', "x" * 3000),
    "Accept-Encoding": ("gzip", "br;q=x", "*"),
    "Content-Encoding": ("gzip", "x"),
    "Expect": ("100-continue", "x"),
    "Transfer-Encoding": ("chunked", "gzip, chunked", "x"),
    "Connection": ("close", "upgrade", "keep-alive, x"),
    "Upgrade": ("websocket", "h2c"),
    "X-Forwarded-For": ("127.0.0.1", "\xff"),
}
KINDS = ("multipart/form-data; boundary=x", "multipart/form-data", "application/json", "text/plain", "x", "")


def hostile_request(rng: random.Random, ids: list[str], good: dict[str, bytes]) -> bytes:
    """``ids``: of photos of the gallery; ``good``: pictures to damage. The connection closes after the answer."""
    method, path = rng.choice(METHODS), rng.choice(PATHS)
    path = path.replace("{id}", rng.choice([*ids, "0" * 16, "x"])).replace("{name}", rng.choice(NAMES))
    if rng.random() < 0.4:
        count = rng.choice((1, 2, 12, 300))
        pairs = [f"{rng.choice(FIELDS)}={_quoted(rng.choice(TEXTS), rng)}" for _ in range(count)]
        path += ("&" if "?" in path else "?") + "&".join(pairs)
    headers = {"Host": "localhost", "Connection": "close"}
    for name in rng.sample(sorted(HEADERS), rng.choice((0, 0, 1, 2, 5))):
        headers[name] = rng.choice(HEADERS[name])
    body = b""
    if method in ("POST", "PUT", "PATCH"):
        body = _form(rng, ids, good) if rng.random() < 0.8 else rng.choice(TEXTS).encode("utf-8", "surrogatepass")
        headers["Content-Type"] = KINDS[0] if rng.random() < 0.8 else rng.choice(KINDS)
        headers["Content-Length"] = str(len(body))
        if rng.random() < 0.1:
            headers["Content-Length"] = rng.choice(("-1", "x", "9" * 30, str(len(body) - 1), str(2**30), ""))
    lines = [f"{method} {path} HTTP/{rng.choice(('1.1', '1.1', '1.1', '1.0', '9.9'))}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = bytearray("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
    if rng.random() < 0.1:
        rng.choice(MUTATIONS)(head, rng)
    return bytes(head) + body


def _quoted(text: str, rng: random.Random) -> str:
    return quote(text, errors="surrogatepass") if rng.random() < 0.8 else text.replace(" ", "")[:200]


def _form(rng: random.Random, ids: list[str], good: dict[str, bytes]) -> bytes:
    parts = []
    for _ in range(rng.choice((1, 2, 3, 5, 250))):
        name = rng.choice(FIELDS)
        head = f'Content-Disposition: form-data; name="{name}"'.encode()
        if name in ("sketch", "photo") and rng.random() < 0.8:
            file, content = hostile_picture(good, rng)
            quoted = json.dumps(rng.choice((file, *TEXTS)), ensure_ascii=False).encode("utf-8", "surrogatepass")
            head += b"; filename=" + quoted
        else:
            value = rng.choice((*TEXTS, *ids, CORNER, "red"))
            head, content = (
                f'Content-Disposition: form-data; name="{name}"'.encode(),
                value.encode("utf-8", "surrogatepass"),
            )
        parts.append(b"--x\r\n" + head + b"\r\n\r\n" + content + b"\r\n")
    body = bytearray(b"".join(parts) + b"--x--\r\n")
    if rng.random() < 0.2:
        rng.choice(MUTATIONS)(body, rng)
    return bytes(body)
