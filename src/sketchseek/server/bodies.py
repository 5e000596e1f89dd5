"""Bodies are counted while they arrive: one that is too large, too slow, or one too many is cut off at once."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.server.errors import Refused, busy
from sketchseek.server.limits import Limits, MiB


class BoundedBodies:
    """ASGI middleware; what it raises while the app reads is answered by the app's own handler of ``Refused``."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.held = 0  # bytes of all bodies whose requests are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "")
        expected = int(told) if told.isdecimal() and len(told) < 20 else 0
        deadline = asyncio.get_running_loop().time() + self.limits.body_seconds
        arrived, complete = 0, False

        async def counted() -> Message:
            nonlocal arrived, complete
            if complete:  # what comes now is only that the client has gone
                return await receive()
            if expected > self.limits.body_bytes:
                raise self._too_large()
            if self.held + expected - arrived > self.limits.held_bytes:
                raise busy()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                seconds = f"{self.limits.body_seconds:g}"
                raise Refused(408, f"the request did not arrive within {seconds} seconds.", _CLOSE) from None
            size = len(message.get("body", b""))
            arrived += size
            self.held += size
            complete = not message.get("more_body", False)
            if arrived > self.limits.body_bytes:
                raise self._too_large()
            return message

        try:
            await self.app(scope, counted, send)
        finally:
            self.held -= arrived

    def _too_large(self) -> Refused:
        return Refused(413, f"the request is over the limit of {self.limits.body_bytes / MiB:g} MB.", _CLOSE)


_CLOSE = {"Connection": "close"}
