import threading

import numpy as np

from sketchseek.pictures import load_sketch, sketch_from_strokes
from sketchseek.server.query_encoder import CACHE_SIZE, QueryEncoder, bytes_of_sketch
from tests.gallery.grid_model import GridModel
from tests.server.uploads import picture

ONE = sketch_from_strokes([[[0, 9], [0, 9]]])
TWO = sketch_from_strokes([[[0, 9], [9, 0]]])


class Counting(GridModel):
    """Records the size of every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def encode_texts(self, texts):
        self.batches.append(len(texts))
        return super().encode_texts(texts)


def test_vectors_are_the_model_s() -> None:
    model = GridModel()
    encoder = QueryEncoder(model)
    photos = [np.full((20, 30, 3), shade, np.uint8) for shade in (0, 90, 200)]
    for _ in range(2):
        assert np.array_equal(encoder.encode_photos(photos), model.encode_photos(photos))
        assert np.array_equal(encoder.encode_photos(photos[::-1]), model.encode_photos(photos[::-1]))
        assert np.array_equal(encoder.encode_sketches([ONE, TWO, ONE]), model.encode_sketches([ONE, TWO, ONE]))
        assert np.array_equal(encoder.encode_texts(["red", "red"]), model.encode_texts(["red", "red"]))


def test_only_new_items_are_encoded_and_the_oldest_are_dropped() -> None:
    model = Counting()
    encoder = QueryEncoder(model)
    encoder.encode_texts(["red", "green", "red"])
    encoder.encode_texts(["green", "blue"])
    encoder.encode_texts(["red"])
    assert model.batches == [2, 1]
    encoder.encode_texts([f"word {number}" for number in range(CACHE_SIZE)])
    encoder.encode_texts(["red"])
    assert model.batches[-1] == 1


def test_the_same_bytes_as_photo_and_as_words_are_two_things() -> None:
    encoder = QueryEncoder(GridModel())
    photo = np.frombuffer(b"red" * 4, np.uint8).reshape(2, 2, 3)
    assert not np.array_equal(encoder.encode_photos([photo]), encoder.encode_texts(["red" * 4]))


def test_drawings_are_the_same_only_if_all_of_them_is() -> None:
    line, split = [[[0, 1, 2, 3], [0, 0, 0, 0]]], [[[0, 1], [0, 0]], [[2, 3], [0, 0]]]
    drawings = [
        sketch_from_strokes(line),
        sketch_from_strokes(split),
        sketch_from_strokes(line, sheet=(9, 9)),
        load_sketch(picture()),
    ]
    assert len({bytes_of_sketch(drawing) for drawing in drawings}) == 4
    assert bytes_of_sketch(sketch_from_strokes(line)) == bytes_of_sketch(sketch_from_strokes(line))


def test_each_thread_has_its_own_clock() -> None:
    encoder = QueryEncoder(GridModel())
    with encoder.timed() as mine:
        thread = threading.Thread(target=lambda: encoder.encode_texts(["red"]))
        thread.start()
        thread.join()
        assert mine.seconds == 0
        encoder.encode_texts(["blue"])
        assert mine.seconds > 0
    with encoder.timed() as again:
        assert again.seconds == 0
