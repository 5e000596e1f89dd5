"""One decoder process and its deadlines: whatever it does, the thread that asks gets an answer or a failure in time."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

MEMORY = 2 * 2**30  # bytes that one process may allocate
START_SECONDS = 60.0  # on a busy machine; half a second otherwise
GRACE_SECONDS = 1.0  # for a killed process to end; one that waits for a broken drive may need the system's permission
MAX_HEAD = 2**16
BLOCK_BYTES = 2**20


class Child:
    """A process of ``decoder_child``."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "sketchseek.server.processes.decoder_child", str(MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # a Ctrl-C in the terminal goes to the server, which then stops these
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._arrived = bytearray()
        self.pid = self._process.pid

    def wait_until_ready(self) -> None:
        """So that starting does not count as time of the first request."""
        if self._exchange(b"", START_SECONDS, 0) is None:
            self.stop()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(
        self, request: dict[str, Any], data: bytes, seconds: float, most: int
    ) -> tuple[dict[str, Any], bytes] | None:
        """(head, body) of the response, its body at most ``most`` bytes; on any failure None, and it is stopped."""
        # Its own timer is later than ours, for a child whose parent has died.
        head = {**request, "bytes": len(data), "seconds": seconds + 2 * GRACE_SECONDS}
        answer = self._exchange(json.dumps(head).encode() + b"\n" + data, seconds, most)
        if answer is None:
            self.stop()
        return answer

    def kill(self) -> None:
        """Kill it and what it started; it may need a moment to end."""
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def stop(self) -> None:
        """Kill it; one that does not end, because a drive holds it, is left behind."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _exchange(self, request: bytes, seconds: float, most: int) -> tuple[dict[str, Any], bytes] | None:
        end = time.monotonic() + seconds + GRACE_SECONDS
        timer = threading.Timer(seconds, self.kill)  # also ends a write to a process that no longer reads
        timer.daemon = True
        timer.start()
        try:
            self._write(request)
            while b"\n" not in self._arrived:
                self._receive(end)
                if len(self._arrived) > MAX_HEAD + BLOCK_BYTES:
                    return None
            line, _, rest = bytes(self._arrived).partition(b"\n")
            head = json.loads(line)
            size = head.get("bytes", 0)
            if size > most:
                return None
            self._arrived = bytearray(rest)
            while len(self._arrived) < size:
                self._receive(end)
            body, self._arrived = bytes(self._arrived), bytearray()
        except (OSError, EOFError, ValueError):
            return None
        finally:
            timer.cancel()
        return head, body

    def _write(self, data: bytes) -> None:
        assert self._process.stdin
        rest = memoryview(data)
        while rest:
            rest = rest[self._process.stdin.write(rest) :]

    def _receive(self, end: float) -> None:
        """Some more bytes of a response; an error after ``end``, also if the process cannot be killed."""
        assert self._process.stdout
        if hasattr(select, "poll"):  # elsewhere, the timer that kills the process must do
            poll = select.poll()
            poll.register(self._process.stdout, select.POLLIN)
            if not poll.poll(max(0.0, 1000 * (end - time.monotonic()))):
                raise TimeoutError
        block = self._process.stdout.read(BLOCK_BYTES)
        if not block:
            raise EOFError
        self._arrived += block
