"""The connection to a Milvus server: secrets from the environment, and every complaint as one sentence.

$SKETCHSEEK_MILVUS_TOKEN is ``user:password`` or an API key. $SKETCHSEEK_MILVUS_TLS is ``1``, for a server with a
certificate that this machine trusts, or the file of the certificate to trust.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sketchseek.gallery.errors import GalleryError
from sketchseek.gallery.milvus.address import Address

TOKEN = "SKETCHSEEK_MILVUS_TOKEN"  # noqa: S105 - the name of a variable
TLS = "SKETCHSEEK_MILVUS_TLS"
CONNECT_S = 10.0
ANSWER_S = 60.0  # for one call; the client repeats it within this time if the network fails
OLDEST = (2, 3)  # the first with upsert and with vectors in results
KEEPS_VECTORS = (2, 4)  # before, a server that keeps files on its own disk removed what it mapped (its issue 30651)
_FORBIDDEN = ("auth check failure", "unauthenticated", "permission deny", "permissiondenied", "permission denied")
_FULL = ("quota exceed", "quota exhausted", "deny to write", "force deny", "no space left")
_UNAVAILABLE, _NOT_FOUND, _NOT_LOADED = 2, 100, 101


def connect(address: Address) -> Any:
    """A ``MilvusClient`` of the server; one sentence if there is none, or not of a kind that we can use."""
    try:
        from pymilvus import MilvusClient
    except ImportError:
        raise GalleryError(
            "a gallery on a Milvus server needs pymilvus; run: pip install 'sketchseek[milvus]'."
        ) from None

    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs what it raises; we say that in a sentence
    tls = os.environ.get(TLS, "")
    options: dict[str, Any] = {"uri": f"{'https' if tls else 'http'}://{address.host}:{address.port}"}
    if token := os.environ.get(TOKEN):
        options["token"] = token
    if tls and tls != "1":
        if not Path(tls).is_file():
            raise GalleryError(f"${TLS} names no file: {tls}; give 1 or the file of a certificate.")
        options |= {"server_pem_path": tls, "secure": True}
    with plain_words(address, connecting=True):
        client = MilvusClient(timeout=CONNECT_S, **options)
        version, numbers = version_of(client)
    if numbers < OLDEST:
        client.close()
        raise GalleryError(
            f"the Milvus server {address.host}:{address.port} has version {version}; sketchseek needs "
            f"{'.'.join(map(str, OLDEST))} or newer."
        )
    return client


def version_of(client: Any) -> tuple[str, tuple[int, ...]]:
    """The server's version, as it says it and as two numbers; a name without numbers counts as the newest."""
    version = str(client.get_server_version(timeout=CONNECT_S))
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    return version, tuple(map(int, numbers.groups())) if numbers else (sys.maxsize, 0)


@contextmanager
def plain_words(address: Address, *, connecting: bool = False) -> Iterator[None]:
    """Say what the client or the network complain about as one sentence; never the token."""
    from grpc import RpcError
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        if isinstance(error.__cause__, RpcError):  # connecting, it hides what the server said
            raise _sentence(address, *_told(error.__cause__), connecting) from None
        raise _sentence(address, error.code, str(error.message), connecting) from None
    except RpcError as error:
        raise _sentence(address, *_told(error), connecting) from None


def _told(error: Exception) -> tuple[str, str]:
    """The name of a call's status, and what the server said."""
    code, details = (getattr(error, name)() if hasattr(error, name) else None for name in ("code", "details"))
    return getattr(code, "name", ""), str(details or error)


def is_missing(error: Exception) -> bool:
    """Whether the server says that there is no such collection or alias."""
    return getattr(error, "code", None) == _NOT_FOUND or "can't find collection" in str(error)


def _sentence(address: Address, code: int | str, message: str, connecting: bool) -> GalleryError:
    where, words = f"{address.host}:{address.port}", " ".join(message.split())
    lower = words.lower()
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED") or any(sign in lower for sign in _FORBIDDEN):
        return GalleryError(
            f"the Milvus server {where} wants other credentials; put user:password or an API key in ${TOKEN}."
        )
    if any(sign in lower for sign in _FULL):
        return GalleryError(
            f"the Milvus server {where} takes nothing in, because its memory or disk is used up ({words}); make room "
            "there and run the command again: what was written is kept."
        )
    if connecting or code in (_UNAVAILABLE, "UNAVAILABLE", "DEADLINE_EXCEEDED") or "retry run out" in lower:
        hint = f"does it run there, and does it {'' if os.environ.get(TLS) else 'not '}want TLS (${TLS})"
        return GalleryError(f"the Milvus server {where} does not answer; {hint}? What was written is kept.")
    if code == _NOT_LOADED or "not loaded" in lower:
        return GalleryError(
            f"the gallery {address} is not loaded into the memory of its server; load it there, or run "
            "`sketchseek gallery rebuild`."
        )
    return GalleryError(f"the Milvus server {where} refuses for the gallery {address}: {words}.")
