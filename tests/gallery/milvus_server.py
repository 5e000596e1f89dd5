"""A real Milvus server for tests, in a folder and a port of its own, stopped when Python ends.

It comes from the PyPI package ``milvus`` in an environment of its own; $SKETCHSEEK_MILVUS_SERVER names it, else it is
``.venv-milvus/bin/milvus-server``.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# Shorter waits of the coordinators than in production: tests make many small collections.
QUICK = (
    "queryCoord.checkInterval=100",
    "queryCoord.distPullInterval=100",
    "queryCoord.checkHandoffInterval=500",
)
# Its own choice of these fails beside a second server.
PORTS = (
    *("etcd", "root-coord", "proxy-internal", "query-coord", "query-node"),
    *("index-coord", "index-node", "data-coord", "data-node"),
)
# The store of its records inside, whose ports it has no options for either.
ETCD = """\
listen-client-urls: http://127.0.0.1:{0}
advertise-client-urls: http://127.0.0.1:{0}
listen-peer-urls: http://127.0.0.1:{1}
initial-advertise-peer-urls: http://127.0.0.1:{1}
initial-cluster: default=http://127.0.0.1:{1}
"""
# ``milvus-server`` with a port of its own for the health page, for which it has no option.
LAUNCH = "import sys, milvus; milvus.default_server.webservice_port = int(sys.argv.pop(1)); milvus.main()"


def executable() -> Path:
    found = Path(os.environ.get("SKETCHSEEK_MILVUS_SERVER", ROOT / ".venv-milvus" / "bin" / "milvus-server"))
    if not found.exists():
        pytest.skip(f"no Milvus server at {found}: make .venv-milvus, or name one in SKETCHSEEK_MILVUS_SERVER")
    pytest.importorskip("pymilvus", reason="needs pymilvus: pip install 'sketchseek[milvus]'")
    return found


class MilvusServer:
    """``options`` are those of ``milvus-server``."""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="milvus-"))
        self.port = free_port()
        (self.folder / "etcd.yaml").write_text(ETCD.format(*free_ports(2)))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "MilvusServer":
        unpacked = executable().parent.parent / "unpacked"  # the server's programs, unpacked by an earlier start
        if unpacked.exists() and not (self.folder / "bin").exists():
            shutil.copytree(unpacked, self.folder / "bin", copy_function=os.link)
        command: list[str | Path] = [executable().with_name("python"), "-c", LAUNCH, str(free_port())]
        command += ["--data", self.folder, "--proxy-port", str(self.port), *self.options]
        for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True):
            command += [f"--{name}-port", str(port)]
        for setting in QUICK:
            command += ["--extra-config", setting]
        with (self.folder / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "HOME": str(self.folder), "ETCD_CONFIG_PATH": str(self.folder / "etcd.yaml")},
            )
        deadline = time.monotonic() + 300
        while "Config:" not in (said := (self.folder / "server.log").read_text(errors="replace")):
            assert self.process.poll() is None and "timeout" not in said, said[-2000:]
            assert time.monotonic() < deadline, "the Milvus server did not start in five minutes"
            time.sleep(0.2)
        if not unpacked.exists():
            whole = Path(shutil.copytree(self.folder / "bin", f"{unpacked}-{os.getpid()}"))
            with suppress(OSError):  # another process was faster
                whole.rename(unpacked)
        return self

    def stop(self, *, keep: bool = False) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        return f"milvus://127.0.0.1:{self.port}/{name}"


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Free on every interface: the server's parts listen on different ones."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@cache
def shared() -> MilvusServer:
    """One for all tests of a process."""
    server = MilvusServer()
    atexit.register(server.stop)
    return server.start()
