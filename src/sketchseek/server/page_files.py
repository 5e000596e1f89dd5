"""The files of the page, compressed for clients that take gzip: over a slow network the page is there sooner."""

import gzip
import mimetypes
import os
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

PAGE = Path(__file__).parent / "page"

# The tables of some systems say text/plain, and browsers do not run a script of that type.
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/manifest+json", ".webmanifest")


class PageFiles(StaticFiles):
    """Always whole files: they are small, and a wrong Range would get a plain-text error."""

    def __init__(self) -> None:
        super().__init__(directory=PAGE, html=True)
        self._compressed: dict[
            str, tuple[str, bytes]
        ] = {}  # file -> its tag, compressed; at most all files of the page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        asked = Headers(scope=scope)
        response: Response = FileResponse(full_path, status_code=status_code, stat_result=stat_result)
        if accepts_gzip(asked.get("accept-encoding", "")):
            tag, modified = response.headers["etag"], response.headers["last-modified"]
            body = self._compress(os.fspath(full_path), tag)
            response = Response(body, status_code, media_type=response.media_type)
            response.headers.update(
                {"Content-Encoding": "gzip", "ETag": f'{tag[:-1]}-gzip"', "Last-Modified": modified}
            )
        response.headers["Vary"] = "Accept-Encoding"
        return NotModifiedResponse(response.headers) if self.is_not_modified(response.headers, asked) else response

    def _compress(self, path: str, tag: str) -> bytes:
        if self._compressed.get(path, ("",))[0] != tag:
            self._compressed[path] = tag, gzip.compress(Path(path).read_bytes())
        return self._compressed[path][1]


def accepts_gzip(header: str) -> bool:
    """Whether a client with this Accept-Encoding takes gzip; a weight of 0 means that it does not."""
    for one in header.lower().split(","):
        name, _, weight = one.replace(" ", "").partition(";q=")
        if name in ("gzip", "x-gzip"):
            return weight.strip("0.") != "" or not weight
    return False
