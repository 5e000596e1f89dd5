"""Work that blocks, in a few threads, with a bound on what waits for them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from starlette.requests import Request

from sketchseek.server.errors import GONE, Refused, busy

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Work:
    """``threads`` at work, up to ``limit`` requests under way or waiting; those beyond are told to come back."""

    def __init__(self, name: str, threads: int, limit: int) -> None:
        self.limit, self.under_way = limit, 0
        self._turn = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, name)

    async def run(
        self,
        request: Request,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """What ``function`` returns. Not begun if the client has left by the time it is its turn."""
        if self.under_way >= self.limit:
            raise busy()
        self.under_way += 1
        try:
            async with self._turn:
                if await request.is_disconnected():
                    raise Refused(GONE, "the client has gone.")
                call = asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **kwargs))
                return await call
        finally:
            self.under_way -= 1

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
