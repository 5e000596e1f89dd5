"""The base class of all errors that users see."""


class SketchseekError(Exception):
    """An error that the user can fix. Its message is a sentence: what is wrong, in which file or option, what to do.

    The command line prints it without a traceback and exits with ``exit_code``.
    """

    exit_code = 1
