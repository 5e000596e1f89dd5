"""Download the files of any model on the hub into a folder of ours: pinned, checked, and continued when interrupted."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

from sketchseek.caches import models_folder
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import Pin, cached_folder, published, record_pin, recorded_pin
from sketchseek.hub.errors import hub_errors
from sketchseek.hub.files import sha256_of
from sketchseek.hub.layouts import files_to_take

__all__ = ["Listing", "download", "in_cache", "look_up", "work_folder"]

Progress = Callable[[int, int], None]  # bytes that are here, bytes in all


@dataclass(frozen=True)
class Listing:
    """What to download: the repository's state, file -> bytes, and the licence its card states, "" if none."""

    spec: str
    pin: Pin
    sizes: Mapping[str, int]
    licence: str

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


def work_folder(spec: str) -> Path:
    """Where a download of ``spec`` lies until it is a model; the next run continues with what is there."""
    return models_folder() / "fetched" / quote(spec, safe="")


def known_pin(spec: str) -> Pin | None:
    """The state that this release or the first download on this machine requires; None if it was never looked up."""
    entry, recorded = published().get(spec), recorded_pin(spec)
    known = (entry.pin if entry else None) or recorded
    if known is not None and recorded is not None and recorded.revision == known.revision:
        return Pin(known.revision, {name: known.files.get(name) or digest for name, digest in recorded.files.items()})
    return known


def in_cache(spec: str) -> Path | None:
    """The folder of this repository in the hub's own cache, every file checked; None if it is not there."""
    pin = known_pin(spec)
    folder = cached_folder(spec, pin) if pin else None
    if pin is not None and folder is not None:
        for name in pin.files:
            _check(spec, name, folder / name, pin.files[name])
    return folder


def look_up(spec: str) -> Listing:
    """The files that a model is made of at its pinned state, else at its latest one; asks the hub."""
    from huggingface_hub import HfApi

    entry, pin = published().get(spec), known_pin(spec)
    name, _, requested = spec.partition("@")
    revision = pin.revision if pin else requested or (entry.revision if entry else None)
    with hub_errors(spec):
        found = HfApi().model_info(name, revision=revision or None, files_metadata=True)
    served = {one.rfilename: one for one in found.siblings or []}
    assert found.sha is not None
    taken = files_to_take(spec, served.keys())
    hashes: dict[str, str | None] = {}
    for file in taken:
        announced = served[file].lfs
        hashes[file] = (pin.files.get(file) if pin else None) or (announced.sha256 if announced else None)
    licence = str(getattr(found.card_data, "license", None) or "")
    return Listing(spec, Pin(found.sha, hashes), {file: served[file].size or 0 for file in taken}, licence)


def download(listing: Listing, progress: Progress = lambda _done, _all: None) -> Path:
    """The folder with these files, each one checked; records what they are."""
    folder = work_folder(listing.spec) / listing.pin.revision[:12]
    with hub_errors(listing.spec):
        folder.mkdir(parents=True, exist_ok=True)
        _check_space(listing, folder)
        before = 0
        for name, size in listing.sizes.items():
            _download_file(listing, name, folder / name, partial(_report, progress, before, listing.bytes))
            before += size
    hashes: dict[str, str | None] = {}
    for name, expected in listing.pin.files.items():
        hashes[name] = _check(listing.spec, name, folder / name, expected)
    if recorded_pin(listing.spec) is None:
        record_pin(listing.spec, Pin(listing.pin.revision, hashes))
    return folder


def _report(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _check_space(listing: Listing, folder: Path) -> None:
    here = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    # The model that is made of the download lies beside it for a moment.
    needed = max(0, listing.bytes - here) + listing.bytes
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SketchseekError(
            f"{listing.spec} needs {needed / 1e6:,.0f} MB of disk for its download and the model made of it, and "
            f"{folder} has {free / 1e6:,.0f} MB: free some space, or set SKETCHSEEK_MODELS to a folder on another disk"
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
    """The SHA-256 of a file; raises an error and deletes it if it is another than expected."""
    found = sha256_of(path)
    if expected is not None and found != expected:
        if path.is_relative_to(work_folder(spec)):
            path.unlink()  # the next run downloads it again
        raise SketchseekError(
            f"{name} of {spec} is not what it was (SHA-256 {found[:12]}..., not {expected[:12]}...): try again, and do"
            " not trust it if the error remains"
        )
    return found
