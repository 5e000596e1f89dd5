"""Limits on request bodies while they arrive: size, time, and the memory of all bodies together."""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.server.errors import RequestError, client_gone, error_response, server_busy
from sketchseek.server.protection.limits import Limits, MiB


class BoundedBodies:
    """ASGI middleware; it raises ``RequestError`` while the app reads the body, and the app's handler responds."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.held = 0  # bytes of the bodies of all requests in progress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        expected = int(length) if length.isdecimal() and len(length) < 20 else 0
        deadline = asyncio.get_running_loop().time() + self.limits.body_seconds
        arrived, complete = 0, False
        has_body = expected > 0 or "transfer-encoding" in headers
        started = False  # the response

        async def limited_receive() -> Message:
            nonlocal arrived, complete
            if complete or started or not has_body:  # the app only waits for a disconnect
                return await receive()
            if expected > self.limits.body_bytes:
                raise self._too_large()
            if self.held + expected - arrived > self.limits.held_bytes:
                raise server_busy()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                if started:
                    return await receive()
                seconds = f"{self.limits.body_seconds:g}"
                raise RequestError(408, f"the request did not arrive within {seconds} seconds.") from None
            if message["type"] == "http.disconnect":
                if started:  # the app waits for this to stop sending
                    return message
                raise client_gone()
            size = len(message.get("body", b""))
            arrived += size
            self.held += size
            complete = not message.get("more_body", False)
            if arrived > self.limits.body_bytes:
                raise self._too_large()
            return message

        async def closing_send(message: Message) -> None:
            """Close the connection after a response before the end of the body: the rest would be read otherwise."""
            nonlocal started
            started = True
            if message["type"] == "http.response.start" and has_body and not complete:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        if length and "transfer-encoding" in headers:  # a proxy could see another end of the body than this server
            refusal = error_response(400, "give the length of the body or its transfer encoding, not both.")
            await refusal(scope, receive, closing_send)
            return
        try:
            await self.app(scope, limited_receive, closing_send)
        finally:
            self.held -= arrived

    def _too_large(self) -> RequestError:
        return RequestError(413, f"the request body is over the limit of {self.limits.body_bytes / MiB:g} MB.")
