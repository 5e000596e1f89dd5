"""The photos that a gallery on a server proposes for a query: rows near its vector, one per content."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.filters import dates
from sketchseek.gallery.hits import Hit
from sketchseek.gallery.milvus.reader import Reader, bytes_of, within
from sketchseek.gallery.milvus.server import ANSWER_S, as_gallery_errors
from sketchseek.gallery.milvus.tables import MAX_RESULTS, photo_of_id
from sketchseek.gallery.ranking import SearchOptions, hit_of
from sketchseek.gallery.records import Photo, stacked
from sketchseek.gallery.relevance import Background
from sketchseek.neighbours import Scores


class MilvusCandidates:
    """See ``ranking.Candidates``. Filters are part of the server's search, so they cost no recall."""

    def __init__(self, reader: Reader, options: SearchOptions, background: Callable[[], Background]) -> None:
        self.reader, self.background = reader, background
        self.under: bytes | None = None
        filters = options.filters
        if filters.name is not None or filters.kind is not None:
            raise GalleryError("a gallery on a server has no filters by file name and kind; omit them.")
        tests = []
        if filters.under is not None:
            place = reader.roots.place(filters.under)
            self.under = reader.roots.path(place)
            tests.append(within(place))
        first, last = dates(filters.taken)
        if first or last:
            tests.append(f'taken >= "{first or "0"}"' + (f' and taken < "{last}"' if last else ""))
        if filters.camera is not None:
            if not reader.tables.keeps_facts:
                raise GalleryError("this gallery keeps no cameras; copy it into a new one, then index again.")
            quoted = filters.camera.replace("\\", "\\\\").replace('"', '\\"')
            tests.append(f'camera == "{quoted}"')
        if skipped := [photo for id in options.skip if (photo := photo_of_id(id)) is not None]:
            tests.append(f"photo not in {skipped}")
        self.filter = " and ".join(f"({test})" for test in tests)
        self.photos: dict[int, Photo] = {}
        self.read_lines, self.read_colours = dict[int, bytes](), dict[int, bytes]()

    def nearest(self, vector: NDArray[np.float32], count: int) -> tuple[Sequence[int], NDArray[np.float16], bool]:
        """See ``ranking.Candidates``."""
        reader, count = self.reader, min(count, MAX_RESULTS)
        with as_gallery_errors(reader.address):
            (rows,) = reader.client.search(
                reader.tables.files,
                data=[vector],
                anns_field="vector",
                limit=count,
                filter=self.filter,
                output_fields=["photo", "vector", *reader.tables.later_fields],
                search_params=reader.address.search_parameters(reader.tables.kind, count),
                consistency_level=reader.address.consistency,
                timeout=ANSWER_S,
            )
        vectors: dict[int, list[float]] = {}
        for row in rows:
            vectors.setdefault(row["entity"]["photo"], row["entity"]["vector"])
            for field, read in (("lines", self.read_lines), ("colours", self.read_colours)):
                if found := bytes_of(row["entity"].get(field, "")):
                    read[row["entity"]["photo"]] = found
        if fresh := [photo for photo in vectors if photo not in self.photos]:
            self.photos |= reader.photos(fresh)
        matrix = np.array(list(vectors.values()), np.float32).reshape(len(vectors), len(vector))
        return list(vectors), matrix.astype(np.float16), len(rows) == count < MAX_RESULTS

    def lines(self, keys: Sequence[int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """See ``ranking.Candidates``; they came with the vectors."""
        return stacked([self.read_lines.get(key) for key in keys])

    def colours(self, keys: Sequence[int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """See ``ranking.Candidates``; they came with the vectors."""
        return stacked([self.read_colours.get(key) for key in keys])

    def best_coloured(
        self, fit: Callable[[NDArray[np.uint8]], Scores], count: int
    ) -> tuple[Sequence[int], NDArray[np.float16], Scores, bool]:
        """See ``ranking.ColouredCandidates``; the server finds nothing without a vector."""
        raise GalleryError("a gallery on a server is not searched by colours alone; add a drawing, words or a photo.")

    def hit(self, key: int, score: float) -> Hit | None:
        """See ``ranking.Candidates``."""
        photo = self.photos.get(key)
        return hit_of(photo, score, self.under) if photo else None
