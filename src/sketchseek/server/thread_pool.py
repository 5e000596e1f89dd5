"""A thread pool for blocking work, with a limit on how many requests may wait for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from starlette.requests import Request

from sketchseek.server.errors import RequestError, client_gone, server_busy

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class BoundedThreadPool:
    """``threads`` threads for up to ``limit`` requests, running or waiting; further requests get a 503."""

    def __init__(self, name: str, threads: int, limit: int) -> None:
        self.limit, self.in_flight = limit, 0
        self._free_threads = asyncio.Semaphore(threads)
        self._executor = ThreadPoolExecutor(threads, name)

    async def run(
        self,
        request: Request,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """The result of ``function``, which does not start if the client disconnects while it waits."""
        async with self.turn(request):
            return await self.call(function, *args, **kwargs)

    async def run_within(
        self,
        seconds: float,
        late: RequestError,
        request: Request,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """The same, but raises ``late`` after so many seconds; the call keeps its thread and place until it ends."""
        task = asyncio.ensure_future(self.run(request, function, *args, **kwargs))
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # or asyncio logs that of a late one
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise late
        return task.result()

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Wait for a thread and keep it for this request, for ``call`` and until what it made is no longer needed."""
        if self.in_flight >= self.limit:
            raise server_busy()
        self.in_flight += 1
        try:
            async with self._free_threads:
                if await request.is_disconnected():
                    raise client_gone()
                yield
        finally:
            self.in_flight -= 1

    async def call(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """The result of ``function``, called during a ``turn``."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
