"""Read and decode photos in threads ahead of the model, in order, within a budget of memory."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from sketchseek.gallery.reading import Reading, memory_to_read, read_photo

MEMORY = 2**30  # bytes, the default budget
MOST_READINGS = 512  # files that need no encoding are handed on in batches of this many


def batches_of_readings(
    paths: list[bytes],
    *,
    side: int,
    needs_pixels: Callable[[bytes], bool],
    batch: int,
    threads: int,
    memory: int,
) -> Iterator[list[Reading]]:
    """Readings of all ``paths`` in order, with at most ``batch`` decoded photos in each list.

    A list is emptied when the next one is asked for. What the files and pictures take together, at every stage, stays
    within ``memory`` bytes: room is set aside by a photo's header before it is opened, and lists become shorter where
    room is needed. A photo that takes more than ``memory`` alone is a failure.
    """
    unsized, sized = deque(paths), deque[tuple[bytes, Future[int]]]()
    running = deque[tuple[int, Future[Reading]]]()
    pending: list[Reading] = []
    depth = threads + 2 * batch
    pool = ThreadPoolExecutor(threads, "decode")
    try:
        while unsized or sized or running:
            while unsized and len(sized) < depth:
                path = unsized.popleft()
                sized.append((path, pool.submit(memory_to_read, path, side)))
            full = False
            while sized and len(running) < depth and (sized[0][1].done() or not running):
                path, need = sized[0][0], min(sized[0][1].result(), memory)
                held = sum(_held(*each) for each in running) + sum(_array_bytes(reading) for reading in pending)
                full = held > 0 and held + need > memory
                if full:
                    break
                sized.popleft()
                running.append((need, pool.submit(read_photo, path, side, needs_pixels, need)))
            if running:
                pending.append(running.popleft()[1].result())
            decoded = sum(reading.pixels is not None for reading in pending)
            last = not (unsized or sized or running)
            if last or decoded == batch or len(pending) == MOST_READINGS or (full and not running):
                yield pending
                pending.clear()
    finally:
        pool.shutdown(cancel_futures=True)


def _held(need: int, future: Future[Reading]) -> int:
    return _array_bytes(future.result()) if future.done() and not future.exception() else need


def _array_bytes(reading: Reading) -> int:
    """A decoded photo and the copy that the model makes of it: 3 and 4 bytes a pixel."""
    return 0 if reading.pixels is None else reading.pixels.nbytes * 7 // 3
