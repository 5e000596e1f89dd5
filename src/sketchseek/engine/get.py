"""Get a model by name or path: download it, turn it into a model folder without torch, keep it in the models folder.

A run that is stopped leaves nothing in the models folder but what was downloaded, and the next run continues there.
"""

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sketchseek.caches import models_folder
from sketchseek.engine.bases import base_of, restore
from sketchseek.engine.encoder import load
from sketchseek.engine.folder import EngineError, Precision, is_model, read_record
from sketchseek.engine.models import find_model, shipped_models
from sketchseek.errors import SketchseekError
from sketchseek.hub.catalog import published, short_names
from sketchseek.hub.download import check_space, download, in_cache, work_folder
from sketchseek.hub.find import existing_path
from sketchseek.hub.layouts import files_to_take
from sketchseek.hub.names import checked_name, folder_name, model_on_hub, repository, unknown_name
from sketchseek.hub.states import look_up
from sketchseek.installation import extra_command

Report = Callable[[str, int, int], None]  # what is done, how much of it, of how much
RUN = "recipe.toml"  # in the folder of a training
_BITS = {"fp32": 32, "fp16": 16, "int8": 8}
READY = {RUN, "golden.npz"}  # in what is kept as it is; all else is converted


@dataclass(frozen=True)
class Got:
    """``name`` is what ``--model`` takes from now on. ``new``: it was not here before. ``run``: it needs torch."""

    name: str
    folder: Path
    new: bool
    run: bool = False


def get_model(
    name: str,
    *,
    as_name: str | None = None,
    int8: bool = False,
    agree: Callable[[str, int], None] = lambda _name, _bytes: None,
    report: Report = lambda _what, _done, _all: None,
    base_of_model: str | None = None,
) -> Got:
    """The model ``name`` in the models folder: a name of the catalogue, ``owner/model`` on the hub, or a path.

    ``as_name``: how to call it, by default its short name or ``owner--model``. ``int8``: store the weights in 8 bits.
    ``agree`` is called with the name and the size in bytes before a download, and stops it by raising.
    ``base_of_model``: the model whose weights are completed from this one.
    """
    spec = model_on_hub(name) if not _is_path(name) else None
    place = existing_path(name) if spec is None and name else None
    if spec is None and place is None:
        raise unknown_name(name, [])
    default = folder_name(spec) if spec is not None else _stem(Path(name))
    if int8:
        default += "-int8"
    called = checked_name(as_name or default)
    if spec is None or called != default:
        _check_free(called)
    target = models_folder() / called
    if is_model(target):
        _check_same(target, spec, int8=int8, renamed=called != default)
        return Got(called, target, new=False)
    if target.exists():
        raise EngineError(f"{target} exists and is not a model folder: use --name to call the model something else")
    work = work_folder(spec or called)
    with _alone(work, called), _one_sentence(called):
        try:
            run = _make(spec, place, target, work, int8=int8, agree=agree, report=report, base_of_model=base_of_model)
        finally:
            shutil.rmtree(work / "model", ignore_errors=True)
            with suppress(OSError):
                work.rmdir()  # unless a part of a download is in it
        shutil.rmtree(work, ignore_errors=True)
    return Got(called, target, new=True, run=run)


def is_missing(name: str) -> bool:
    """Whether ``get_model`` would have to download this: a published model that is not on this machine."""
    return find_model(name) is None and model_on_hub(name) is not None


def _check_free(called: str) -> None:
    """A name chosen by the user must not be taken for a model that ships or one of the hub."""
    owner = "a model that ships" if called in shipped_models() else None
    if entry := short_names().get(called.removesuffix("-int8")):
        owner = entry.name
    elif "--" in called:
        owner = called.replace("--", "/", 1) + " of the hub"
    if owner is not None:
        raise EngineError(f"{called} is the name of {owner}: use --name to call this model something else")


def _check_same(folder: Path, spec: str | None, *, int8: bool, renamed: bool) -> None:
    """Raise an error if the model that has this name may be another one."""
    record = read_record(folder)
    other = renamed and record.method == "zero-shot" and record.backbone != spec
    if spec is None or other or (int8 and record.precision != "int8"):
        raise EngineError(
            f"{folder.name} is here already, made from {record.backbone} with {_BITS[record.precision]} bits: "
            f"sketchseek models remove {folder.name}, or use --name to call this model something else"
        )


