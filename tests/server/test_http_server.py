"""A real server on a real socket: how it starts and stops, and what hostile clients cannot do to it."""

import json
import re
import resource
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sketchseek.cli import main
from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from sketchseek.parallel import usable_cores
from sketchseek.server import http_server
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, jpeg, put
from tests.server.live import Live, children, is_alive, live, wait_until
from tests.server.uploads import CORNER, form

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc and sends signals")

TOKEN = "correct-horse-battery"
FORM = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'


@pytest.fixture(scope="module")
def server(photos: Path, gallery_path: Path) -> Any:
    """One for all tests that do not stop it."""
    with live("--gallery", str(gallery_path), "--model", "grid-plain") as server:
        yield server
        assert server.process.poll() is None


def search(server: Live, **fields: Any) -> httpx2.Response:
    return server.client.post("api/search", files=form(**{"strokes": CORNER, **fields}))


def head(path: str = "/api/search", **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: multipart/form-data; boundary=x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(connection: socket.socket) -> int:
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


# How it starts.


def test_stdout_is_the_address_and_folders_are_indexed_meanwhile(tmp_path: Path) -> None:
    fill(tmp_path / "photos", 30)
    with live(str(tmp_path / "photos"), "--gallery", str(tmp_path / "gallery"), "--model", "grid-plain") as server:
        assert server.url.startswith("http://127.0.0.1:")
        wait_until(lambda: server.client.get("api/status").json()["indexing"]["state"] == "done")
        assert server.client.get("api/status").json()["photos"] == 30
        assert len(search(server).json()["hits"]) == 30
        code, stderr = server.end()
        assert code == 0
        assert "Traceback" not in stderr
        assert server.process.stdout
        assert server.process.stdout.read() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--browse", "nowhere"], "there is no folder nowhere"),
        (["nowhere", "--gallery", "new"], "there is no folder nowhere"),
        (["--gallery", "{gallery}", "--model", "nonsense"], "no model 'nonsense'"),
        (["--gallery", "{gallery}", "--host", "0.0.0.0"], "--host 0.0.0.0 accepts requests from other machines"),
        (["--gallery", "{gallery}", "--host", "0.0.0.0", "--token", "short"], "--token is too short"),
        (["--gallery", "{gallery}", "--host", "no.such.host.invalid"], "accepts requests from other machines"),
        (["--gallery", "{gallery}", "--token", " " * 16], "--token must consist of ASCII letters"),
        (["--gallery", "{gallery}", "--token", "two words, and a comma"], "--token must consist of ASCII letters"),
        (["--gallery", "{gallery}", "--token", "\udcff" * 16], "--token must consist of ASCII letters"),
        (["--gallery", "{gallery}", "--token", "abcabcabcabcabcabc"], "--token is easy to guess"),
        (["--gallery", "{gallery}", "--host", "no.such.host.invalid", "--token", TOKEN], "there is no such address"),
    ],
)
def test_wrong_options_are_reported_before_the_server_starts(
    arguments: list[str],
    message: str,
    gallery_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [one.replace("{gallery}", str(gallery_path)) for one in arguments]
    with pytest.raises(SystemExit) as end:
        main(["serve", "--no-browser", "--port", "0", *arguments])
    out, err = capfd.readouterr()
    assert end.value.code == 1
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_port_that_is_taken(gallery_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SketchseekError, match=f"port {port} of 127.0.0.1 cannot be used"):
            http_server.bind("127.0.0.1", port)


def test_the_port_of_a_server_that_just_ended_is_free(tmp_path: Path) -> None:
    """Connections that linger must not keep it."""
    listener = http_server.bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    accepted, _ = listener.accept()
    accepted.close()
    listener.close()
    client.close()
    http_server.bind("127.0.0.1", port).close()


def test_ipv6_has_an_address_too() -> None:
    try:
        listener = http_server.bind("::1", 0)
    except SketchseekError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert http_server.url_of(listener, "::1") == f"http://[::1]:{listener.getsockname()[1]}/"


def test_the_browser_opens_once_the_server_answers(gallery_path: Path, tmp_path: Path) -> None:
    script = put(tmp_path / "browser", b'#!/bin/sh\necho "$1" > "$0.url"\n')
    script.chmod(0o755)
    arguments = ["--gallery", str(gallery_path), "--model", "grid-plain", "--token", TOKEN]
    with live(*arguments, browser=True, BROWSER=str(script), DISPLAY=":9") as server:
        opened = tmp_path / "browser.url"
        wait_until(lambda: opened.exists() and opened.read_text().endswith("\n"))
        url = opened.read_text().strip()
        assert url == f"{server.url}?token={TOKEN}"
        assert httpx2.get(url, follow_redirects=False).status_code == 303


# How it stops.


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_within_seconds_whatever_is_open(tmp_path: Path, sign: int) -> None:
    """Indexing, a search under way, an idle connection, half a head, half a body, a response that is not read."""
    fill(tmp_path / "photos", 200)
    put(tmp_path / "large" / "x.jpg", jpeg(1, size=(3000, 2000)))
    with Gallery.open(tmp_path / "gallery", GridModel("slow")) as gallery:
        gallery.add(tmp_path / "large")
        (id,) = (hit.id for hit in gallery.search(text="red"))
    arguments = [str(tmp_path / "photos"), "--gallery", str(tmp_path / "gallery"), "--model", "grid-slow"]
    with live(*arguments) as server:
        wait_until(lambda: server.client.get("api/status").json()["indexing"]["done"] >= 32)
        open_now = [
            server.connect(),
            server.connect(b"GET /api/st"),
            server.connect(head(Content_Length="1000") + b"--x"),
            server.connect(f"GET /api/photos/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()),
        ]
        searches = [threading.Thread(target=_search_and_forget, args=(server,)) for _ in range(4)]
        for thread in searches:
            thread.start()
        time.sleep(0.3)
        helpers = children(server.process.pid)
        assert helpers
        code, stderr = server.end(sign)
        assert code == 0
        assert "Traceback" not in stderr
        for connection in open_now:
            connection.close()
        for thread in searches:
            thread.join()
        wait_until(lambda: not any(is_alive(child) for child in helpers))
    with Gallery.open(tmp_path / "gallery", GridModel("slow")) as gallery:
        assert not gallery.verify()
        assert gallery.stats().photos >= 33


def test_killed_it_takes_its_children_along(tmp_path: Path) -> None:
    fill(tmp_path / "photos", 200)
    arguments = [str(tmp_path / "photos"), "--gallery", str(tmp_path / "gallery"), "--model", "grid-slow"]
    with live(*arguments) as server:
        wait_until(lambda: server.client.get("api/status").json()["indexing"]["done"] >= 32)
        helpers = children(server.process.pid)
        assert server.end(signal.SIGKILL)[0] == -signal.SIGKILL
        wait_until(lambda: not any(is_alive(child) for child in helpers))


# What hostile clients cannot do.


def test_a_gigabyte_is_cut_off_at_once(server: Live) -> None:
    """Announced and not announced; memory stays where it was, and others are served meanwhile."""
    search(server)
    before = server.rss()
    with server.connect(head(Content_Length=str(2**30)) + FORM % b"text") as connection:
        assert status_of(connection) == 413
    with server.connect(head(Transfer_Encoding="chunked")) as connection:
        chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
        sent = 0
        with pytest.raises(OSError):  # the server hangs up
            connection.sendall(b"1000\r\n" + (FORM % b"text").ljust(4096) + b"\r\n")
            for _ in range(1024):
                connection.sendall(chunk)
                sent += len(chunk)
        assert sent < 100 * 2**20
        assert search(server).status_code == 200
    assert server.rss() - before < 100 * 2**20


def test_slow_bodies_do_not_keep_others_waiting(server: Live) -> None:
    connections = [server.connect(head(Content_Length="1000") + FORM % b"text") for _ in range(100)]
    for _ in range(5):
        for connection in connections:
            connection.sendall(b"x")
        assert search(server).status_code == 200
    for connection in connections:
        connection.close()


def test_a_slow_head_is_hung_up_on(gallery_path: Path) -> None:
    """Whether it is the first of its connection or a later one."""
    with live("--gallery", str(gallery_path), "--model", "grid-plain", SERVE_GRID_HEAD_S="3") as server:
        with server.connect() as idle, server.connect(b"GET / HT") as half, server.connect() as second:
            second.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status_of(second) == 200
            second.sendall(b"GET /heal")
            for connection in (idle, half, second):
                assert _is_hung_up(connection)
        with server.connect(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") as calm:
            assert status_of(calm) == 200
            time.sleep(4)  # between requests one may be silent for longer
            calm.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status_of(calm) == 200


def test_too_many_searches_get_a_503_and_the_others_are_served(gallery_path: Path, tmp_path: Path) -> None:
    """A hundred drawings at once for a model that takes a while for each."""
    with Gallery.open(tmp_path / "gallery", GridModel("slow")) as gallery:
        gallery.add(put(tmp_path / "photos" / "x.png", jpeg(1)).parent)
    with live("--gallery", str(tmp_path / "gallery"), "--model", "grid-slow", SERVE_GRID_SEARCHES="8") as server:
        answers: list[httpx2.Response] = []
        together = threading.Barrier(100)

        def ask(number: int) -> None:
            strokes = json.dumps([[[0, number], [0, 9]]])
            with httpx2.Client(base_url=server.url, timeout=120) as client:
                together.wait()
                answers.append(client.post("api/search", files=form(strokes=strokes)))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 101)]
        for thread in threads:
            thread.start()
        wait_until(lambda: any(answer.status_code == 503 for answer in answers))
        assert server.client.get("api/status").status_code == 200
        assert server.client.get("healthz").status_code == 200
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in answers} == {200, 503}
        refusals = [answer for answer in answers if answer.status_code == 503]
        assert len(answers) - len(refusals) >= 8
        assert {answer.headers["retry-after"] for answer in refusals} == {"1"}
        assert "try again" in refusals[0].json()["error"]
        assert search(server, text="red").status_code == 200


