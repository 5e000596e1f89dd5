"""A process that works on files of strangers: its memory ends, and its answers are not mixed with other output."""

import subprocess
import sys

import pytest


def run(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit what is allocated")
def test_memory_has_a_limit_and_a_crash_leaves_no_core_file() -> None:
    script = """if True:
        import resource
        from sketchseek.child_process import limit_memory
        limit_memory(0)
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        large = bytes(300 * 2**20)
        del large
        limit_memory(200 * 2**20)
        small = bytes(50 * 2**20)
        try:
            bytes(300 * 2**20)
        except MemoryError:
            print("no memory")
    """
    done = run(script)
    assert (done.stdout, done.stderr) == ("no memory\n", "")


def test_what_a_library_prints_is_no_answer() -> None:
    script = """if True:
        import os
        from sketchseek.child_process import take_stdout
        answers = take_stdout()
        print("words", flush=True)
        os.write(1, b"of a library\\n")
        answers.write(b"answer")
    """
    done = run(script)
    assert (done.stdout, done.stderr) == ("answer", "words\nof a library\n")
