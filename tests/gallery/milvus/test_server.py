"""The connection: what goes wrong with it is one sentence, and secrets stay secret."""

import logging
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sketchseek.gallery import Gallery, GalleryError
from sketchseek.gallery.milvus.server import TLS, TOKEN
from sketchseek.installation import extra_command
from tests.gallery.grid_model import GridModel
from tests.gallery.milvus_server import MilvusServer, free_port
from tests.gallery.photos import fill
from tests.gallery.test_ingest import counts

pytestmark = [pytest.mark.milvus, pytest.mark.timeout(600)]


def test_a_server_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pymilvus")
    monkeypatch.setenv(TOKEN, "user:s3cret")
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(GalleryError, match="does not respond; is it running") as said,
    ):
        Gallery.open(f"milvus://127.0.0.1:{free_port()}/photos")
    assert str(said.value).count("\n") == 0
    assert "s3cret" not in str(said.value) + caplog.text + "".join(capfd.readouterr())


def test_a_certificate_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pymilvus")
    monkeypatch.setenv(TLS, str(tmp_path / "none.pem"))
    with pytest.raises(GalleryError, match=r"\$SKETCHSEEK_MILVUS_TLS does not name a file"):
        Gallery.open("milvus://127.0.0.1:1/photos")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MilvusServer, Path]]:
    """A server with TLS and passwords, and its certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "server.pem", folder / "server.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run([*make, *subject], check=True, capture_output=True)
    server = MilvusServer(
        *("--tls-mode", "1", "--server-pem-path", str(certificate), "--server-key-path", str(key)),
        *("--authorization-enabled", "true"),
    )
    try:
        yield server.start(), certificate
    finally:
        server.stop()


def test_tls_and_token_come_from_the_environment(
    guarded: tuple[MilvusServer, Path],
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server, certificate = guarded
    url, roots = server.url("secret"), {"photos": photos}
    fill(photos, 3)
    with pytest.raises(GalleryError, match="is TLS off there too"):
        Gallery.open(url, GridModel())
    monkeypatch.setenv(TLS, str(certificate))
    for token in ("", "root:wr0ng"):
        monkeypatch.setenv(TOKEN, token)
        with pytest.raises(GalleryError, match=r"rejects the credentials; put .* in \$SKETCHSEEK_MILVUS_TOKEN") as said:
            Gallery.open(url, GridModel())
        assert "wr0ng" not in str(said.value)
    monkeypatch.setenv(TOKEN, "root:Milvus")
    with caplog.at_level(logging.DEBUG), Gallery.open(url, GridModel(), roots=roots) as gallery:
        assert gallery.add(photos).added == 3
        assert len(gallery.search(text="red")) == 3
    assert "root:Milvus" not in caplog.text + "".join(capfd.readouterr())


def test_a_server_that_is_too_old(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymilvus.MilvusClient.get_server_version", lambda *_, **__: "v2.2.14")
    with pytest.raises(GalleryError, match=r"has version v2\.2\.14; sketchseek requires 2\.3 or newer"):
        Gallery.open(url, GridModel())


def test_a_server_that_rejects_writes(photos: Path) -> None:
    """As if its disk or memory were full."""
    fill(photos, 3)
    server = MilvusServer(
        *("--extra-config", "quotaAndLimits.enabled=true"),
        *("--extra-config", "quotaAndLimits.limitWriting.forceDeny=true"),
    )
    try:
        with Gallery.open(server.start().url("photos"), GridModel(), roots={"photos": photos}) as gallery:
            with pytest.raises(GalleryError, match="rejects writes, because its memory or disk is full") as said:
                gallery.add(photos)
            assert str(said.value).count("\n") == 0
            assert gallery.search(text="red") == []
    finally:
        server.stop()


def test_a_server_killed_while_indexing_loses_nothing(photos: Path) -> None:
    fill(photos, 400)
    server = MilvusServer().start()
    roots = {"photos": photos}
    try:
        with Gallery.open(server.url("photos"), GridModel(), roots=roots) as gallery:
            killer = threading.Event()

            def kill(progress: object) -> None:
                if getattr(progress, "done", 0) >= 100 and not killer.is_set():
                    killer.set()
                    server.stop(keep=True)

            with pytest.raises(GalleryError, match=r"(W|w)hat was written is kept"):
                gallery.add(photos, batch=20, progress=kill)
        server.start()
        deadline = time.monotonic() + 300
        while True:  # the server loads its collections again by itself
            try:
                with Gallery.open(server.url("photos"), GridModel(), readonly=True, roots=roots) as reader:
                    kept = len(reader.search(text="red", k=500))
                break
            except GalleryError:
                assert time.monotonic() < deadline
                time.sleep(1)
        with Gallery.open(server.url("photos"), GridModel(), roots=roots) as gallery:
            assert 100 <= kept < 400
            assert counts(gallery.add(photos)) == {"added": 400 - kept, "unchanged": kept}
            assert gallery.verify() == []
            assert len(gallery.search(text="red", k=500)) == 400
    finally:
        server.stop()


def test_without_pymilvus_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(GalleryError, match=re.escape(extra_command("milvus"))):
        Gallery.open("milvus://127.0.0.1:1/photos")
    assert os.environ.get(TOKEN) is None
