"""Files of strangers, damaged or extreme: vectors, datasets, indexes, models, tokenizers, graphs and backbones.

Each is read or is one sentence, in bounded time and memory. Bytes are changed behind right checksums, and values of
JSON become others. Graphs and tokenizers, which run in processes of their own, are one case in twenty each.
"""

import io
import json
import random
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sketchseek.clip.weights import read_backbone
from sketchseek.datasets.reader import open_dataset
from sketchseek.engine import load
from sketchseek.engine.folder import CONFIG, SHIPPED, TOKENIZER, read_record
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.vectors.npz import load_vectors
from sketchseek.gallery import Gallery
from sketchseek.hub.files import files_in
from tests.campaign.campaigns import Campaign, Case, chance, measure, memory_of
from tests.datasets.trees import simple
from tests.engine.conftest import put
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill
from tests.hub.published import MAKERS
from tests.pictures.mutations import MUTATIONS

CAMPAIGN = Campaign("vectors, datasets, indexes, models and backbones", "files", full=2000, quick=40, seconds=90)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e308, float("nan"), float("inf"), 2**31, 2**63, 10**9, 10**18, 10**400,
    "", "x", "../x", "/etc/passwd", "\0", "\udcff", "a" * 5000, [], {}, [[]], [0] * 1000, {"a": {"a": {}}},
)  # fmt: skip
PHOTO = np.zeros((9, 9, 3), np.uint8)


@contextmanager
def prepared(place: Path, seed: int) -> Iterator[Case]:
    strangers = _Strangers(place)

    def case(number: int) -> int:
        kind = strangers.kinds[number % len(strangers.kinds)]
        try:
            kind(chance("strangers", seed, number))
        except SketchseekError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 2000, f"a sentence of {len(str(error))} characters"
        measure("peak memory of reading, MB", memory_of(), 1500)
        return 1

    yield case


