"""Index or search one gallery for some seconds: python -m tests.gallery.milvus.busy_child ROLE URL PHOTOS SECONDS SEED.

An indexer adds, changes, moves and deletes files in a folder of its own, and indexes it and the common one. A searcher
asks all the time and checks every answer. Prints what it did as JSON; any error ends it with a traceback.
"""

import json
import os
import random
import sys
import time
from pathlib import Path

from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import png, put


def index(gallery: Gallery, photos: Path, deadline: float, seed: int) -> dict[str, int]:
    rng, mine, made, runs = random.Random(seed), photos / f"mine-{seed}", 0, 0
    mine.mkdir()
    while time.monotonic() < deadline:
        for _ in range(10):
            made += 1
            put(mine / f"{made}.png", png(1000 * seed + made))
        files = sorted(mine.rglob("*.png"))
        rng.choice(files).unlink()
        moved = rng.choice([path for path in files if path.exists()])
        (mine / "moved").mkdir(exist_ok=True)
        moved.rename(mine / "moved" / f"{made}.png")
        put(rng.choice(sorted(mine.rglob("*.png"))), png(500 * seed + made), mtime=made)
        gallery.add([mine, photos / "common"], batch=rng.randint(1, 16))
        runs += 1
        newest = photos / f"mine-{seed}" / f"{made}.png"
        if newest.exists():  # what has been indexed is found, at once
            data = newest.read_bytes()
            (hit,) = gallery.search(photo=data, k=1)
            assert hit.score > 0.999, (newest, hit)
    return {"runs": runs, "made": made}


def search(gallery: Gallery, photos: Path, deadline: float, seed: int) -> dict[str, int]:
    rng, asked, found = random.Random(seed), 0, 0
    while time.monotonic() < deadline:
        hits = gallery.search(photo=png(rng.randint(0, 3000)), k=20, look="direct")
        ids = [hit.id for hit in hits]
        assert len(ids) == len(set(ids)), "a photo was found twice"
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        places = [path for hit in hits for path in (hit.path, *hit.duplicates)]
        assert all(path.is_relative_to(photos) for path in places)
        asked, found = asked + 1, found + len(hits)
    return {"asked": asked, "found": found}


if __name__ == "__main__":
    role, url, folder, seconds, number = sys.argv[1:]
    with Gallery.open(url, GridModel(), roots={"photos": folder}) as opened:
        work = index if role == "index" else search
        print(
            json.dumps(
                work(opened, Path(folder), time.monotonic() + float(seconds), int(number)) | {"pid": os.getpid()}
            )
        )
