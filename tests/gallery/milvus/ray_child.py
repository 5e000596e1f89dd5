"""Index with Ray in a process of its own: python -m tests.gallery.milvus.ray_child URL PHOTOS WORKERS SECONDS.

``SECONDS``: what the model takes for a photo; "full": the worker's disk is. A line on stdout for every step of
progress, then the report as JSON.
"""

import errno
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from sketchseek.errors import SketchseekError
from sketchseek.gallery import Gallery
from tests.gallery.grid_model import GridModel


class SlowModel(GridModel):
    def __init__(self, seconds: str) -> None:
        super().__init__()
        self.seconds = seconds

    def encode_photos(self, photos: Sequence[Any]) -> Any:
        if self.seconds == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        time.sleep(float(self.seconds) * len(photos))
        return super().encode_photos(photos)


def main(url: str, photos: str, workers: str, seconds: str, ray: str = "local") -> None:
    with Gallery.open(url, SlowModel(seconds), roots={"photos": photos, "unused": f"{photos}-is not here"}) as gallery:
        report = gallery.add_with_ray(
            photos,
            batch=8,
            ray=ray,
            workers=int(workers),
            progress=lambda one: print(f"done {one.done} of {one.total} by {len(one.workers)}", flush=True),
        )
    print(
        json.dumps(
            {
                "added": report.added,
                "moved": report.moved,
                "removed": report.removed,
                "updated": report.updated,
                "unchanged": report.unchanged,
                "failed": [failure.path.name for failure in report.failed],
            }
        )
    )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SketchseekError as error:
        sys.exit(f"sketchseek: {error}")