class _Strangers:
    """``kinds``: what is read, in turn."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.model = Path(shutil.copytree(SHIPPED / "default", place / "model"))
        self.backbones = [Path(shutil.copytree(SHIPPED / "lite", place / "lite")), place / "clip", place / "open_clip"]
        for published in self.backbones[1:]:
            published.mkdir()
            MAKERS[published.name](published)
        self.gallery = place / "gallery"
        fill(place / "photos", 60)
        with Gallery.open(self.gallery, GridModel()) as gallery:
            gallery.add(place / "photos")
            self.expected = {hit.id for hit in gallery.search(text="red", k=100)}
        self.kinds: tuple[Callable[[random.Random], None], ...] = (
            *[self._vectors, self._dataset, self._index, self._record, self._backbone, self._weights] * 3,
            self._tokenizer,
            self._graph,
        )

    def _vectors(self, rng: random.Random) -> None:
        """An .npz: its members, or the whole archive."""
        arrays: dict[str, Any] = {
            "vectors": np.ones((6, 4), np.float32),
            "labels": np.arange(6),
            "names": np.array(list("abcdef")),
        }
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for name, array in arrays.items():
                member = io.BytesIO()
                np.save(member, array)
                data = changed(member.getvalue(), rng) if rng.random() < 0.4 else member.getvalue()
                if rng.random() < 0.1:
                    shape = f"({rng.choice((0, 10**6, 10**12, 2**63))}, {rng.choice((1, 10**9))})".encode()
                    data = data.replace(b"(6, 4), }          ", (shape + b", }").ljust(19))
                archive.writestr(name + ".npy", data)
        path = self.place / "vectors.npz"
        path.write_bytes(changed(stream.getvalue(), rng) if rng.random() < 0.5 else stream.getvalue())
        load_vectors(path)

    def _dataset(self, rng: random.Random) -> None:
        root = self.place / "dataset"
        if not root.exists():
            simple(root)
        groups: Any = {"seen": ["cat"], "unseen": ["hot-air_balloon"]}
        text = json.dumps(other_value(groups, rng)).encode()
        (root / "splits.json").write_bytes(changed(text, rng) if rng.random() < 0.5 else text)
        open_dataset(root)

    def _index(self, rng: random.Random) -> None:
        """Another index file, whose checksum is right: a search finds no photo that is not there."""
        (data,), (record,) = self.gallery.glob("index-*.faiss"), self.gallery.glob("index-*.json")
        if not hasattr(self, "index"):
            self.index = (data.read_bytes(), json.loads(record.read_text()))
        content, saved = self.index
        content = changed(content, rng)
        facts = {name: value for name, value in saved.items() if name not in ("version", "crc")}
        if rng.random() < 0.3:
            facts = other_value(facts, rng)
        crc = zlib.crc32(content, zlib.crc32(json.dumps(facts).encode()))
        data.write_bytes(content)
        record.write_text(json.dumps({"version": 1, "crc": crc, **facts}))
        with Gallery.open(self.gallery, GridModel(), readonly=True) as gallery:
            assert {hit.id for hit in gallery.search(text="red", k=100)} <= self.expected

    def _record(self, rng: random.Random) -> None:
        whole = (self.model / CONFIG).read_bytes()
        try:
            text = json.dumps(other_value(json.loads(whole), rng)).encode()
            (self.model / CONFIG).write_bytes(changed(text, rng) if rng.random() < 0.3 else text)
            assert asdict(read_record(self.model))
        finally:
            (self.model / CONFIG).write_bytes(whole)

    def _tokenizer(self, rng: random.Random) -> None:
        whole = (self.model / TOKENIZER).read_bytes()
        text = json.dumps(other_value(json.loads(whole), rng)).encode()
        self._with_file(TOKENIZER, changed(text, rng) if rng.random() < 0.3 else text)

    def _graph(self, rng: random.Random) -> None:
        name = rng.choice(sorted(path.name for path in self.model.glob("*.onnx")))
        self._with_file(name, changed((self.model / name).read_bytes(), rng))

    def _with_file(self, name: str, data: bytes) -> None:
        """Encode with a model whose record says that ``data`` is right."""
        kept = {one: (self.model / one).read_bytes() for one in (name, CONFIG)}
        try:
            put(self.model, name, data)
            model = load(self.model)
            for vectors in (model.encode_photos([PHOTO]), model.encode_texts(["a cat on a sofa"])):
                assert np.isfinite(vectors).all()
        finally:
            for one, content in kept.items():
                (self.model / one).write_bytes(content)

    def _backbone(self, rng: random.Random) -> None:
        """A setting of a backbone."""
        config = rng.choice(sorted(rng.choice(self.backbones).glob("*config.json")))
        data = json.dumps(other_value(json.loads(config.read_bytes()), rng)).encode()
        self._with_backbone_file(config, data, rng)

    def _weights(self, rng: random.Random) -> None:
        """The header of the weights, which has names, shapes and places of all tensors."""
        (weights,) = rng.choice(self.backbones).glob("*.safetensors")
        whole = weights.read_bytes()
        size = int.from_bytes(whole[:8], "little")
        header = whole[8 : 8 + size]
        if rng.random() < 0.5:
            header = json.dumps(other_value(json.loads(header), rng)).encode()
        else:
            header = changed(header, rng)
        self._with_backbone_file(weights, len(header).to_bytes(8, "little") + header + whole[8 + size :], rng)

    def _with_backbone_file(self, path: Path, data: bytes, rng: random.Random) -> None:
        whole = path.read_bytes()
        try:
            path.write_bytes(changed(data, rng) if rng.random() < 0.1 else data)
            read_backbone(files_in(path.parent)).tokens(["cat"])
        finally:
            path.write_bytes(whole)


def changed(data: bytes, rng: random.Random) -> bytes:
    """Other bytes: as pictures are damaged."""
    other = bytearray(data)
    for _ in range(rng.choice((1, 1, 2))):
        if other:
            rng.choice(MUTATIONS)(other, rng)
    return bytes(other)


def other_value(whole: Any, rng: random.Random) -> Any:
    """JSON in which one value, somewhere, has become another."""
    whole = json.loads(json.dumps(whole))
    place = whole
    while True:
        keys: list[Any] = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        if not (isinstance(place[key], dict | list) and place[key] and rng.random() < 0.8):
            break
        place = place[key]
    if rng.random() < 0.1:
        del place[key]
    else:
        place[key] = rng.choice(VALUES)
    return whole
