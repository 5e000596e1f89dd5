"""Make calls of the system fail in this process, also those of SQLite and FAISS: a disk that is full, broken or slow.

Linux lets a process forbid itself calls (seccomp), with an error of its choice; that cannot be undone, so fork first.
"""

import ctypes
import errno
import io
import os
import platform
import resource
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

_NUMBERS = {
    "x86_64": {
        "read": 0, "write": 1, "open": 2, "pread": 17, "pwrite": 18, "fsync": 74, "fdatasync": 75, "ftruncate": 77,
        "rename": 82, "mkdir": 83, "link": 86, "unlink": 87, "openat": 257, "mkdirat": 258, "unlinkat": 263,
        "renameat": 264, "linkat": 265, "renameat2": 316, "seccomp": 317,
    },
    "aarch64": {
        "mkdirat": 34, "unlinkat": 35, "linkat": 37, "renameat": 38, "ftruncate": 46, "openat": 56, "read": 63,
        "write": 64, "pread": 67, "pwrite": 68, "fsync": 82, "fdatasync": 83, "renameat2": 276, "seccomp": 277,
    },
}  # fmt: skip
_CALLS = _NUMBERS.get(platform.machine(), {})
_CHANGES = ("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "ftruncate")
_OPENS = {"open": 1, "openat": 2}  # the number of the argument with the flags
SLOW_SECONDS = 0.02

# name -> (error, calls that raise it)
FAULTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "full": (errno.ENOSPC, ("write", "pwrite", "ftruncate")),
    "over quota": (errno.EDQUOT, ("pwrite",)),
    "broken on writing": (errno.EIO, ("write", "pwrite")),
    "broken on flushing": (errno.EIO, ("fsync", "fdatasync")),
    "broken on reading": (errno.EIO, ("read", "pread")),
    "broken on reading the database": (errno.EIO, ("pread",)),
    "read-only": (errno.EROFS, (*_CHANGES, "write", "pwrite", *_OPENS)),
    "no changes of names": (errno.EACCES, _CHANGES),
}
LIMITS = ("short of descriptors", "short files", "slow")
POSSIBLE = bool(_CALLS) and hasattr(os, "fork")


def begin(fault: str, after: float = 0) -> Callable[[], bool]:
    """Let the fault begin after so many seconds, in all threads; the result says whether it has begun."""
    if after <= 0:
        _begin(fault)
        return lambda: True
    began = threading.Event()

    def later() -> None:
        time.sleep(after)
        _begin(fault)
        began.set()

    threading.Thread(target=later, daemon=True).start()
    return began.is_set


def _begin(fault: str) -> None:
    if fault == "short of descriptors":
        resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))
    elif fault == "short files":  # a write beyond this fails, in the middle of a file
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    elif fault == "slow":
        _slow_down()
    else:
        _forbid(*FAULTS[fault])


def _slow_down() -> None:
    """Every opening and flushing of a file waits, as on a drive that sleeps or lies far away."""

    def slowly(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            time.sleep(SLOW_SECONDS)
            return real(*arguments, **options)

        return call

    for module, name in ((os, "open"), (os, "fdopen"), (os, "fsync"), (os, "stat"), (io, "open")):
        setattr(module, name, slowly(getattr(module, name)))


def _forbid(number: int, calls: tuple[str, ...]) -> None:
    """A program for the kernel: load the number of a call, compare it with each of ``calls``, then fail or go on."""
    program = [_step(0x20, 0)]
    for name in calls:
        if name not in _CALLS:
            continue  # this processor has only a newer form of it
        if name in _OPENS:  # only those that write
            flags = 16 + 8 * _OPENS[name]
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
            program += [
                _step(0x15, _CALLS[name], otherwise=4),
                _step(0x20, flags),
                _step(0x54, writes),
                _step(0x15, 0, then=1),
                _step(0x06, 0x00050000 | number),
                _step(0x20, 0),
            ]
        else:
            program += [_step(0x15, _CALLS[name], otherwise=1), _step(0x06, 0x00050000 | number)]
    program.append(_step(0x06, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # no new privileges, without which only root may do this
    if libc.syscall(_CALLS["seccomp"], 1, 1, head):  # a filter for all threads
        raise OSError(ctypes.get_errno(), "the system forbids no calls")


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)