def _make(
    spec: str | None,
    place: Path | None,
    target: Path,
    work: Path,
    *,
    int8: bool,
    agree: Callable[[str, int], None],
    report: Report,
    base_of_model: str | None,
) -> bool:
    """Write ``target``; whether it is a run folder."""
    licence = about = ""
    if spec is not None:
        entry = published().get(spec)
        source = in_cache(spec)
        if source is None:
            listing = look_up(spec, files_to_take)
            if not READY & listing.sizes.keys():
                _check_extra(target.name)
            agree(target.name, listing.bytes)
            source = download(
                listing,
                lambda done, total: report("downloading, MB", done // 10**6, total // 10**6),
                times=_times(int8),
            )
            licence = listing.licence
        about, licence = (entry.about, entry.licence) if entry else (f"{spec} of the hub", licence)
    else:
        assert place is not None
        source = place
    new = work / "model"
    shutil.rmtree(new, ignore_errors=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    run = (source / RUN).is_file() and not is_model(source)
    if run or is_model(source):
        base = base_of(source)
        if base is not None and (base_of_model is not None or base == spec):  # a circle would never end
            raise EngineError(
                f"{base_of_model or spec} is published without the weights of its base, {spec or source.name}, which is"
                f" published without those of {base}: ask its author to publish the whole base"
            )
        # Before the copy: the user may decline a long download.
        whole = get_model(base, agree=agree, report=report, base_of_model=target.name).folder if base else None
        shutil.copytree(source, new, ignore=shutil.ignore_patterns("*.part"))
        if whole is not None:
            restore(new, whole)
        if not run:
            load(new, provider="CPU").verify()
    else:
        origin = spec or _stem(source)
        if spec is None:
            needed = _times(int8) * sum(path.stat().st_size for path in _weights_of(source))
            check_space(f"making {target.name}", int(needed), new.parent)
        _convert(source, new, target.name, origin, about=about, licence=licence, int8=int8, report=report)
    new.rename(target)
    return run


def _times(int8: bool) -> float:
    """What lies on the disk during a conversion, in sizes of the weights: 8 bits are compared with a copy in 32."""
    return 1.25 if int8 else 1.0


def _weights_of(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return [path for path in source.rglob("*") if path.suffix in (".safetensors", ".onnx")]


def remove_model(name: str, agree: Callable[[int], None]) -> str:
    """Delete a model of the models folder; ``agree`` is called with its size in bytes, and stops it by raising."""
    folder = models_folder() / folder_name(spec) if (spec := repository(name)) else models_folder() / checked_name(name)
    if not is_model(folder):
        raise EngineError(f"no model {name!r} in {models_folder()}: sketchseek models lists those that are here")
    agree(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
    shutil.rmtree(folder)
    return folder.name


def _convert(
    source: Path, out: Path, name: str, origin: str, *, about: str, licence: str, int8: bool, report: Report
) -> None:
    """Convert the weights in ``source``; ``origin`` is where they come from, for the record."""
    _check_extra(name)
    from sketchseek.engine.convert import convert

    steps: list[str] = []

    def begin(step: str | None) -> None:
        if steps:
            report(steps.pop(), 1, 1)
        if step is not None:
            steps.append(step)
            report(step, 0, 1)

    precision: Precision = "int8" if int8 else "fp16"
    convert(source, out, name=name, about=about, licence=licence, origin=origin, precision=precision, progress=begin)
    begin(None)


def _check_extra(name: str) -> None:
    """Before a long download, not after it."""
    if find_spec("onnx") is None:
        raise SketchseekError(
            f"{name} is turned into a model folder with onnx, which is not installed; run: {extra_command('clip')}"
        )


def _is_path(name: str) -> bool:
    """Whether a name is spelled as a path, which no name of the hub is."""
    return name.startswith((".", "/", "~")) or "\\" in name or (name.count("/") > 1 and "@" not in name)


def _stem(path: Path) -> str:
    resolved = path.expanduser().resolve()
    return resolved.stem if resolved.is_file() else resolved.name


@contextmanager
def _alone(work: Path, name: str) -> Iterator[None]:
    """Only one process makes a model at a time; another one is told so at once."""
    from filelock import FileLock, Timeout

    try:
        work.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work.parent / f"{work.name}.lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise EngineError(f"another process is getting {name} now: wait until it has finished") from None
    except OSError as error:
        raise EngineError(f"{models_folder()} cannot be written ({error.strerror}): set SKETCHSEEK_MODELS") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _one_sentence(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            problem = f"there is no space left on the disk of {models_folder()}: free some, or set SKETCHSEEK_MODELS"
        else:
            problem = f"{error.filename or models_folder()}: {error.strerror or error}"
        raise EngineError(f"{name} cannot be written; {problem}") from None
