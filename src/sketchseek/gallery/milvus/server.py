"""The connection to a Milvus server: secrets from the environment, and its errors as ``GalleryError``.

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
from sketchseek.installation import extra_command

TOKEN = "SKETCHSEEK_MILVUS_TOKEN"  # noqa: S105 - the name of a variable
TLS = "SKETCHSEEK_MILVUS_TLS"
CONNECT_S = 10.0
ANSWER_S = 60.0  # for one call; the client retries within this time if the network fails
OLDEST = (2, 3)  # the first version with upsert and with vectors in results
KEEPS_VECTORS = (2, 4)  # older servers with files on their own disk delete what they mapped (Milvus issue 30651)
_FORBIDDEN = ("auth check failure", "unauthenticated", "permission deny", "permissiondenied", "permission denied")
_FULL = ("quota exceed", "quota exhausted", "deny to write", "force deny", "no space left")
_UNAVAILABLE, _NOT_FOUND, _NOT_LOADED = 2, 100, 101


def connect(address: Address) -> Any:
    """A ``MilvusClient`` of the server; an error if there is no server, or an unsupported version."""
    try:
        from pymilvus import MilvusClient
    except ImportError:
        raise GalleryError(f"a gallery on a Milvus server requires pymilvus; run: {extra_command('milvus')}") from None

    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs what it raises, and we report that
    tls = os.environ.get(TLS, "")
    options: dict[str, Any] = {"uri": f"{'https' if tls else 'http'}://{address.host}:{address.port}"}
    if token := os.environ.get(TOKEN):
        options["token"] = token
    if tls and tls != "1":
        if not Path(tls).is_file():
            raise GalleryError(f"${TLS} does not name a file: {tls}; give 1 or the file of a certificate.")
        options |= {"server_pem_path": tls, "secure": True}
    with as_gallery_errors(address, connecting=True):
        client = MilvusClient(timeout=CONNECT_S, **options)
        version, numbers = version_of(client)
    if numbers < OLDEST:
        client.close()
        raise GalleryError(
            f"the Milvus server {address.host}:{address.port} has version {version}; sketchseek requires "
            f"{'.'.join(map(str, OLDEST))} or newer."
        )
    return client


def version_of(client: Any) -> tuple[str, tuple[int, ...]]:
    """The server's version, as text and as two numbers; a text without numbers counts as the newest."""
    version = str(client.get_server_version(timeout=CONNECT_S))
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    return version, tuple(map(int, numbers.groups())) if numbers else (sys.maxsize, 0)


@contextmanager
def as_gallery_errors(address: Address, *, connecting: bool = False) -> Iterator[None]:
    """Raise errors of the client and the network as a ``GalleryError`` of one sentence, without the token."""
    from grpc import RpcError
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        if isinstance(error.__cause__, RpcError):  # while connecting, the client hides the server's message
            raise _gallery_error(address, *_status_of(error.__cause__), connecting) from None
        raise _gallery_error(address, error.code, str(error.message), connecting) from None
    except RpcError as error:
        raise _gallery_error(address, *_status_of(error), connecting) from None


def _status_of(error: Exception) -> tuple[str, str]:
    """The name of a call's status, and the server's message."""
    code, details = (getattr(error, name)() if hasattr(error, name) else None for name in ("code", "details"))
    return getattr(code, "name", ""), str(details or error)


def is_missing(error: Exception) -> bool:
    """Whether the server says that there is no such collection or alias."""
    return getattr(error, "code", None) == _NOT_FOUND or "can't find collection" in str(error)


def _gallery_error(address: Address, code: int | str, message: str, connecting: bool) -> GalleryError:
    where, words = f"{address.host}:{address.port}", " ".join(message.split())
    lower = words.lower()
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED") or any(sign in lower for sign in _FORBIDDEN):
        return GalleryError(
            f"the Milvus server {where} rejects the credentials; put user:password or an API key in ${TOKEN}."
        )
    if any(sign in lower for sign in _FULL):
        return GalleryError(
            f"the Milvus server {where} rejects writes, because its memory or disk is full ({words}); make room "
            "there and run the command again: what was written is kept."
        )
    if connecting or code in (_UNAVAILABLE, "UNAVAILABLE", "DEADLINE_EXCEEDED") or "retry run out" in lower:
        hint = f"is it running, and is TLS {'on' if os.environ.get(TLS) else 'off'} there too (${TLS})"
        return GalleryError(f"the Milvus server {where} does not respond; {hint}? What was written is kept.")
    if code == _NOT_LOADED or "not loaded" in lower:
        return GalleryError(
            f"the gallery {address} is not loaded into the memory of its server; load it there, or run "
            "`sketchseek gallery rebuild`."
        )
    return GalleryError(f"the Milvus server {where} reports an error for the gallery {address}: {words}.")
