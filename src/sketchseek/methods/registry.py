"""Methods by name. A method's module is imported when the method is asked for, not before."""

from importlib import import_module

from sketchseek.errors import SketchseekError
from sketchseek.methods.method import Method
from sketchseek.wording import nearest

#: name on the command line -> "module:class"
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
    """The class of the method called ``name``."""
    if name not in METHODS:
        close = nearest(name, METHODS) or sorted(METHODS)
        raise SketchseekError(f"there is no method {name!r}: choose {' or '.join(close)}")
    module, _, attribute = METHODS[name].partition(":")
    found: type[Method] = getattr(import_module(module), attribute)
    assert issubclass(found, Method)
    return found
