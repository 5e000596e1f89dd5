"""The errors of pictures that cannot be opened."""

import re
from importlib.util import find_spec

from sketchseek.errors import SketchseekError
from sketchseek.installation import install_command


class PictureError(SketchseekError):
    """A picture that cannot be used: ``source`` is its name, ``reason`` says why and what to do about it."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)  # both in `args`, so that the error can be pickled
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


class MemoryLimitError(PictureError):
    """A picture that may be opened where more memory is allowed for it."""


class MissingDecoderError(PictureError):
    """A picture whose format needs a package that is not installed.

    ``reason`` is kept in galleries, so it names the package only; the text of the error adds the command.
    """

    def __init__(self, source: str, what: str, package: str) -> None:
        super().__init__(source, f"{what}, which needs the package {package}")
        self.args = (source, what, package)

    def __str__(self) -> str:
        return f"{super().__str__()}; {remedy(self.reason)}"


_NEEDS = re.compile(r"which needs the package (\w+)$")
_ONCE_NEEDED = "which needs an extra: pip install"  # in reasons that earlier versions kept


def remedy(reason: str) -> str:
    """What to do about pictures that failed with this reason because a package is missing; else empty."""
    missing = _NEEDS.search(reason)
    return f"run: {install_command(missing[1])}" if missing else ""


def may_open_now(reason: str) -> bool:
    """Whether a picture that failed with this reason lacked only a package, which is here now."""
    missing = _NEEDS.search(reason)
    return find_spec(missing[1]) is not None if missing else _ONCE_NEEDED in reason
