"""The server under load: many clients that draw, look at thumbnails and ask how things are, for a minute.

    python benchmarks/server.py [--photos 2000] [--clients 1 8 32] [--seconds 60] [--model default]

A real `sketchseek serve` on a real socket, with photos made of patches of colour. A client draws one more stroke,
searches, and fetches the thumbnails of the first six hits; each tenth time it asks for the status. Times are the
client's, from sending to the last byte; in brackets what the server says it spent on a search itself. Clients and
server share the machine's cores, so the figures of many clients are those of a machine that is full.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx2
import numpy as np
from PIL import Image

SIDE = 640  # px of a photo
THUMBNAILS = 6


def make_photos(folder: Path, count: int) -> None:
    """JPEGs of 8 x 8 random patches, smoothed as photos are."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        patches = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        patches.resize((SIDE, SIDE * 3 // 4), Image.Resampling.BICUBIC).save(folder / f"{number:06}.jpg", quality=85)


class Load:
    """What the clients of one run saw: seconds by kind of request, errors, what the server said about itself."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self.own_ms: list[float] = []

    async def client(self, url: str, number: int, end: float) -> None:
        """One person who draws until ``end``."""
        rng = np.random.default_rng(number)
        async with httpx2.AsyncClient(base_url=url, timeout=60) as http:
            strokes: list[list[list[int]]] = []
            turn = 0
            while time.perf_counter() < end:
                turn += 1
                strokes = [*strokes[-7:], rng.integers(0, 400, (2, 12)).tolist()]
                form = {"strokes": (None, json.dumps({"drawing": strokes, "sheet": [400, 400]})), "k": (None, "48")}
                found = await self.timed("search", http, "POST", "api/search", files=form)
                if found is not None:
                    answer = found.json()
                    self.own_ms.append(answer["took_ms"]["total"])
                    for hit in answer["hits"][:THUMBNAILS]:
                        await self.timed("thumbnail", http, "GET", f"api/photos/{hit['id']}/thumbnail?size=320")
                if turn % 10 == 0:
                    await self.timed("status", http, "GET", "api/status")

    async def timed(
        self, kind: str, http: httpx2.AsyncClient, method: str, url: str, **more: object
    ) -> httpx2.Response | None:
        """The answer, or None and an error more."""
        started = time.perf_counter()
        try:
            answer = await http.request(method, url, **more)  # type: ignore[arg-type]
        except httpx2.HTTPError as error:
            self.errors.append(repr(error))
            return None
        self.seconds[kind].append(time.perf_counter() - started)
        if answer.status_code != 200:
            self.errors.append(f"{answer.status_code} {answer.text[:100]}")
            return None
        return answer


def resident(pid: int) -> float:
    """MB of a process and its children."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            status = dict(line.split(":", 1) for line in path.read_text().splitlines())
        except OSError:  # it ended meanwhile
            continue
        if str(pid) in (status["Pid"].strip(), status["PPid"].strip()) and "VmRSS" in status:
            total += int(status["VmRSS"].split()[0]) / 1000
    return total


async def load(url: str, clients: int, seconds: float) -> Load:
    found = Load()
    end = time.perf_counter() + seconds
    await asyncio.gather(*(found.client(url, number, end) for number in range(clients)))
    return found


def report(clients: int, found: Load, seconds: float, before: float, after: float) -> None:
    for kind, times in found.seconds.items():
        p50, p99 = (1000 * float(np.percentile(times, share)) for share in (50, 99))
        own = f" ({np.percentile(found.own_ms, 50):.0f})" if kind == "search" and found.own_ms else ""
        rate, errors = len(times) / seconds, len(found.errors) if kind == "search" else 0
        memory = f"{before:.0f} -> {after:.0f}"
        print(
            f"| {clients} | {kind} | {len(times):,} | {errors} | {rate:.0f} | {p50:.0f}{own} | {p99:.0f} | {memory} |"
        )
    for error in found.errors[:5]:
        print(error, file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_photos(folder / "photos", options.photos)
        model = ["--gallery", str(folder / "gallery"), "--model", options.model]
        sketchseek = [sys.executable, "-m", "sketchseek"]
        subprocess.run([*sketchseek, "index", str(folder / "photos"), *model], check=True, stdout=sys.stderr)
        server = subprocess.Popen(
            [*sketchseek, "serve", *model, "--no-browser", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        )
        try:
            assert server.stdout
            url = server.stdout.readline().strip()
            asyncio.run(load(url, 2, min(5.0, options.seconds)))  # the first thumbnails are made, caches are filled
            print("| clients | request | answered | errors | a second | p50 ms (own) | p99 ms | MB before -> after |")
            print("|---|---|---|---|---|---|---|---|")
            for clients in options.clients:
                before = resident(server.pid)
                found = asyncio.run(load(url, clients, options.seconds))
                report(clients, found, options.seconds, before, resident(server.pid))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
