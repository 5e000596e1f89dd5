"""The folders that the page may offer: those below the places, and never anything outside."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sketchseek.server import places
from sketchseek.server.places import Places, usual_places
from tests.gallery.photos import png, put


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with photos, hidden folders, and links that lead inside and outside."""
    for path in ("home/Pictures/2024/a.png", "home/Pictures/b.PNG", "home/.ssh/c.png", "home/Pictures/@eaDir/d.png"):
        put(tmp_path / path, png(1))
    put(tmp_path / "secret" / "deeper" / "e.png", png(2))
    put(tmp_path / "home" / "notes.txt", b"x")
    (tmp_path / "home" / "Pictures" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "home" / "Pictures" / "in").symlink_to(tmp_path / "home" / "Pictures" / "2024")
    (tmp_path / "home" / "Pictures" / "keys").symlink_to(tmp_path / "home" / ".ssh")
    (tmp_path / "home" / "Pictures" / "round").symlink_to(tmp_path / "home" / "Pictures")
    return tmp_path / "home"


def test_folders_are_listed_with_their_photos(home: Path) -> None:
    offered = Places([home])
    begin = offered.listing(None)
    assert begin is not None and begin.folders == ["home"] and begin.parent is None
    assert offered.suggestions() == ["home/Pictures"]
    pictures = offered.listing("home/Pictures")
    assert pictures is not None
    assert pictures.folders == [f"home/Pictures/{name}" for name in ("2024", "in", "round")]
    assert (pictures.parent, pictures.photos, pictures.more) == ("home", 1, False)
    assert offered.find("home/Pictures/2024") == home / "Pictures" / "2024"


@pytest.mark.parametrize(
    "name",
    [
        *("secret", "home/..", "home/../secret", "home/Pictures/out", "home/Pictures/out/deeper", "home/.ssh", "/", ""),
        *("home/", "home/Pictures/keys", "home/Pictures/@eaDir", "home/notes.txt", "home/missing"),
        "home/\\x2e\\x2e/secret",
    ],
)
def test_nothing_else_can_be_named(home: Path, name: str) -> None:
    offered = Places([home])
    assert offered.find(name) is None
    assert offered.listing(name) is None


@given(st.lists(st.sampled_from(["home", "..", ".", "Pictures", "out", "in", "round", "deeper", "keys", "", "\\x2e"])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_folder_that_is_found_lies_below_a_place(home: Path, parts: list[str]) -> None:
    found = Places([home]).find("/".join(parts))
    assert found is None or Path(os.path.realpath(found)).is_relative_to(home)


def test_names_that_are_not_text_can_be_chosen(home: Path) -> None:
    strange = Path(os.fsdecode(os.fsencode(home) + b"/\xff\n"))
    strange.mkdir()
    offered = Places([home])
    listing = offered.listing("home")
    assert listing is not None
    (name,) = [one for one in listing.folders if "Pictures" not in one]
    assert offered.find(name) == strange


def test_a_long_list_is_cut(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MAX_LISTED", 2)
    listing = Places([home]).listing("home/Pictures")
    assert listing is not None and len(listing.folders) == 2 and listing.more
    monkeypatch.setattr(places, "MAX_ENTRIES", 1)
    listing = Places([home]).listing("home/Pictures")
    assert listing is not None and listing.more


def test_the_usual_places_begin_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(places, "DRIVES", (str(tmp_path / "missing"), "/"))
    assert usual_places() == [tmp_path, Path("/")]
