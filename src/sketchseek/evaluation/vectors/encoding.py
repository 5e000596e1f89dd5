"""From picture files to vectors: decode in threads, encode in batches, never encode the same content twice."""

import hashlib
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketchseek.errors import SketchseekError
from sketchseek.evaluation.vectors.cache import Kind, Stamp, VectorCache
from sketchseek.model import Model, has_lines
from sketchseek.parallel import map_ahead, usable_cores
from sketchseek.pictures import PictureError, load_photo, load_sketch

ProgressFunction = Callable[[str, int, int], None]  # called with the stage, how much of it is done, of how much

BATCH = 64
_WORKERS = min(8, usable_cores() + 1)
_DIGESTS_AT_ONCE = 4096


@dataclass(frozen=True)
class Encoded:
    """Vectors of files, and what could not be opened."""

    vectors: NDArray[np.float32]  # (n, size) in the order of the files; all zero where a file is broken
    broken: dict[int, str]  # row -> why
    computed: int  # pictures that were encoded now and did not come from the cache


def encode_files(
    model: Model,
    kind: Kind,
    files: Sequence[Path],
    cache: VectorCache,
    progress: ProgressFunction,
    *,
    what: str,
    outlines: bool = False,
) -> Encoded:
    """Vectors of ``files`` by ``model``, or their outlines if the ``kind`` is lines.

    ``what`` names them for ``progress``, such as sketches or photos. ``outlines``: those of photos will be wanted, too;
    they are computed with the vectors, if the model has them.
    """
    digests, broken = _digests(files, cache, progress, f"reading {what}")
    rows: dict[bytes, list[int]] = {}
    for row, digest in digests.items():
        rows.setdefault(digest, []).append(row)
    size = model.line_bytes if kind == "lines" and has_lines(model) else model.size
    vectors = np.zeros((len(files), size), np.float32)
    known = list(rows)
    for start in range(0, len(known), _DIGESTS_AT_ONCE):
        part = known[start : start + _DIGESTS_AT_ONCE]
        for digest, vector in cache.vectors(model.identity, kind, part, size).items():
            vectors[rows.pop(digest)] = vector
    done = computed = 0
    for batch in _decoded(model, kind, [(digest, files[own[0]]) for digest, own in rows.items()]):
        good = [(digest, picture) for digest, picture in batch if not isinstance(picture, str)]
        broken |= {row: reason for digest, reason in batch if isinstance(reason, str) for row in rows[digest]}
        if good:
            fresh = _encode(model, kind, [picture for _, picture in good], outlines)
            for one, rows_of in fresh.items():
                cache.remember_vectors(model.identity, one, [digest for digest, _ in good], rows_of)
            for (digest, _), vector in zip(good, fresh[kind], strict=True):
                vectors[rows[digest]] = vector
        done, computed = done + len(batch), computed + len(good)
        progress(f"encoding {what}", done, len(rows))
    return Encoded(vectors, dict(sorted(broken.items())), computed)


def _digests(
    files: Sequence[Path], cache: VectorCache, progress: ProgressFunction, stage: str
) -> tuple[dict[int, bytes], dict[int, str]]:
    """SHA-256 of each file by row, and the reason if it cannot be read. Unchanged files are not read again."""
    names = [str(file.absolute()) for file in files]
    stamps: dict[str, Stamp] = {}
    broken: dict[int, str] = {}
    for row, name in enumerate(names):
        try:
            stamps[name] = _stamp(name)
        except OSError as error:
            broken[row] = error.strerror or str(error)
    known = cache.digests(stamps)
    unknown = [name for name in stamps if name not in known]
    failed: dict[str, str] = {}
    fresh: list[tuple[str, Stamp, bytes]] = []
    hashed = map_ahead(_hash, unknown, workers=_WORKERS, depth=4 * _WORKERS)
    for done, (name, result) in enumerate(zip(unknown, hashed, strict=True), start=1):
        if isinstance(result, str):
            failed[name] = result
        else:
            known[name] = result
            fresh.append((name, stamps[name], result))
        if done % BATCH == 0 or done == len(unknown):
            progress(stage, done, len(unknown))
    cache.remember_digests(fresh)
    broken |= {row: failed[name] for row, name in enumerate(names) if name in failed}
    return {row: known[name] for row, name in enumerate(names) if name in known}, broken


def _stamp(name: str) -> Stamp:
    status = Path(name).stat()
    if not stat.S_ISREG(status.st_mode):  # a pipe would block
        raise OSError("is not a regular file")
    return status.st_size, status.st_mtime_ns


def _hash(name: str) -> bytes | str:
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return error.strerror or str(error)


def _decoded(model: Model, kind: Kind, jobs: Sequence[tuple[bytes, Path]]) -> Iterator[list[tuple[bytes, Any]]]:
    """Batches of (digest, picture) in the order of the jobs; the reason in place of a picture that cannot be opened."""

    def decode(job: tuple[bytes, Path]) -> tuple[bytes, Any]:
        digest, file = job
        try:
            return digest, open_picture(model, kind, file)
        except PictureError as error:
            return digest, error.reason

    decoded = map_ahead(decode, jobs, workers=_WORKERS, depth=BATCH)
    while batch := list(islice(decoded, BATCH)):
        yield batch


def open_picture(model: Model, kind: Kind, file: Path) -> Any:
    """A picture in the form that ``model`` encodes."""
    return load_sketch(file) if kind == "sketch" else load_photo(file, target=model.photo_side)


def _encode(model: Model, kind: Kind, pictures: list[Any], outlines: bool) -> dict[Kind, NDArray[np.float32]]:
    """The vectors of pictures by kind; of photos also the outlines, where these are wanted and the model has them."""
    lines: dict[Kind, NDArray[np.float32]] = {}
    if kind == "sketch":
        fresh = model.encode_sketches(pictures)
    elif has_lines(model) and (kind == "lines" or outlines):
        fresh, drawn = model.encode_photos_with_lines(pictures)
        kind, lines = "photo", {"lines": drawn.astype(np.float32)}
    else:
        fresh = model.encode_photos(pictures)
    if fresh.shape != (len(pictures), model.size) or fresh.dtype != np.float32:
        raise SketchseekError(
            f"the model {model.name} gave {fresh.dtype} of shape {fresh.shape} for {len(pictures)} pictures instead of"
            f" float32 of shape ({len(pictures)}, {model.size}): the model is broken"
        )
    if not (np.isfinite(fresh).all() and fresh.any(axis=1).all()):
        raise SketchseekError(
            f"the model {model.name} gave a vector that is not finite or all zero for a {kind}: its weights are broken,"
            " train it again or use an earlier checkpoint"
        )
    return {kind: fresh, **lines}
