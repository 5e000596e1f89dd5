"""What the server writes on stderr: one line for each kind of event in a minute, however many requests cause it."""

import logging
import threading
import time

PERIOD_S = 60.0
MAX_KINDS = 256


def install() -> None:
    """Write the warnings of the server and of its libraries on stderr."""
    handler = logging.StreamHandler()
    handler.addFilter(OneOfAKind())
    handler.setFormatter(logging.Formatter("sketchseek: %(message)s"))
    logging.getLogger().addHandler(handler)


class OneOfAKind(logging.Filter):
    """Passes the first record of each kind, and ``PERIOD_S`` later the next, with the number of those in between."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}  # when one was passed, how many were dropped since
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, str(record.msg).partition("\n")[0])
        now = time.monotonic()
        with self._lock:
            passed_at, dropped = self._kinds.get(kind, (-PERIOD_S, 0))
            if now - passed_at < PERIOD_S:
                self._kinds[kind] = (passed_at, dropped + 1)
                return False
            if len(self._kinds) >= MAX_KINDS:
                self._kinds.clear()
            self._kinds[kind] = (now, 0)
        if dropped:
            record.msg, record.args = f"{record.getMessage()} (and {dropped} more since the last such line)", ()
        return True
