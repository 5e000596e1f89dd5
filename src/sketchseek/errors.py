"""The one family of errors that users see."""


class SketchseekError(Exception):
    """A mistake somebody can mend: one sentence that says what is wrong, with which file or option, and what to do.

    The command line prints it without a traceback and ends with ``exit_code``.
    """

    exit_code = 1
