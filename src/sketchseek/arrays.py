"""Read the arrays of .npz files that strangers made: never unpickled, and limited before they are unpacked."""

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_DAMAGED = "cannot be read, it is damaged or locked; write it again with numpy.savez"


class ArraysError(ValueError):
    """Why an .npz file is not read; the message continues a sentence that begins with the name of the file."""


def read_arrays(
    source: Path | BinaryIO, *, limit: int, names: Collection[str] | None = None
) -> dict[str, NDArray[np.generic]]:
    """The arrays of an .npz file, by name; those of ``names`` only, unless it is None. Raises ``ArraysError``.

    ``limit``: the most bytes that these arrays may unpack to, because a small file can unpack to any size.
    """
    try:
        archive = zipfile.ZipFile(source)
    except FileNotFoundError:
        raise ArraysError("does not exist") from None
    except OSError:
        raise ArraysError(_DAMAGED) from None
    except Exception:  # zipfile, zlib and numpy raise almost every class on damaged data
        raise ArraysError("is not an .npz file; write it with numpy.savez") from None
    with archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        wanted = [name for name in (members if names is None else names) if name in members]
        # zipfile never unpacks more than the size in its directory, so checking that size is enough.
        size = sum(members[name].file_size for name in wanted)
        if size > limit:
            raise ArraysError(
                f"unpacks to {size / 1e9:.1f} GB, more than the limit of {limit / 1e9:.1f} GB; split the file or use"
                " float32"
            )
        return {name: _array(archive, members[name]) for name in wanted}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[np.generic]:
    # The others unpack a block of any size at once; numpy.savez never uses them.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArraysError("is compressed in an unusual way; write it with numpy.savez")
    try:
        with archive.open(member) as stream:
            array: NDArray[np.generic] = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # almost every class, see above
        if "allow_pickle" in str(error):
            raise ArraysError(
                "holds an array of Python objects, which is never opened; convert words with astype(str)"
            ) from None
        raise ArraysError(_DAMAGED) from None
    return array
