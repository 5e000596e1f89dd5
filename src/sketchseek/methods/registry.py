"""Methods by name. A method's module is imported when the method is used, not before."""

import inspect
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module

from sketchseek.errors import SketchseekError
from sketchseek.extensions import ExtensionError, load, registered
from sketchseek.methods.method import Method
from sketchseek.wording import nearest

GROUP = "sketchseek.methods"  # entry points of other packages: name -> "module:Class"

#: name on the command line -> "module:Class", of the methods that ship
METHODS: dict[str, str] = {
    "clip-at": "sketchseek.methods.clip_at:ClipAt",
    "splip": "sketchseek.methods.splip:Splip",
    "dp-clip": "sketchseek.methods.dp_clip:DpClip",
    "zero-shot": "sketchseek.methods.baselines:ZeroShot",
    "linear-probe": "sketchseek.methods.baselines:LinearProbe",
    "full-fine-tune": "sketchseek.methods.baselines:FullFineTune",
    "shallow-prompts": "sketchseek.methods.prompt_baselines:ShallowPrompts",
    "modality-prompts": "sketchseek.methods.prompt_baselines:ModalityPrompts",
    "independent-prompts": "sketchseek.methods.prompt_baselines:IndependentPrompts",
    "deep-prompts": "sketchseek.methods.prompt_baselines:DeepPrompts",
    "conditional-prompts": "sketchseek.methods.prompt_baselines:ConditionalPrompts",
}


def method_class(name: str) -> type[Method]:
    """The class of a method: its name here, its entry point in another package, or ``module:Class``."""
    if name in METHODS:
        module, _, attribute = METHODS[name].partition(":")
        found: type[Method] = getattr(import_module(module), attribute)
        assert issubclass(found, Method)
        return found
    reference = name
    if ":" not in name:
        others = registered(GROUP)
        if name not in others:
            known = sorted({*METHODS, *others})
            close = nearest(name, known) or known
            raise SketchseekError(
                f"there is no method {name!r}: choose {' or '.join(close)}, or install the package that provides it"
            )
        reference = others[name]
    return _checked(load(reference, "method"), reference)


def _checked(found: object, reference: str) -> type[Method]:
    """The class, if it is complete; one sentence says what is missing."""
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise ExtensionError(f"{reference} is not a method: derive a class from sketchseek.methods.method.Method")
    lacking = [name for name in ("name", "options_type") if not hasattr(found, name)]
    if inspect.isabstract(found):
        lacking += sorted(found.__abstractmethods__)
    if lacking:
        raise ExtensionError(f"the method {reference} is not complete: define {', '.join(lacking)} in its class")
    options = found.options_type
    if not is_dataclass(options):
        raise ExtensionError(f"the options_type of {reference} must be a frozen dataclass, not {options!r}")
    open_ones = [field.name for field in fields(options) if field.default is field.default_factory is MISSING]
    if open_ones:
        raise ExtensionError(
            f"the method {reference} has options without a default: give one to {', '.join(open_ones)}"
        )
    return found
