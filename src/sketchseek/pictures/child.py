"""Run a decoder in a process of its own, within limits of time and memory: some crash, or take minutes, on bad files.

Such a process starts in 20 to 80 ms. It writes a line of JSON, then bytes.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_START = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
    resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]), int(sys.argv[2])))
except (ImportError, ValueError, OSError):
    pass  # not on every system; the caller's time-out works everywhere
import io, json
arguments = json.loads(sys.argv[3])
sys.path[:0] = arguments["places"]

def answer(head, body=b""):
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\\n")
    sys.stdout.buffer.write(body)

"""


class ChildError(Exception):
    """Why the decoder gave no picture; empty if it crashed or took too much time or memory."""


class ChildTimeoutError(ChildError):
    """The decoder took too long."""


def run_in_child(
    script: str, packages: tuple[str, ...], data: bytes, *, seconds: int, memory: int, **arguments: object
) -> tuple[dict[str, Any], bytes]:
    """What ``script`` passes to ``answer``: (head, body).

    The script finds its input in ``sys.stdin.buffer`` and ``arguments``, may import ``packages``, and refuses with
    ``sys.exit("reason")``. ``seconds``: of processor time; twice as much may pass. ``memory``: bytes.
    """
    specs = [find_spec(package) for package in packages]
    places = dict.fromkeys(str(Path(spec.origin).parent.parent) for spec in specs if spec and spec.origin)
    settings = json.dumps({**arguments, "places": list(places)})
    # -I -S: ignore the user's environment and start-up files.
    call = [sys.executable, "-I", "-S", "-c", _START + script, str(seconds), str(memory), settings]
    try:
        done = subprocess.run(  # noqa: S603
            call,
            input=data,
            capture_output=True,
            timeout=2 * seconds,
            check=False,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # of numpy, which would reserve memory for each core
        )
    except subprocess.TimeoutExpired:
        raise ChildTimeoutError from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() if done.returncode == 1 else []
        raise ChildError(lines[-1][:120] if lines else "")
    head, _, body = done.stdout.partition(b"\n")
    found: dict[str, Any] = json.loads(head)
    return found, body
