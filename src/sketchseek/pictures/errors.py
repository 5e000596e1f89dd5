"""The errors of pictures that cannot be opened."""

from sketchseek.errors import SketchseekError


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
