"""Parts of other packages: found by an entry point's name, or as ``module:attribute``.

Loading one runs its module's code. Modules are looked for where Python imports from, and nowhere else.
"""

from functools import reduce
from importlib import import_module
from importlib.metadata import entry_points

from sketchseek.errors import SketchseekError
from sketchseek.wording import nearest


class ExtensionError(SketchseekError):
    """A part of another package that cannot be loaded or used."""


def registered(group: str) -> dict[str, str]:
    """Name -> ``module:attribute`` of every entry point in ``group``."""
    return {point.name: f"{point.module}:{point.attr}" for point in entry_points(group=group)}


def load(reference: str, what: str) -> object:
    """The object at ``module:attribute``; ``what`` it is, such as "method", for messages."""
    module, _, attribute = reference.partition(":")
    if not module or module.startswith(".") or not attribute:
        raise ExtensionError(f"{reference!r} does not name a {what}: write module:Name, such as my_package.mine:Mine")
    try:
        found = import_module(module)
    except Exception as error:  # whatever the other package's code raises
        raise ExtensionError(
            f"the {what} {reference} cannot be loaded, because importing {module} failed "
            f"({type(error).__name__}: {error}): install its package, or correct the name"
        ) from error
    try:
        return reduce(getattr, attribute.split("."), found)
    except AttributeError:
        close = nearest(attribute, vars(found))
        hint = f"did you mean {' or '.join(close)}?" if close else "correct the name"
        raise ExtensionError(f"the {what} {reference} cannot be loaded: {module} has no {attribute}; {hint}") from None
