"""Errors of training that a user can fix."""

from sketchseek.errors import SketchseekError


class TrainingError(SketchseekError):
    """A training cannot begin or continue as requested."""


class Interrupted(SketchseekError):
    """The training was interrupted; its state is saved."""

    exit_code = 130
