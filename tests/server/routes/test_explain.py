import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from sketchseek.engine.models import load_search_model
from sketchseek.gallery import Gallery
from sketchseek.model import has_patches
from sketchseek.pictures import load_photo, load_sketch
from sketchseek.pictures.extent import extent
from sketchseek.server.app import create_app
from sketchseek.server.patches import cosines, inked_cells
from tests.server.conftest import ADDRESS, make_service
from tests.server.patch_model import PatchModel
from tests.server.uploads import CORNER, picture, post, refusal

# A stroke in the top left of sixteen cells only, thick enough to fill it.
DOT = json.dumps({"drawing": [[[2, 22], [y, y]] for y in range(2, 24)], "sheet": [100, 100]})


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[TestClient, str]]:
    """A white photo whose third row has one black cell, the second; and a client that can explain it."""
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[32:48, 16:32] = 0
    (tmp_path / "photos").mkdir()
    Image.fromarray(pixels).save(tmp_path / "photos" / "x.png")
    model = PatchModel()
    with Gallery.open(tmp_path / "gallery", model) as gallery:
        gallery.add(tmp_path / "photos")
        id = gallery.search(text="red")[0].id
    with TestClient(create_app(make_service(tmp_path / "gallery", model, tmp_path)), base_url=ADDRESS) as client:
        yield client, id


def explained(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = post(client, to="/api/explain", **fields)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


def test_strokes_of_which_only_colours_count_match_no_parts(shown: tuple[TestClient, str]) -> None:
    client, id = shown
    coloured = json.dumps({**json.loads(DOT), "colours": ["#2b6cd4"] * 22})
    parts = {"id": id, "strokes": coloured, "weights": '{"sketch": 0}'}
    assert explained(client, **parts, text="red") == explained(client, id=id, text="red")
    answer = post(client, to="/api/explain", **parts)
    assert "only its colours" in refusal(answer, 422)


def test_ink_is_found_where_the_photo_is_dark(shown: tuple[TestClient, str]) -> None:
    client, id = shown
    found = explained(client, id=id, strokes=DOT)
    dark = 2 * 4 + 1
    assert found["id"] == id
    assert found["grid"] == 4
    assert found["photo"] == pytest.approx([1.0 if cell == dark else 0.0 for cell in range(16)], abs=0.01)
    assert found["best"] == [dark if cell == 0 else None for cell in range(16)]
    assert found["drawing"][1:] == [0.0] * 15
    assert found["photo_box"] == found["drawing_box"] == [0, 0, 1, 1]


def test_cells_without_ink_match_nothing(shown: tuple[TestClient, str]) -> None:
    client, id = shown
    found = explained(client, id=id, strokes=CORNER)
    inked = [cell for cell, best in enumerate(found["best"]) if best is not None]
    assert set(inked) == {0, 1, 2, 3, 7, 11, 15}
    assert max(found["drawing"]) == 1.0


def test_what_all_patches_share_does_not_decide() -> None:
    """The second cell of the photo is near everything, the third is what was drawn."""
    shared, drawn = np.eye(8, dtype=np.float32)[:2]
    drawing = np.stack([shared, shared + 0.4 * drawn, shared, shared])
    photo = np.stack([0.2 * shared + np.eye(8, dtype=np.float32)[3], shared, 0.2 * shared + drawn])
    assert (drawing[1] @ photo.T).argmax() == 1
    assert cosines(drawing, np.array([1]), photo)[0].argmax() == 2


def test_words_photos_and_marks_are_explained_without_a_drawing(shown: tuple[TestClient, str]) -> None:
    client, id = shown
    for fields in ({"text": "red", "minus": "blue"}, {"like": id}, {"text": "black", "like": id}):
        found = explained(client, id=id, **fields)
        assert len(found["photo"]) == 16
        assert (min(found["photo"]), max(found["photo"])) == (0, 1)
        assert found["drawing"] is found["drawing_box"] is found["best"] is None
    answer = post(client, ("photo", "x.png", picture()), to="/api/explain", id=id)
    assert answer.status_code == 200


def test_what_cannot_be_explained(shown: tuple[TestClient, str], client: TestClient, some_id: str) -> None:
    own, id = shown
    assert own.get("/api/status").json()["explains"] is True
    assert "id: give it" in refusal(post(own, to="/api/explain", strokes=DOT), 422)
    assert "no photo" in refusal(post(own, to="/api/explain", strokes=DOT, id="0" * 16), 404)
    assert "no photo" in refusal(post(own, to="/api/explain", strokes=DOT, id="../x"), 404)
    assert "nothing to look for" in refusal(post(own, to="/api/explain", id=id), 422)
    assert client.get("/api/status").json()["explains"] is False
    assert "cannot show which parts match" in refusal(post(client, to="/api/explain", strokes=DOT, id=some_id), 422)


@pytest.mark.data
def test_parts_of_real_drawings_are_found_where_they_are_in_the_photo(data_root: Path) -> None:
    """Of forty photos drawn from memory, mostly in place: much nearer than chance."""
    model = load_search_model("default")
    assert has_patches(model)
    with (data_root / "sketchy" / "pairs.csv").open() as table:
        pairs = list(csv.DictReader(table))
    off, chance = [], []
    for pair in random.Random(0).sample(pairs, 40):
        drawing = load_sketch(data_root / "sketchy" / pair["sketch"])
        photo = load_photo(data_root / "sketchy" / pair["photo"], target=model.photo_side)
        inked = inked_cells(drawing, model.record.sketches, model.grid)
        alike = cosines(model.patches_sketches([drawing])[0], inked, model.patches_photos([photo])[0])
        drawn = _middles(extent(drawing, model.record.sketches), model.grid)[inked]
        there = _middles(extent(photo, model.record.photos), model.grid)
        off.append(np.linalg.norm(drawn - there[alike.argmax(axis=1)], axis=1).mean())
        chance.append(np.linalg.norm(drawn[:, None] - there, axis=2).mean())
    assert np.mean(off) < 0.6 * np.mean(chance)


def _middles(box: tuple[float, float, float, float], grid: int) -> np.ndarray:
    left, top, right, bottom = box
    steps = (np.arange(grid) + 0.5) / grid
    return np.array([(left + x * (right - left), top + y * (bottom - top)) for y in steps for x in steps])
