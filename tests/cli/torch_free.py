"""Run commands in a process where only the core and the extra ``clip`` can be imported."""

import json
import os
import subprocess
import sys

# Runs the commands of a JSON list one after the other; prints a JSON list of what each printed.
PROGRAM = """
import contextlib, io, json, sys, time
BLOCKED = {"torch", "transformers", "safetensors", "matplotlib", "sklearn", "open_clip", "optimum"}
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocked())
from sketchseek.cli import main
printed = []
for arguments in json.loads(sys.argv[1]):
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    started = time.monotonic()
    try:
        with contextlib.redirect_stdout(out):
            main(arguments)
    except SystemExit as end:
        if end.code:
            sys.exit(f"{arguments} ended with {end.code}")
    out.flush()
    printed.append({"out": out.buffer.getvalue().decode(), "seconds": time.monotonic() - started})
assert not BLOCKED & set(sys.modules)
print(json.dumps(printed))
"""


def run(commands: list[list[str]], environment: dict[str, str]) -> list[dict[str, str | float]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    printed: list[dict[str, str | float]] = json.loads(done.stdout)
    return printed
