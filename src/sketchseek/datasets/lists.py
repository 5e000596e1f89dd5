"""The list files of SAKE and ZSE-SBIR (``zeroshot*/*.txt``): which files of a tree belong to the dataset."""

from pathlib import Path

from sketchseek.datasets.items import DatasetError, Kind, ProblemLog
from sketchseek.datasets.layouts import Source
from sketchseek.untrusted import read_bounded
from sketchseek.wording import canonical

MAX_LIST = 256 * 2**20  # bytes; the longest published list has 20 MB

ListedFiles = dict[str, dict[str, set[str]]]  # a source's folder -> canonical class -> paths relative to the root


def read_lists(root: Path, sources: tuple[Source, ...], log: ProblemLog) -> ListedFiles:
    """All rows of all lists of the tree: several lists name the same files, once for each split."""
    listed: ListedFiles = {source.folder: {} for source in sources}
    for folder in sorted(path for path in root.glob("zeroshot*") if path.is_dir()):
        for file in sorted(folder.glob("*.txt")):
            if not file.stem.startswith("cname_cid"):
                _read_list(root, file, sources, listed, log)
    return listed


def _read_list(root: Path, file: Path, sources: tuple[Source, ...], listed: ListedFiles, log: ProblemLog) -> None:
    # Unseen classes have numbers of their own, from 0.
    suffix = "_zero" if file.stem.endswith("_zero") else ""
    names = _class_numbers(file.with_name(f"cname_cid{suffix}.txt"))
    where = file.relative_to(root).as_posix()
    seen: set[str] = set()
    for number, row in enumerate(_lines(file), start=1):
        if not row.strip():
            continue
        path, _, label = row.strip().rpartition(" ")  # class and file names have spaces too
        place = _place(path.replace("\\", "/"), sources)
        if place is None or not _is_number(label):
            log.add(Kind.LIST_BAD_ROW, f"{where}:{number}")
            continue
        folder, class_name, name = place
        path = f"{folder}/{class_name}/{name}"
        key = canonical(class_name)
        if path in seen:
            log.add(Kind.LIST_DUPLICATE, f"{where}: {path}")
        elif names and names.get(int(label)) != key:
            log.add(Kind.LIST_CLASS, f"{where}: {path}")
        seen.add(path)
        listed[folder].setdefault(key, set()).add(path)


def _place(path: str, sources: tuple[Source, ...]) -> tuple[str, str, str] | None:
    """Folder of a source as it is spelled on disk, class folder, file name; None if the path is not in any source."""
    for source in sources:
        at = len(source.folder)
        if path[: at + 1].casefold() == f"{source.folder}/".casefold():
            class_name, slash, name = path[at + 1 :].partition("/")
            if slash and name and "/" not in name and ".." not in (class_name, name):
                return source.folder, class_name, name
    return None


def _class_numbers(file: Path) -> dict[int, str]:
    """Number -> canonical class of a ``cname_cid`` file; empty if there is none: folders name classes too."""
    if not file.is_file():
        return {}
    rows = (line.strip().rpartition(" ") for line in _lines(file))
    return {int(number): canonical(name) for name, _, number in rows if _is_number(number)}


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 10  # Python refuses to read a number of thousands of digits


def _lines(file: Path) -> list[str]:
    try:
        return read_bounded(file, MAX_LIST).decode().replace("\r\n", "\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"the list {file} cannot be read as text ({error}): restore or delete it") from error
