"""A limit on wrong tokens, so that a token cannot be guessed by trying."""

import ipaddress
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import Scope

log = logging.getLogger(__name__)

MAX_WRONG = 10  # in a period, of one address
PERIOD_S = 60
MAX_ADDRESSES = 1000  # remembered


class WrongTokens:
    """Counts the wrong tokens of each address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()  # start of the period, wrong tokens in it

    def wait(self, scope: Scope) -> int:
        """Seconds until the client may send a token again; 0: now."""
        since, count = self._count(_address(scope))
        return max(1, math.ceil(since + PERIOD_S - self._clock())) if count >= MAX_WRONG else 0

    def note(self, scope: Scope) -> None:
        """The client sent a wrong token."""
        address = _address(scope)
        since, count = self._count(address)
        self._counts[address] = since, count + 1
        while len(self._counts) > MAX_ADDRESSES:
            self._counts.popitem(last=False)
        if count + 1 == MAX_WRONG:
            log.warning("%d wrong tokens from %s within %d seconds; it must wait now", MAX_WRONG, address, PERIOD_S)

    def _count(self, address: str) -> tuple[float, int]:
        now = self._clock()
        since, count = self._counts.get(address, (now, 0))
        return (since, count) if now - since < PERIOD_S else (now, 0)


def _address(scope: Scope) -> str:
    """The address of the client; of IPv6 the network, because a client has a whole one to itself."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
