"""Run the app on uvicorn: the listening socket, timeouts, shutdown within seconds, and opening the browser."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, cast

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from sketchseek.errors import SketchseekError
from sketchseek.server import log_lines
from sketchseek.server.errors import server_busy

log = logging.getLogger(__name__)

SHUTDOWN_GRACE_S = 2  # for responses in progress at shutdown
EXIT_S = 3  # after a signal the process has ended, whatever hangs
HEAD_TIMEOUT_S: float = 20  # for a request's line and headers to arrive
WRITE_TIMEOUT_S: float = 30  # for a client to take what was written to it
KEEP_ALIVE_S = 75  # of silence before a connection is closed
MAX_CONNECTIONS = 512  # open at once, and at most half of the descriptors that the process may have
BACKLOG = 64  # connections that wait to be accepted

_NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BUSY = json.dumps({"error": server_busy().message}).encode()
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BUSY), _BUSY)
)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SketchseekError(f"--host {host}: there is no such address ({error.strerror}).") from None
    try:
        if os.name == "posix":  # on other systems this would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SketchseekError(
            f"port {port} of {host} cannot be used ({error.strerror}); is a server already running there? Choose "
            "another port with --port, or --port 0 for any free one."
        ) from None
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """The address to open in a browser on this machine."""
    name = "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"http://{name}:{listener.getsockname()[1]}/"


def run(app: FastAPI, listener: socket.socket, *, open_at: str | None, at_exit: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; ``open_at`` is opened in the browser as soon as the server accepts requests.

    ``at_exit`` is called before a process whose threads hang ends itself.
    """
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,  # see log_lines
        log_level="warning",
        backlog=BACKLOG,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    log_lines.install()
    server = _Server(config, open_at, at_exit)
    server.run(sockets=[listener])


def max_connections() -> int:
    """Few enough that descriptors are left for files, whatever clients do."""
    try:
        import resource
    except ImportError:  # Windows
        return MAX_CONNECTIONS
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if descriptors < 0 else min(MAX_CONNECTIONS, descriptors // 2)


def _note_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _NO_RESOURCES:
        log.warning("no more connections can be accepted for now (%s); raise the limit, see ulimit -n", error.strerror)
    else:
        loop.default_exception_handler(context)


class _Connection(H11Protocol):
    """One connection, closed if its client keeps the server waiting too long; uvicorn itself would wait for ever."""

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # so that the write timer runs whenever something has not been taken
        self._heard_at = self.loop.time()
        self._start_head_timer()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        before = self.cycle
        super().data_received(data)
        now = cast(RequestResponseCycle | None, self.cycle)
        if now is not None and (now is not before or not now.response_complete):
            self._cancel_head_timer()
        elif self._head_timer is None:
            self._start_head_timer()

    def send_400_response(self, msg: str) -> None:
        """For a body that is not HTTP as well: the task that responds to its head must not write after this."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # a response has begun
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_write_timer()
        self._heard_at = self.loop.time()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        self._cancel_write_timer()
        super().connection_lost(exc)

    @property
    def _waits_for_client(self) -> bool:
        """Whether the next step is the client's: to send a request or its rest, or to take a response."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is None or cycle.response_complete or cycle.more_body or self.flow.write_paused

    def _make_room(self) -> None:
        """If there are too many connections, close the one whose client has been silent longest, or else this one."""
        others = [one for one in self.connections if isinstance(one, _Connection) and not one.transport.is_closing()]
        if len(others) <= max_connections():
            return
        others.remove(self)
        silent = [one for one in others if one._waits_for_client]
        if silent:
            min(silent, key=lambda one: one._heard_at).transport.abort()
        else:
            self.transport.write(_REFUSAL)
            self.transport.close()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


class _Server(uvicorn.Server):
    """Exits with code 0 on Ctrl-C, the usual way to stop a server."""

    def __init__(self, config: uvicorn.Config, open_at: str | None, at_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._open_at, self._at_exit = open_at, at_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(_note_loop_error)
        await super().startup(sockets)
        if self._open_at and self.started:
            threading.Thread(target=_open_browser, args=(self._open_at,), daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").disabled = True  # cancelled responses are expected now
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        previous = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in previous.items():
                signal.signal(sig, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            print("sketchseek: stopping", file=sys.stderr)
            threading.Thread(target=self._end_in_time, name="exit", daemon=True).start()
        super().handle_exit(sig, frame)

    def _end_in_time(self) -> None:
        """End the process even if the event loop or a thread hangs: Python itself would wait for them."""
        time.sleep(EXIT_S)
        self._at_exit()
        sys.stderr.flush()
        os._exit(0)


def _open_browser(url: str) -> None:
    """Only on a desktop: elsewhere Python would start a text browser in this terminal."""
    if sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)
