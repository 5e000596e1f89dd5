"""States of repositories on the hub: which one is required, what it consists of, and whether a file belongs to it."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import Pin, published, record_pin, recorded_pin
from sketchseek.hub.errors import hub_errors

__all__ = ["Listing", "check_hash", "known_pin", "look_up", "remember"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_WEIGHTS = (".safetensors", ".onnx", ".onnx_data", ".data", ".npz")  # beside what has no influence on their numbers
Choose = Callable[[str, Collection[str]], list[str]]  # the repository's name, the names of its files -> those to take


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


def known_pin(spec: str) -> Pin | None:
    """The state that this release or the first download on this machine requires; None if it was never looked up."""
    entry, recorded = published().get(spec), recorded_pin(spec)
    known = (entry.pin if entry else None) or recorded
    if known is not None and recorded is not None and recorded.revision == known.revision:
        return Pin(known.revision, {name: digest or recorded.files.get(name) for name, digest in known.files.items()})
    return known


def look_up(spec: str, choose: Choose) -> Listing:
    """The files that ``choose`` takes of a model at its required state, else at its latest one; asks the hub."""
    from huggingface_hub import HfApi

    entry, pin, recorded = published().get(spec), known_pin(spec), recorded_pin(spec)
    name, _, requested = spec.partition("@")
    revision = pin.revision if pin else requested or (entry.revision if entry else None)
    with hub_errors(spec):
        found = HfApi().model_info(name, revision=revision or None, files_metadata=True)
    served = {one.rfilename: one for one in found.siblings or []}
    assert found.sha is not None
    if revision and _COMMIT.fullmatch(revision) and found.sha != revision:
        raise SketchseekError(
            f"the hub answers with another commit of {spec} than the one required ({found.sha[:12]}, not"
            f" {revision[:12]}): try again, and do not trust it if the error remains"
        )
    required: dict[str, str | None] = {}
    for state in (recorded, pin):
        if state is not None and state.revision == found.sha:
            required |= {file: digest for file, digest in state.files.items() if digest}
    # Weights that no hash covers must not take the place of those that one does.
    allowed = {file for file in served if not required or file in required or not file.endswith(_WEIGHTS)}
    taken = choose(spec, allowed)
    if lacking := sorted(required.keys() - set(taken)):
        raise SketchseekError(
            f"the hub has {spec} without {lacking[0]}, which is required: try again, and do not trust it if the error"
            " remains"
        )
    announced = {file: lfs.sha256 if (lfs := served[file].lfs) else None for file in taken}
    hashes = {file: required.get(file) or announced[file] for file in taken}
    licence = str(getattr(found.card_data, "license", None) or "")
    return Listing(spec, Pin(found.sha, hashes), {file: served[file].size or 0 for file in taken}, licence)


def check_hash(spec: str, name: str, found: str, expected: str | None, todo: str) -> None:
    """Raise an error if a file of a repository has another SHA-256 than expected; ``todo``: what helps."""
    if expected is not None and found != expected:
        raise SketchseekError(
            f"{name} of {spec} is not what it was (SHA-256 {found[:12]}..., not {expected[:12]}...): {todo}, and do not"
            " trust it if the error remains"
        )


def remember(spec: str, pin: Pin) -> None:
    """Record the state of the first download, which is required from then on."""
    recorded = recorded_pin(spec)
    if recorded is None or recorded.revision != pin.revision:
        record_pin(spec, pin)
