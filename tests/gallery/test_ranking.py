"""Search against the slow, obvious way: every photo's vector, every filter, a plain sort."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.embedded.gallery import EmbeddedGallery
from sketchseek.gallery.filters import dates
from sketchseek.neighbours import LOOKS, Look
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, flat, jpeg, png, put


@pytest.fixture
def filled(gallery: Gallery, photos: Path) -> Gallery:
    """80 photos in folders and years, some of them copies."""
    for seed in range(60):
        put(photos / f"f{seed % 4}" / f"{seed}.png", png(seed))
    for seed in range(20):
        taken = f"{2015 + seed % 5}:{1 + seed % 12:02}:{1 + seed:02} 10:20:30"
        put(photos / "dated" / f"{seed}.jpg", jpeg(seed, taken=taken))
    for seed in range(0, 20, 3):
        put(photos / "copies" / f"{seed}.png", png(seed))
    gallery.add(photos)
    return gallery


def oracle(
    gallery: Gallery, query: Any, under: Path | None = None, years: tuple[int, int] = (0, 9999), k: int = 20
) -> list[Any]:
    """(score, id, path, duplicates), by brute force over the catalogue."""
    assert isinstance(gallery, EmbeddedGallery)
    catalogue = gallery._reader
    (model,) = catalogue.models()
    found = []
    for row in catalogue.vector_rows(model.row):
        photo = catalogue.photo(int(row))
        assert photo is not None
        paths = [Path(os.fsdecode(path)) for path in photo.paths]
        if under is not None:
            paths = [path for path in paths if path.is_relative_to(under)]
        year = int(photo.taken[:4]) if photo.taken else None
        if not paths or (years != (0, 9999) and (year is None or not years[0] <= year <= years[1])):
            continue
        vector = catalogue.vectors_of(model, [int(row)])[1][0].astype(np.float64)
        others = {Path(os.fsdecode(path)) for path in photo.paths} - {paths[0]}
        found.append((-min(1.0, float((vector * query).sum())), photo.id, paths[0], others))
    return [(-score, id, path, others) for score, id, path, others in sorted(found, key=lambda one: one[:2])[:k]]


def seen(hits: Any) -> list[Any]:
    return [(hit.score, hit.id, hit.path, set(hit.duplicates)) for hit in hits]


@pytest.mark.parametrize("k", [1, 5, 200])
def test_a_search_is_a_sort(filled: Gallery, model: GridModel, k: int) -> None:
    query = model.encode_texts(["green"])[0].astype(np.float32)
    found, expected = seen(filled.search(look="direct", text="green", k=k)), oracle(filled, query, k=k)
    assert [one[1:] for one in found] == [one[1:] for one in expected]
    assert np.allclose([one[0] for one in found], [one[0] for one in expected], atol=1e-6)


def test_filters_do_not_cost_hits(filled: Gallery, model: GridModel, photos: Path) -> None:
    query = model.encode_texts(["blue"])[0].astype(np.float32)
    for under in (photos, photos / "f1", photos / "copies", photos / "dated", photos / "nowhere", photos / "f"):
        found = filled.search(look="direct", text="blue", under=under, k=15)
        assert [one[1:] for one in seen(found)] == [one[1:] for one in oracle(filled, query, under, k=15)]
    for taken, years in (
        ("2016", (2016, 2016)),
        (("2016", "2018"), (2016, 2018)),
        ((None, date(2016, 12, 31)), (1, 2016)),
        (("2018", None), (2018, 9000)),
    ):
        found = filled.search(look="direct", text="blue", taken=taken, under=photos)
        assert [one[1:] for one in seen(found)] == [one[1:] for one in oracle(filled, query, None, years)]
        assert found


def test_a_score_depends_on_nothing_but_photo_and_query(filled: Gallery, photos: Path) -> None:
    scores = {hit.id: hit.score for hit in filled.search(text="red", k=200)}
    for options in ({"k": 1}, {"k": 7}, {"under": photos / "f2"}, {"taken": "2017"}, {"min_score": 0.0}):
        assert all(scores[hit.id] == hit.score for hit in filled.search(text="red", **options))


def test_too_far_away_is_not_a_hit(filled: Gallery) -> None:
    everything = filled.search(look="direct", text="red", k=200)
    floor = everything[10].score
    assert filled.search(look="direct", text="red", k=200, min_score=floor) == everything[:11]
    assert filled.search(look="direct", text="red", min_score=1.1) == []


def test_equal_scores_come_in_the_order_of_their_ids(gallery: Gallery, photos: Path) -> None:
    """200 files with the same pixels and different bytes, k far below: always the same ones."""
    for number in range(200):
        put(photos / f"{number}.png", flat((220, 30, 30), note=str(number)))
    fill(photos, 20)
    gallery.add(photos)
    everything = gallery.search(text="red", k=300)
    assert len(everything) == 220
    first = [hit.id for hit in everything if hit.score == everything[0].score]
    assert len(first) == 200
    assert first == sorted(first)
    assert gallery.search(text="red", k=5) == everything[:5]


def test_near_duplicates_fold_when_asked(gallery: Gallery, photos: Path) -> None:
    for number in range(50):
        put(photos / f"red-{number:02}.png", flat((220, 30, 30), note=str(number)))
    put(photos / "copy.png", flat((220, 30, 30), note="0"))
    put(photos / "blue.png", flat((30, 60, 220)))
    gallery.add(photos)
    assert len(gallery.search(text="red", k=100)) == 51
    best, other = gallery.search(text="red", k=2, fold=0.99)
    assert len(best.duplicates) == 50
    assert other.path.name == "blue.png"


def test_feedback_moves_the_results(filled: Gallery) -> None:
    first = filled.search(text="grey", k=50)
    target = first[-1]
    liked = filled.search(text="grey", like=[target.id], k=50)
    assert [hit.id for hit in liked].index(target.id) < 25
    disliked = filled.search(text="grey", unlike=[first[0].id], k=80)
    assert [hit.id for hit in disliked].index(first[0].id) > 0


def test_more_like_this_leaves_itself_out(filled: Gallery) -> None:
    hit = filled.search(text="red", k=1)[0]
    similar = filled.similar(hit.id, k=5)
    assert len(similar) == 5
    assert hit.id not in [other.id for other in similar]
    assert similar[0].score >= similar[-1].score


@pytest.mark.parametrize("look", LOOKS)
def test_an_unlikely_photo_takes_no_place_of_a_likely_one(filled: Gallery, look: Look) -> None:
    """Pages of likely photos continue each other, although the order mixes unlikely ones among them."""
    found = filled.search(text="green", look=look, k=200)
    least = float(np.median([hit.relevance for hit in found if hit.relevance is not None]))
    everything = filled.search(text="green", look=look, k=200, min_relevance=least)
    assert everything == [hit for hit in found if hit.relevance is not None and hit.relevance >= least]
    assert 20 < len(everything) < len(found)
    for k in (1, 5, 20, len(everything)):
        assert seen(filled.search(text="green", look=look, k=k, min_relevance=least)) == seen(everything)[:k]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (None, (None, None)),
        ("2024", ("2024", "2024~")),
        (("2024-05", None), ("2024-05", None)),
        ((date(2024, 5, 1), "2024-06"), ("2024-05-01", "2024-06~")),
    ],
)
def test_dates_are_prefixes(taken: Any, expected: Any) -> None:
    assert dates(taken) == expected


@pytest.mark.parametrize("taken", ["yesterday", "2024-13", ("2024", "x"), "24"])
def test_what_is_no_date_is_said(taken: Any) -> None:
    with pytest.raises(GalleryError, match=r"is not a date; write 2024, 2024-05 or 2024-05-31"):
        dates(taken)


def test_dates_that_run_backwards_are_said() -> None:
    with pytest.raises(GalleryError, match="run backwards"):
        dates(("2024", "2023"))


def test_a_search_reads_no_whole_table(filled: Gallery, photos: Path) -> None:
    """However large the gallery: what SQLite plans for a search and for a writer's last steps looks things up."""
    asked: list[str] = []
    assert isinstance(filled, EmbeddedGallery)
    db = filled._reader._db
    filled.search(text="red")
    db.set_trace_callback(asked.append)
    hit = filled.search(text="red")[0]
    filled.search(text="red", under=photos / "f1", taken="2024")
    filled.similar(hit.id)
    filled.photo(hit.id)
    db.set_trace_callback(None)
    asked += ["DELETE FROM vectors WHERE content IN (SELECT row FROM contents WHERE copies = 0)"]
    selects = [sql for sql in asked if sql.startswith(("SELECT", "DELETE"))]
    assert len(selects) > 20
    steps = [step[3] for sql in selects for step in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    small = (
        "commits",
        "models",
        "c USING INDEX contents_orphaned",
        "contents USING",
        "c USING COVERING INDEX contents_orphaned",
    )
    assert [
        step for step in steps if step.startswith("SCAN") and not step.removeprefix("SCAN ").startswith(small)
    ] == []
