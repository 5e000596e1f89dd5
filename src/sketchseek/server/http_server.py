"""Run the app on uvicorn: the listening socket, timeouts, shutdown within seconds, and opening the browser."""

import asyncio
import contextlib
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
from typing import cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from sketchseek.errors import SketchseekError

SHUTDOWN_GRACE_S = 2  # for responses in progress at shutdown
EXIT_S = 3  # after a signal the process has ended, whatever hangs
HEAD_TIMEOUT_S: float = 20  # for a request's line and headers to arrive
KEEP_ALIVE_S = 75  # of silence before a connection is closed


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
        listener.listen(128)
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
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    server = _Server(config, open_at, at_exit)
    server.run(sockets=[listener])


class _Connection(H11Protocol):
    """Closed if a request's head does not arrive completely in time; uvicorn itself would wait for ever."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        now = cast(RequestResponseCycle | None, self.cycle)
        if now is not None and (now is not before or not now.response_complete):
            self._cancel_head_timer()
        elif self._head_timer is None:
            self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        super().connection_lost(exc)

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Server(uvicorn.Server):
    """Exits with code 0 on Ctrl-C, the usual way to stop a server."""

    def __init__(self, config: uvicorn.Config, open_at: str | None, at_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._open_at, self._at_exit = open_at, at_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
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
