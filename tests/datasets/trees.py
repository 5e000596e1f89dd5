"""Make-believe datasets of every layout, out of pictures of a few pixels."""

import io
from functools import cache
from pathlib import Path

from PIL import Image

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


@cache
def picture(suffix: str) -> bytes:
    """A valid picture of 4 x 4 pixels: white with a dark line."""
    image = Image.new("RGB", (4, 4), "white")
    image.paste("black", (1, 0, 2, 4))
    stream = io.BytesIO()
    image.save(stream, FORMATS[suffix.lower()])
    return stream.getvalue()


def plant(root: Path, *paths: str) -> Path:
    """Write a picture at each path below the root."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(file.suffix))
    return root


def write(root: Path, path: str, text: str) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def simple(root: Path, *classes: str, sketch: str = "sketch", photo: str = "photo") -> Path:
    """Two photos a class, the first of them drawn twice."""
    for name in classes or ("cat", "hot-air_balloon"):
        plant(root, f"{photo}/{name}/{name}_1.jpg", f"{photo}/{name}/{name}_2.jpg")
        plant(root, f"{sketch}/{name}/{name}_1-1.png", f"{sketch}/{name}/{name}_1-2.png")
    return root


SAKE_SKETCH = "256x256/sketch/tx_000000000000_ready"
SAKE_PHOTO = "256x256/photo/tx_000000000000_ready"
SAKE_MORE = "EXTEND_image_sketchy_ready"


def sake(root: Path) -> Path:
    """SAKE's tree of Sketchy: two seen classes and an unseen one, the extension holding the basic photo again."""
    seen, unseen = ("car_(sedan)", "wine_bottle"), ("bat",)
    for name in (*seen, *unseen):
        plant(root, f"{SAKE_SKETCH}/{name}/n1_7-1.png", f"{SAKE_SKETCH}/{name}/n1_7-2.png")
        plant(root, f"{SAKE_PHOTO}/{name}/n1_7.jpg")
        plant(root, f"{SAKE_MORE}/{name}/n1_7.jpg", f"{SAKE_MORE}/{name}/n1_8.jpg")
    for group, names in (("train", seen), ("zero", unseen)):
        photos = [f"{SAKE_PHOTO}/{n}/n1_7.jpg {i}" for i, n in enumerate(names)]
        photos += [f"{SAKE_MORE}/{n}/n1_{k}.jpg {i}" for i, n in enumerate(names) for k in (7, 8)]
        sketches = [f"{SAKE_SKETCH}/{n}/n1_7-{k}.png {i}" for i, n in enumerate(names) for k in (1, 2)]
        write(root, f"zeroshot0/all_photo_filelist_{group}.txt", "\n".join(photos) + "\n")
        write(root, f"zeroshot0/sketch_tx_000000000000_ready_filelist_{group}.txt", "\n".join(sketches) + "\n")
        suffix = "_zero" if group == "zero" else ""
        write(root, f"zeroshot0/cname_cid{suffix}.txt", "".join(f"{n} {i}\n" for i, n in enumerate(names)))
    return root
