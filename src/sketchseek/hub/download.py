"""Download the files of any model on the hub into a folder of ours: pinned, checked, and continued when interrupted."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

from sketchseek.caches import models_folder
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import Pin, cached_folder
from sketchseek.hub.errors import hub_errors
from sketchseek.hub.files import sha256_of
from sketchseek.hub.states import Listing, check_hash, known_pin, remember

__all__ = ["check_space", "download", "in_cache", "work_folder"]

Progress = Callable[[int, int], None]  # bytes that are here, bytes in all


def work_folder(spec: str) -> Path:
    """Where a download of ``spec`` lies until it is a model; the next run continues with what is there."""
    return models_folder() / "fetched" / quote(spec, safe="")


def in_cache(spec: str) -> Path | None:
    """The folder of this repository in the hub's own cache, every file checked; None if it is not there."""
    pin = known_pin(spec)
    folder = cached_folder(spec, pin) if pin else None
    if pin is not None and folder is not None:
        for name in pin.files:
            _check(spec, name, folder / name, pin.files[name])
    return folder


def download(listing: Listing, progress: Progress = lambda _done, _all: None, *, times: float = 1.0) -> Path:
    """The folder with these files, each one checked; records what they are.

    ``times``: how many times their size the model will take that is made of them, while it is made.
    """
    folder = work_folder(listing.spec) / listing.pin.revision[:12]
    with hub_errors(listing.spec):
        folder.mkdir(parents=True, exist_ok=True)
        here = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        needed = max(0, listing.bytes - here) + int(times * listing.bytes)
        check_space(f"the download of {listing.spec} and the model made of it", needed, folder)
        before = 0
        for name, size in listing.sizes.items():
            _download_file(listing, name, folder / name, partial(_report, progress, before, listing.bytes))
            before += size
    hashes: dict[str, str | None] = {}
    for name, expected in listing.pin.files.items():
        hashes[name] = _check(listing.spec, name, folder / name, expected)
    remember(listing.spec, Pin(listing.pin.revision, hashes))
    return folder


def _report(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def check_space(what: str, needed: int, folder: Path) -> None:
    """Raise an error if the disk of ``folder`` has less than ``needed`` bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SketchseekError(
            f"{what} needs {needed / 1e6:,.0f} MB of disk, and {folder} has {free / 1e6:,.0f} MB: free some space, or"
            " set SKETCHSEEK_MODELS to a folder on another disk"
        )


def _download_file(listing: Listing, name: str, target: Path, report: Callable[[int], None]) -> None:
    """One file; a part of it from an interrupted run is continued."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get  # the library's own downloads start again after a stop
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars  # type: ignore[attr-defined]

    if target.is_file() and target.stat().st_size == listing.sizes[name]:
        report(listing.sizes[name])
        return
    disable_progress_bars()
    url = hf_hub_url(listing.spec.partition("@")[0], name, revision=listing.pin.revision)
    facts = get_hf_file_metadata(url)
    headers = build_hf_headers(headers={"Accept-Encoding": "identity"})
    if urlsplit(facts.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # the account is the hub's business, not that of its file server
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with part.open("ab") as file:
        if facts.size is not None and file.tell() > facts.size:
            file.truncate(0)
        counted: Any = _Counted(file, report)
        http_get(facts.location, counted, resume_size=file.tell(), headers=headers, expected_size=facts.size)
    part.replace(target)


class _Counted:
    """A file for writing that reports how large it is, at most once per MB."""

    def __init__(self, file: BinaryIO, report: Callable[[int], None]) -> None:
        self._file, self._report, self._reported = file, report, 0
        self.seek, self.tell, self.truncate = file.seek, file.tell, file.truncate

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        if (size := self._file.tell()) - self._reported >= 2**20:
            self._reported = size
            self._report(size)
        return written


def _check(spec: str, name: str, path: Path, expected: str | None) -> str:
    """The SHA-256 of a file; raises an error if it is another than expected, and deletes a download of ours."""
    found = sha256_of(path)
    ours = path.is_relative_to(work_folder(spec))
    if ours and expected is not None and found != expected:
        path.unlink()  # the next run downloads it again
    check_hash(spec, name, found, expected, "try again" if ours else f"delete {path} and try again")
    return found