def test_a_search_does_not_start_after_its_client_has_disconnected(tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "gallery", GridModel("slow")) as gallery:
        gallery.add(put(tmp_path / "photos" / "x.png", jpeg(1)).parent)
    with live("--gallery", str(tmp_path / "gallery"), "--model", "grid-slow") as server:
        search(server)  # the model is warm
        for number in range(40 + usable_cores()):  # so many may start at once
            body = (FORM % b"strokes") + json.dumps([[[0, number], [0, 99]]]).encode() + b"\r\n--x--\r\n"
            server.connect(head(Content_Length=str(len(body))) + body).close()
        gone = 'sketchseek_requests_total{method="POST",route="/api/search",status="499"} '
        thirty = re.compile(re.escape(gone) + r"([3-9]\d|\d{3})\b")  # or more
        wait_until(lambda: thirty.search(server.client.get("metrics").text) is not None)


def test_what_is_not_http_is_rejected(server: Live) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\n\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100 + b"\r\n\r\n"):
        with server.connect(sent) as connection:
            assert status_of(connection) in (400, 403)
    endless = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000
    with server.connect(endless) as connection, suppress(ConnectionResetError):
        assert status_of(connection) in (400, 431)
    assert search(server).status_code == 200


def test_a_websocket_is_not_opened(server: Live) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n"
    with server.connect(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n") as connection:
        assert status_of(connection) != 101


def test_a_body_with_two_lengths_is_refused_and_its_rest_is_no_request(server: Live) -> None:
    body = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with server.connect(head(Content_Length=str(len(body)), Transfer_Encoding="chunked") + body) as connection:
        assert status_of(connection) == 400
        assert connection.recv(1000) == b""


def test_a_wrong_range_is_ignored(server: Live) -> None:
    for value in ("bytes=x", "bytes=9-1", "lines=1-2", "bytes=" + "0-1," * 2000 + "0-1"):
        assert server.client.get("", headers={"range": value}).status_code == 200


def test_hostile_requests_do_not_fill_the_log(gallery_path: Path) -> None:
    with live("--gallery", str(gallery_path), "--model", "grid-plain") as server:
        for _ in range(200):
            for sent in (
                b"\0\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            ):
                with server.connect(sent) as connection, suppress(ConnectionResetError):
                    connection.recv(1000)
        announced = [server.connect(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")]
        announced += [server.connect(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")]
        for connection in announced:
            assert status_of(connection) == 200
            connection.close()
        _, stderr = server.end()
        assert "Traceback" not in stderr
        assert len(stderr.splitlines()) < 8, stderr


@pytest.mark.parametrize("more", [b"", b"Content-Length: 9\r\n"])
@pytest.mark.parametrize("path", [b"/api/search", b"/api/status", b"/nothing"])
def test_a_body_that_is_not_http_gets_one_answer(gallery_path: Path, path: bytes, more: bytes) -> None:
    """It arrives with the head, before the response to the head has begun."""
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + more
    with live("--gallery", str(gallery_path), "--model", "grid-plain") as server:
        with server.connect(head + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n") as connection:
            assert status_of(connection) == 400
            assert connection.recv(1000) == b""
        code, stderr = server.end()
        assert code == 0
        assert "Traceback" not in stderr


@pytest.mark.slow
def test_idle_connections_make_room_and_leave_descriptors_for_files(gallery_path: Path) -> None:
    """Ten times as many as the server has descriptors, while another client searches and loads photos."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if least < 2000:  # the clients are in this process
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2000, most), most))
    with live("--gallery", str(gallery_path), "--model", "grid-plain", SERVE_GRID_FILES="128") as server:
        id = search(server).json()["hits"][0]["id"]
        idle = []
        for number in range(1280):
            idle.append(server.connect(b"GET / HT" if number % 2 else b""))
            if number % 128 == 0:
                with httpx2.Client(base_url=server.url, timeout=60) as client:
                    assert client.post("api/search", files=form(strokes=CORNER)).status_code == 200
                    assert client.get(f"api/photos/{id}").status_code == 200
        for connection in idle:
            connection.close()
        code, stderr = server.end()
        assert code == 0
        assert "Traceback" not in stderr
        assert len(stderr) < 2000


def test_clients_that_read_nothing_are_dropped(tmp_path: Path) -> None:
    put(tmp_path / "photos" / "x.jpg", jpeg(1, size=(3000, 3000)))
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        gallery.add(tmp_path / "photos")
        (id,) = (hit.id for hit in gallery.search(text="red"))
    arguments = ["--gallery", str(tmp_path / "gallery"), "--model", "grid-plain"]
    with live(*arguments, SERVE_GRID_WRITE_S="5") as server:
        request = f"GET /api/photos/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        assert _metrics(server)  # this client's connection stays open
        before = _open_sockets(server)
        greedy = [_greedy(server, request) for _ in range(20)]
        wait_until(lambda: f'route="/api/photos/{{id}}",status="200"}} {len(greedy)}.0' in _metrics(server))
        wait_until(lambda: _open_sockets(server) <= before)
        assert len(server.client.get(f"api/photos/{id}").content) > 2**20
        for connection in greedy:
            connection.close()


def _greedy(server: Live, request: bytes) -> socket.socket:
    """A client with a small buffer: otherwise the systems of both sides would hold the whole photo."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(request)
    return connection


def _metrics(server: Live) -> str:
    return server.client.get("metrics").text


def _open_sockets(server: Live) -> int:
    found = 0
    for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(OSError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found


def _search_and_forget(server: Live) -> None:
    with suppress(httpx2.HTTPError):  # the server may end first
        httpx2.post(f"{server.url}api/search", files=form(strokes=CORNER), timeout=60)


def _is_hung_up(connection: socket.socket) -> bool:
    with suppress(ConnectionResetError):
        while connection.recv(4096):
            pass
    return True
