"""Bodies are counted while they arrive: one that is too large, too slow, or one too many is cut off at once."""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.server.errors import GONE, Refused, busy
from sketchseek.server.protection.limits import Limits, MiB


class BoundedBodies:
    """ASGI middleware; what it raises while the app reads is answered by the app's own handler of ``Refused``."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.held = 0  # bytes of all bodies whose requests are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        told = headers.get("content-length", "")
        expected = int(told) if told.isdecimal() and len(told) < 20 else 0
        deadline = asyncio.get_running_loop().time() + self.limits.body_seconds
        arrived, complete = 0, False
        has_body = expected > 0 or "transfer-encoding" in headers

        async def counted() -> Message:
            nonlocal arrived, complete
            if complete or not has_body:  # what comes now is only that the client has gone
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
                raise Refused(408, f"the request did not arrive within {seconds} seconds.") from None
            if message["type"] == "http.disconnect":
                raise Refused(GONE, "the client has gone.")
            size = len(message.get("body", b""))
            arrived += size
            self.held += size
            complete = not message.get("more_body", False)
            if arrived > self.limits.body_bytes:
                raise self._too_large()
            return message

        async def final(message: Message) -> None:
            """An answer before the end of the body is the last of its connection: else the rest would be read on."""
            if message["type"] == "http.response.start" and has_body and not complete:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, counted, final)
        finally:
            self.held -= arrived

    def _too_large(self) -> Refused:
        return Refused(413, f"the request is over the limit of {self.limits.body_bytes / MiB:g} MB.")
