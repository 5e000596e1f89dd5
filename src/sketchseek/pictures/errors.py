"""What every picture that cannot be opened ends in."""

from sketchseek.errors import SketchseekError


class PictureError(SketchseekError):
    """A picture that cannot be used: ``source`` names it, ``reason`` says why and, where there is one, the way out."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)  # both in `args`, so that the error survives a trip between processes
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"
