"""A real server in a process of its own, and raw connections to it, for what cannot be seen from inside."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120  # on a busy machine
END_S = 30  # of which 3 are granted to open answers, and the rest to a busy machine


class Live:
    """``url`` ends with a slash; ``client`` goes to it."""

    def __init__(self, *arguments: str, browser: bool = False, **environment: str) -> None:
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - not a pipe, which would fill up
        script = str(Path(__file__).parent / "serve_grid.py")
        self.process = subprocess.Popen(
            [sys.executable, script, "serve", "--port", "0", *([] if browser else ["--no-browser"]), *arguments],
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), **environment},
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        assert self.url, self._all_said()
        self.client = httpx2.Client(base_url=self.url, timeout=PATIENCE_S)
        self.port = int(self.url.rsplit(":", 1)[1].strip("/"))

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A connection on which ``sent`` was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        connection.sendall(sent)
        return connection

    def rss(self) -> int:
        """Bytes of memory of the server itself."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def end(self, sign: int = signal.SIGINT) -> tuple[int, str]:
        """Told to end, which must not take long: (exit code, what it said on stderr)."""
        self.process.send_signal(sign)
        self.process.wait(END_S)
        return self.process.returncode, self._all_said()

    def _all_said(self) -> str:
        self.said.seek(0)
        return self.said.read()


@contextmanager
def live(*arguments: str, browser: bool = False, **environment: str) -> Iterator[Live]:
    """``sketchseek serve`` with the small test model; killed if it is still there at the end."""
    server = Live(*arguments, browser=browser, **environment)
    try:
        yield server
    finally:
        server.client.close()
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()
        server.said.close()


def wait_until(check: Callable[[], bool]) -> None:
    """Until ``check`` holds; an assertion if it never does."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("it never happened")
