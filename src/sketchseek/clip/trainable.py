"""Choose what is trained by name: freeze everything first, so that nothing is trained by accident."""

from collections.abc import Iterable

from torch import nn

__all__ = ["freeze", "norm_names", "train_only", "trained"]


def freeze(module: nn.Module) -> None:
    """Train no parameter of the module."""
    module.requires_grad_(False)


def norm_names(module: nn.Module) -> list[str]:
    """The names of all LayerNorm weights and biases inside a module."""
    return [
        f"{prefix}.{name}" if prefix else name
        for prefix, part in module.named_modules()
        if isinstance(part, nn.LayerNorm)
        for name, _ in part.named_parameters()
    ]


def train_only(module: nn.Module, names: Iterable[str]) -> None:
    """Train exactly these parameters of the module; an unknown name is an error."""
    freeze(module)
    parameters = dict(module.named_parameters())
    for name in names:
        if name not in parameters:
            raise ValueError(f"no parameter is called {name!r}")
        parameters[name].requires_grad_(True)


def trained(module: nn.Module) -> dict[str, int]:
    """The trained parameters: name -> number of values."""
    return {name: parameter.numel() for name, parameter in module.named_parameters() if parameter.requires_grad}
