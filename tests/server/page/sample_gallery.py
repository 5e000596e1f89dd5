"""Known photos for the page tests: bars at the four sides, plain colours, dated ones, copies, a broken one."""

from pathlib import Path

from PIL import Image, ImageDraw

from tests.gallery.photos import fill, flat, jpeg, put

BARS = {"left": (0, 0, 39, 119), "right": (120, 0, 159, 119), "top": (0, 0, 159, 29), "bottom": (0, 90, 159, 119)}
EXTRA = 110  # for more than two pages of hits


def make_gallery(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, box in BARS.items():
        image = Image.new("RGB", (160, 120), "white")
        ImageDraw.Draw(image).rectangle(box, fill="black")
        image.save(folder / f"{name}.png")
    put(folder / "twice" / "left again.png", (folder / "left.png").read_bytes())
    for name, colour in {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (30, 60, 220)}.items():
        put(folder / "colours" / f"{name}.png", flat(colour))
    for year in (2022, 2023, 2024):
        put(
            folder / "holiday" / f"{year}.jpg",
            jpeg(year, taken=f"{year}:07:14 12:00:00", size=(48, 32), camera=f"Acme {year}"),
        )
    put(folder / "broken.jpg", b"\xff\xd8\xff not a photo")
    fill(folder / "many", EXTRA)
    return folder
