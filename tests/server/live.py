"""A real server in its own process and raw connections to it, for what cannot be tested from inside."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120  # on a busy machine
STOP_TIMEOUT_S = 30  # 3 for open responses, the rest for a busy machine


class Live:
    """``url`` ends with a slash; ``client`` goes to it."""

    def __init__(self, *arguments: str, browser: bool = False, **environment: str) -> None:
        self.stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 - not a pipe, which would fill up
        script = str(Path(__file__).parent / "serve_grid.py")
        self.process = subprocess.Popen(
            [sys.executable, script, "serve", "--port", "0", *([] if browser else ["--no-browser"]), *arguments],
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), **environment},
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        assert self.url, self._stderr_text()
        self.client = httpx2.Client(base_url=self.url, timeout=TIMEOUT_S)
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A connection on which ``sent`` was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)
        connection.sendall(sent)
        return connection

    def rss(self) -> int:
        """Bytes of memory of the server itself."""
        return self._memory("VmRSS")

    def peak(self) -> int:
        """The most it has had so far."""
        return self._memory("VmHWM")

    def _memory(self, kind: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{kind}:")[1].split()[0]) * 1024

    def end(self, sign: int = signal.SIGINT) -> tuple[int, str]:
        """Stop the server, which must not take long: (exit code, stderr)."""
        self.process.send_signal(sign)
        self.process.wait(STOP_TIMEOUT_S)
        return self.process.returncode, self._stderr_text()

    def _stderr_text(self) -> str:
        self.stderr.seek(0)
        return self.stderr.read()


@contextmanager
def live(*arguments: str, browser: bool = False, **environment: str) -> Iterator[Live]:
    """``sketchseek serve`` with the small test model; killed if it still runs at the end."""
    server = Live(*arguments, browser=browser, **environment)
    try:
        yield server
    finally:
        server.client.close()
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()
        server.stderr.close()


def wait_until(check: Callable[[], bool]) -> None:
    """Until ``check`` holds; an assertion if it never does."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("it never happened")


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run or wait to be noticed."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
