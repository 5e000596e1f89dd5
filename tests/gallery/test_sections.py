"""Browsing without a query: every photo once, in the order of its date, whatever page one begins with."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sketchseek.gallery import Gallery
from sketchseek.gallery.embedded import browsing
from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.filters import Filters
from sketchseek.gallery.hits import Hit
from tests.gallery.grid_model import GridModel
from tests.gallery.photos import fill, jpeg, put

DATES = st.none() | st.datetimes(datetime(2022, 11, 1), datetime(2023, 2, 28)).map(
    lambda day: day.replace(microsecond=0)
)


def obvious(gallery: Gallery, under: Path) -> list[Hit]:
    """All photos by a search, sorted as sections are; undated ones by path, the order of indexing."""
    hits = gallery.search(text="red", k=1000, under=under)
    dated = [hit for hit in hits if hit.taken]
    undated = [hit for hit in hits if not hit.taken]
    # Of photos of the same second, the one that was indexed last comes first.
    return sorted(dated, key=lambda hit: (hit.taken, hit.path), reverse=True) + sorted(
        undated, key=lambda hit: hit.path
    )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dates=st.lists(DATES, min_size=1, max_size=14), page=st.integers(1, 5))
def test_pages_are_those_of_the_sorted_list(
    dates: list[datetime | None], page: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("sections")
    for number, day in enumerate(dates):
        taken = f"{day:%Y:%m:%d %H:%M:%S}" if day else None
        put(home / "photos" / ("a" if number % 3 else "b") / f"{number:02}.jpg", jpeg(number, taken=taken))
    monkeypatch.setattr(browsing, "SECTION_PAGE", page)
    with Gallery.open(home / "gallery", GridModel()) as gallery:
        gallery.add(home / "photos", batch=1, threads=1)
        for under in (home / "photos", home / "photos" / "a"):
            expected = [hit.id for hit in obvious(gallery, under)]
            sections = gallery.sections(Filters(under=under))
            assert sum(section.count for section in sections) == len(expected)
            found = []
            for section in sections:
                for number, first in enumerate(section.pages):
                    count = min(page, section.count - number * page)
                    hits = gallery.section_page(first, count, Filters(under=under))
                    assert len(hits) == count
                    months = {f"{hit.taken:%Y-%m}" if hit.taken else None for hit in hits}
                    assert months == {section.month}
                    found += [hit.id for hit in hits]
            assert found == expected
            if under.name == "photos":
                assert gallery.sections() == sections


def test_a_page_ends_with_its_month(tmp_path: Path) -> None:
    for month in (1, 2):
        put(tmp_path / "photos" / f"{month}.jpg", jpeg(month, taken=f"2024:0{month}:15 12:00:00"))
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        gallery.add(tmp_path / "photos")
        february = gallery.sections()[0]
        assert february.month == "2024-02"
        assert [hit.path.name for hit in gallery.section_page(february.pages[0], 100)] == ["2.jpg"]
        with pytest.raises(GalleryError, match="has no photo"):
            gallery.section_page("0" * 16, 5)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(st.tuples(st.sampled_from(["", "a", "a b", "a/x"]), st.integers(0, 5)), min_size=1, max_size=12),
    page=st.integers(1, 4),
)
@example(files=[("a", number) for number in (0, 1, 2, 0, 3)], page=2)  # a copy on a later page
def test_pages_of_folders_are_those_of_the_files(
    files: list[tuple[str, int]],
    page: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Photos of the same number are copies."""
    home = tmp_path_factory.mktemp("folders") / "photos"
    expected: dict[Path, dict[int, str]] = {}
    for name, (folder, number) in enumerate(files):
        path = home / folder / f"{name:02}.jpg"
        put(path, jpeg(number, taken=f"202{number % 3}:01:01 00:00:00"))
        expected.setdefault(path.parent, {}).setdefault(number, path.name)
    monkeypatch.setattr(browsing, "SECTION_PAGE", page)
    with Gallery.open(home.parent / "gallery", GridModel()) as gallery:
        gallery.add(home, threads=1)
        for under, taken in ((None, None), (home / "a", None), (home, "2021")):
            wanted = {
                folder: [name for number, name in names.items() if taken is None or number % 3 == 1]
                for folder, names in expected.items()
                if under is None or folder.is_relative_to(under)
            }
            found: dict[Path, list[str]] = {}
            for section in gallery.folder_sections(Filters(under=under, taken=taken)):
                assert section.folder is not None and section.month is None
                for number, first in enumerate(section.pages):
                    count = min(page, section.count - number * page)
                    hits = gallery.folder_page(section.folder, first, count, Filters(taken=taken))
                    assert len(hits) == count
                    found.setdefault(section.folder, []).extend(hit.id for hit in hits)
            ids = {file: hit.id for hit in gallery.search(text="red", k=99) for file in (hit.path, *hit.duplicates)}
            assert list(found) == sorted(found)
            assert found == {
                folder: [ids[folder / name] for name in names] for folder, names in sorted(wanted.items()) if names
            }
        with pytest.raises(GalleryError, match="has no photo"):
            gallery.folder_page(home / "elsewhere", next(iter(ids.values())), 5)


def test_folders_are_counted(tmp_path: Path) -> None:
    fill(tmp_path / "photos", 3)
    fill(tmp_path / "photos" / "deep" / "er", 2, first=10)
    put(tmp_path / "photos" / "broken.jpg", b"\xff\xd8\xff")
    with Gallery.open(tmp_path / "gallery", GridModel()) as gallery:
        assert gallery.sections() == gallery.folder_sections() == [] and gallery.folder_counts() == {}
        gallery.add(tmp_path / "photos")
        assert gallery.folder_counts() == {tmp_path / "photos": 3, tmp_path / "photos" / "deep" / "er": 2}
        (undated,) = gallery.sections()
        assert (undated.month, undated.count) == (None, 5)
