import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from sketchseek.server.errors import RequestError
from sketchseek.server.protection.bodies import BoundedBodies
from sketchseek.server.protection.limits import Limits
from tests.server.uploads import picture, post, refusal

Send = Callable[[Any], Awaitable[None]]


async def reads_all(scope: Any, receive: Any, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass


async def nowhere(message: Any) -> None:
    pass


def scope(**headers: str) -> dict[str, Any]:
    return {"type": "http", "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]}


CHUNKED = scope(transfer_encoding="chunked")


def chunks(*sizes: int, pause: float = 0) -> Callable[[], Awaitable[dict[str, Any]]]:
    left = list(sizes)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        size = left.pop(0)
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(left)}

    return receive


def test_a_body_is_cut_off_where_it_passes_the_limit() -> None:
    bodies, seen = BoundedBodies(reads_all, Limits(body_bytes=100)), []

    async def receive() -> dict[str, Any]:
        seen.append(60)
        return {"type": "http.request", "body": b"x" * 60, "more_body": True}

    with pytest.raises(RequestError, match="over the limit") as refused:
        asyncio.run(bodies(CHUNKED, receive, nowhere))
    assert refused.value.status == 413
    assert len(seen) == 2
    assert bodies.held == 0


def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("read")

    bodies = BoundedBodies(reads_all, Limits(body_bytes=100))
    with pytest.raises(RequestError) as refused:
        asyncio.run(bodies(scope(content_length="101"), receive, nowhere))
    assert refused.value.status == 413


def test_a_slow_body_has_one_deadline_however_many_pieces_come_in_time() -> None:
    bodies = BoundedBodies(reads_all, Limits(body_seconds=0.2))
    with pytest.raises(RequestError) as refused:
        asyncio.run(bodies(CHUNKED, chunks(*[1] * 1000, pause=0.01), nowhere))
    assert refused.value.status == 408


def test_bodies_under_way_share_a_bound_and_give_it_back() -> None:
    bodies = BoundedBodies(reads_all, Limits(body_bytes=100, held_bytes=150))

    async def two() -> tuple[Any, Any]:
        has_read, may_end = asyncio.Event(), asyncio.Event()

        async def waits(scope: Any, receive: Any, send: Send) -> None:
            await reads_all(scope, receive, send)
            has_read.set()
            await may_end.wait()

        bodies.app = waits
        first = asyncio.create_task(bodies(CHUNKED, chunks(100), nowhere))
        await has_read.wait()
        second = asyncio.create_task(bodies(scope(content_length="90"), chunks(90), nowhere))
        await asyncio.wait([second])
        may_end.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = asyncio.run(two())
    assert first is None
    assert isinstance(second, RequestError)
    assert (second.status, second.headers) == (503, {"Retry-After": "1"})
    assert bodies.held == 0
    bodies.app = reads_all
    asyncio.run(bodies(CHUNKED, chunks(90), nowhere))


def test_after_the_body_the_clock_has_stopped() -> None:
    async def reads_on(scope: Any, receive: Any, send: Send) -> None:
        await reads_all(scope, receive, send)
        assert (await receive())["body"] == b"xx"

    bodies = BoundedBodies(reads_on, Limits(body_seconds=1))
    left = [1, 2]

    async def receive() -> dict[str, Any]:
        size = left.pop(0)
        await asyncio.sleep(0 if size == 1 else 1.5)
        return {"type": "http.request", "body": b"x" * size, "more_body": False}

    asyncio.run(bodies(CHUNKED, receive, nowhere))


def test_without_a_body_a_client_that_leaves_is_the_app_s_to_notice() -> None:
    """As in the middle of a large photo."""
    received = []

    async def listens(scope: Any, receive: Any, send: Send) -> None:
        received.append(await receive())

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    asyncio.run(BoundedBodies(listens, Limits())(scope(), receive, nowhere))
    assert received == [{"type": "http.disconnect"}]
    with pytest.raises(RequestError) as gone:
        asyncio.run(BoundedBodies(reads_all, Limits())(scope(content_length="5"), receive, nowhere))
    assert gone.value.status == 499


def test_after_the_response_has_begun_a_body_that_never_comes_is_no_error() -> None:
    """As when a client asks for a large photo and announces a body."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": b"x", "more_body": True}]
    messages.append({"type": "http.disconnect"})

    async def responds(scope: Any, receive: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return messages.pop(0)

    asyncio.run(BoundedBodies(responds, Limits(body_seconds=0.05))(scope(content_length="9"), receive, nowhere))
    assert not messages


def test_the_app_responds_with_a_message(client: TestClient) -> None:
    answer = post(client, ("photo", "large.bmp", picture("BMP", (800, 800))))
    assert "over the limit of 1 MB" in refusal(answer, 413)
    assert answer.headers["connection"] == "close"
    assert "connection" not in post(client, text="red", k="x").headers
    assert "connection" not in client.get("/api/status").headers
