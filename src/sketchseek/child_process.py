"""What a process that works on the files of strangers does first: it limits its memory and takes over stdout."""

import os
from typing import BinaryIO


def limit_memory(size: int) -> None:
    """At most ``size`` bytes can be allocated (0: no limit), and a crash leaves no core file."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if size:
            # Not RLIMIT_AS: libraries and drivers reserve far more addresses than they use.
            resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    except (ImportError, ValueError, OSError):
        pass  # not every system supports it; time is limited everywhere


def take_stdout() -> BinaryIO:
    """Stdout for answers only: from now on, what a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers
