"""The encoder for search: a model folder, run by onnxruntime, as a ``sketchseek.model.Model``."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sketchseek import outlines
from sketchseek.engine.folder import (
    GOLDEN,
    GUESSES,
    SHIPPED,
    TOKENIZER,
    EngineError,
    Record,
    Role,
    read_file,
    read_record,
)
from sketchseek.engine.golden import check_golden, read_golden
from sketchseek.engine.guesses import Guesses
from sketchseek.engine.sessions import OrtSession, Session, StoppedError, batch_of, pick_provider
from sketchseek.engine.weights import SharedWeights
from sketchseek.parallel import batches, map_ahead, usable_cores
from sketchseek.pictures import Sketch, fit

if TYPE_CHECKING:
    from sketchseek.tokenizer import Tokens

Picture = NDArray[np.uint8] | Sketch
Modality = Literal["photo", "sketch"]


class Encoder:
    """Implements ``sketchseek.model.Model`` with a model folder. Safe to use from several threads.

    A file is verified when it is opened. A graph is verified when first used: it must reproduce its golden vectors.
    Graphs and tokenizer of a model that does not ship run in processes of their own (see ``isolation``).
    """

    def __init__(self, folder: Path, record: Record, *, name: str, provider: str, threads: int) -> None:
        self.folder, self.record, self.provider, self.threads = folder, record, provider, threads
        self._ships = folder.resolve().parent == SHIPPED
        self.name = name
        self.identity = record.identity
        self.size = record.size
        self.photo_side = record.photos.size
        self.grid = record.grid
        self.line_bytes = record.lines or 0
        self.can_guess = GUESSES in record.files
        self.batch = batch_of(provider)  # pictures or texts in one run of a graph
        self._lock = threading.RLock()
        self._sessions: dict[str, Session] = {}
        self._guesses: Guesses | None = None
        self._tokenizer: Callable[[Sequence[str]], Tokens] | None = None

    def __repr__(self) -> str:
        return f"Encoder({str(self.folder)!r})"

    def encode_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self._encode_pictures(photos, "photo")

    def encode_photos_with_lines(
        self, photos: Sequence[NDArray[np.uint8]]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """See ``sketchseek.model.LinesModel``; lines have their own graph, so that drawings do not pay for them."""
        rows = np.empty((len(photos), self.size), np.float32)
        lines = np.empty((len(photos), self.line_bytes), np.uint8)
        for start, pixels in self._prepared_batches(photos, "photo"):
            part = slice(start, start + len(pixels))
            vectors, maps = self._run("photo", {"pixels": pixels}, ["vectors", "maps"])
            rows[part] = self._checked("photo", vectors, (len(pixels), self.size))
            (drawn,) = self._run("lines", {"maps": maps}, ["lines"])
            drawn = self._checked("lines", drawn, (len(pixels), outlines.SIDE, outlines.SIDE))
            lines[part] = outlines.pack(drawn, [photo.shape for photo in photos[part]])
        return rows, lines

    def encode_sketches(self, sketches: Sequence[Sketch]) -> NDArray[np.float32]:
        return self._encode_pictures(sketches, "sketch")

    def guess(self, vectors: NDArray[np.float32]) -> list[list[str]]:
        """See ``sketchseek.model.GuessingModel``."""
        with self._lock:
            if self._guesses is None:
                self._guesses = Guesses.from_bytes(read_file(self.folder, GUESSES, self.record), self.size)
        return self._guesses.of(vectors)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.empty((len(texts), self.size), np.float32)
        for start, batch in batches(texts, self.batch):
            tokens = self._tokens(batch)
            inputs = {"ids": tokens.ids, "ends": tokens.ends}
            rows[start : start + len(batch)] = self._vectors("text", inputs, (len(batch), self.size))
        return rows

    def patches_photos(self, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """A vector of length 1 for each patch, float32 (n, grid * grid, size), row by row from the top left.

        Patches divide the prepared photo, with its padding and cropping.
        """
        return self._encode_patches(photos, "photo")

    def patches_sketches(self, sketches: Sequence[Sketch]) -> NDArray[np.float32]:
        """The same as ``patches_photos``, for sketches."""
        return self._encode_patches(sketches, "sketch")

    def verify(self) -> None:
        """Open every file and test every graph; raises ``EngineError`` for the first that is damaged."""
        for role in self.record.graphs:
            self._session(role)
        _ = self.tokenizer
        if self.can_guess:
            self.guess(np.zeros((1, self.size), np.float32))

    @property
    def tokenizer(self) -> "Callable[[Sequence[str]], Tokens]":
        """Words -> token numbers."""
        with self._lock:
            if self._tokenizer is None:
                json = read_file(self.folder, TOKENIZER, self.record)
                self._tokenizer = _tokenizer_kind(self._ships)(
                    json, path=self.folder / TOKENIZER, context=self.record.context
                )
            return self._tokenizer

    def _tokens(self, texts: Sequence[str]) -> "Tokens":
        try:
            return self.tokenizer(texts)
        except StoppedError:
            self._tokenizer = None
            raise

    def _encode_pictures(self, pictures: Sequence[Picture], role: Modality) -> NDArray[np.float32]:
        rows = np.empty((len(pictures), self.size), np.float32)
        for start, pixels in self._prepared_batches(pictures, role):
            rows[start : start + len(pixels)] = self._vectors(role, {"pixels": pixels}, (len(pixels), self.size))
        return rows

    def _encode_patches(self, pictures: Sequence[Picture], role: Modality) -> NDArray[np.float32]:
        patches: Role = "photo_patches" if role == "photo" else "sketch_patches"
        if patches not in self.record.graphs:
            raise EngineError(
                f"the model {self.name} has no vectors for patches: its last layer depends on the picture"
            )
        rows = np.empty((len(pictures), self.grid**2, self.size), np.float32)
        for start, pixels in self._prepared_batches(pictures, role):
            (states,) = self._run(role, {"pixels": pixels}, ["states"])
            rows[start : start + len(pixels)] = self._vectors(
                patches, {"states": states}, (len(pixels), self.grid**2, self.size)
            )
        return rows

    def _prepared_batches(self, pictures: Sequence[Picture], role: Modality) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(start, uint8 (n, side, side, 3)) of each batch; the next is prepared while the model runs on this one."""
        preprocessing = self.record.photos if role == "photo" else self.record.sketches
        if len(pictures) == 1:  # a query does not need threads
            yield 0, fit(pictures[0], preprocessing)[None]
            return
        prepared = map_ahead(partial(fit, record=preprocessing), pictures, workers=self.threads, depth=2 * self.batch)
        for start, batch in batches(pictures, self.batch):
            yield start, np.stack([next(prepared) for _ in batch])

    def _vectors(self, role: Role, inputs: Mapping[str, NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any]:
        """The output ``vectors`` of a graph."""
        (found,) = self._run(role, inputs, ["vectors"])
        return self._checked(role, found, shape)

    def _checked(self, role: Role, found: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """An output of a graph, if it has this shape."""
        if found.shape != shape or not np.isfinite(found).all():
            raise EngineError(
                f"{self.folder / self.record.graphs[role]} computes {found.dtype} of shape {found.shape}, not {shape}"
                " finite numbers: export the model again"
            )
        return found

    def _run(self, role: Role, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> list[NDArray[Any]]:
        try:
            return self._session(role)(inputs, outputs)
        except StoppedError:
            with self._lock:
                self._sessions.pop(self.record.graphs[role], None)
            raise

    def _session(self, role: Role) -> Session:
        """The graph of a role, verified when it is first used."""
        name = self.record.graphs[role]
        with self._lock:
            if name not in self._sessions:
                graph = read_file(self.folder, name, self.record)
                session = _session_kind(self._ships)(graph, self.provider, self.threads, self.weights_of(name))
                golden = read_golden(read_file(self.folder, GOLDEN, self.record))
                output = "lines" if role == "lines" else "vectors"
                check_golden(session, name, golden, self.record.precision, self.provider, output)
                self._sessions[name] = session
            return self._sessions[name]

    def weights_of(self, graph: str) -> SharedWeights | None:
        """The weights that a graph file reads from another one; None if they are inside it."""
        file = self.record.weights.get(graph)
        if file is None:
            return None
        return SharedWeights(file, np.frombuffer(read_file(self.folder, file, self.record), np.uint8))


def _session_kind(ships: bool) -> Callable[[bytes, str, int, SharedWeights | None], Session]:
    if ships:
        return OrtSession
    from sketchseek.engine.isolation import IsolatedSession  # not needed for the model that ships

    return IsolatedSession


def _tokenizer_kind(ships: bool) -> Any:
    if ships:
        from sketchseek.tokenizer import Tokenizer  # not needed for drawings

        return Tokenizer
    from sketchseek.engine.isolation import IsolatedTokenizer

    return IsolatedTokenizer


def load(folder: str | Path, *, name: str | None = None, provider: str | None = None, threads: int = 0) -> Encoder:
    """The model in a model folder.

    ``provider``: onnxruntime's execution provider ("CPU", "CUDA", ...), by default $SKETCHSEEK_PROVIDER, else CPU.
    ``threads``: for computing; 0 means one for each usable core.
    """
    place = Path(folder)
    record = read_record(place)
    return Encoder(
        place,
        record,
        name=name or place.resolve().name,
        provider=pick_provider(provider),
        threads=threads or usable_cores(),
    )
