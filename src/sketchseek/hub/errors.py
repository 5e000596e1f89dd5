"""Turn the many errors of the hub's library into one sentence each."""

import errno
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from sketchseek.errors import SketchseekError

__all__ = ["hub_errors"]


@contextmanager
def hub_errors(spec: str) -> Iterator[None]:
    """Raise ``SketchseekError`` for whatever fails while the repository ``spec`` is read."""
    try:
        yield
    except SketchseekError:
        raise
    except Exception as error:  # of the network, the disk, or others of the library
        problem = _problem(error)
    else:
        return
    raise SketchseekError(f"{spec} {problem}, or copy its folder here and name the path")


def _problem(error: Exception) -> str:
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return "requires that you accept its terms on the hub: do so and log in (hf auth login)"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "is not on the hub: check the spelling (sketchseek models lists the known names)"
    if isinstance(error, errors.RevisionNotFoundError):
        return "has no such revision on the hub: name another"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return "lacks a file at its revision on the hub: name another revision"
    if errors.OfflineModeIsEnabled in {type(error), type(error.__cause__)}:
        return "is not on this machine and HF_HUB_OFFLINE prevents the download: unset it"
    if status in (401, 403):
        return f"may not be downloaded without permission (status {status}): log in with an account that has it"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "does not fit on the disk: free some space and run the command again, which continues the download"
    if _by_proxy(error, status):
        return "is not on this machine, and the proxy of this network refuses or does not answer: check HTTPS_PROXY"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"is not on this machine and cannot be downloaded ({lines[0]}): go online"


def _by_proxy(error: Exception, status: int | None) -> bool:
    """Whether it is a proxy that failed, or refused the connection."""
    names = {one.__name__ for one in type(error).__mro__}
    if status == 407 or "ProxyError" in names:
        return True
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    scheme, _, host = endpoint.partition("://")
    used = scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host.partition("/")[0])
    return used and "ConnectError" in names
