"""docs/research/datasets.md matches the code."""

from pathlib import Path

from sketchseek.datasets import known_splits, published_split
from sketchseek.datasets.layouts import LAYOUTS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "research" / "datasets.md").read_text(encoding="utf-8")


def test_every_layout_is_there_with_its_folders() -> None:
    for layout in LAYOUTS:
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{layout.name}`"))
        for folder in (layout.sketches, layout.photos, layout.extended):
            assert not folder or f"`{folder}/" in row, (layout.name, folder)


def test_every_split_is_there_with_its_sizes_and_aliases() -> None:
    for known in known_splits().values():
        split = published_split(known.name)
        cells = (
            next(line for line in PAGE.splitlines() if line.startswith(f"| `{known.name}`"))
            .replace("`", "")
            .split(" | ")
        )
        assert str(len(split.seen)) in cells[1]
        assert cells[2].startswith(str(len(split.unseen)))
        assert cells[3].rstrip(" |").split(", ") == list(known.aliases)
