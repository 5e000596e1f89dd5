import gzip
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sketchseek.server.page_files import PAGE, PageFiles, accepts_gzip


@pytest.mark.parametrize("file", ["", "js/main.js", "css/base.css", "icons.svg", "texts/de.json"])
def test_a_file_is_the_same_with_and_without_compression(client: TestClient, file: str) -> None:
    whole = (PAGE / (file or "index.html")).read_bytes()
    tags, kinds = set(), set()
    for encoding in ("identity", "gzip, deflate"):
        answer = client.get(f"/{file}", headers={"accept-encoding": encoding})
        assert answer.content == whole  # the client has unpacked it
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers.get("content-encoding") == ("gzip" if "gzip" in encoding else None)
        assert int(answer.headers["content-length"]) <= len(whole)
        tags.add(answer.headers["etag"])
        kinds.add(answer.headers["content-type"])
        for known in (
            {"if-none-match": answer.headers["etag"]},
            {"if-modified-since": answer.headers["last-modified"]},
        ):
            again = client.get(f"/{file}", headers={"accept-encoding": encoding, **known})
            assert (again.status_code, again.content, again.headers["vary"]) == (304, b"", "Accept-Encoding")
    assert len(tags) == 2 and len(kinds) == 1


def test_a_changed_file_is_compressed_again(tmp_path: Path) -> None:
    files = PageFiles()
    path = tmp_path / "a.js"
    path.write_text("one")
    first = files._compress(str(path), '"1"')
    path.write_text("two")
    assert files._compress(str(path), '"1"') is first
    assert gzip.decompress(files._compress(str(path), '"2"')) == b"two"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP", True),
        ("deflate;q=1, gzip ; q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("gzippy", False),
        ("", False),
        ("identity", False),
    ],
)
def test_gzip_is_for_clients_that_take_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted
