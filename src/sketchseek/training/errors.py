"""What can go wrong in training in a way somebody can mend."""

from sketchseek.errors import SketchseekError


class TrainingError(SketchseekError):
    """A training that cannot begin or go on as asked."""


class Interrupted(SketchseekError):
    """The training was asked to stop; its state is saved."""

    exit_code = 130
