"""An exponential moving average of the trained weights, which is validated and kept in their place."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from sketchseek.methods.method import Method


class Average:
    """The average of what a method trains, its running means included."""

    def __init__(self, method: Method, decay: float) -> None:
        self.tensors = {name: tensor.clone() for name, tensor in method.adapter().items()}
        self._decay = decay

    @torch.no_grad()
    def update(self, method: Method, step: int) -> None:
        """Move towards the state after ``step`` steps; quickly at first, so that the start is forgotten."""
        decay = min(self._decay, step / (step + 9))
        for name, tensor in method.adapter().items():
            own = self.tensors[name]
            if own.is_floating_point():
                own.lerp_(tensor, 1 - decay)
            else:
                own.copy_(tensor)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from saved tensors."""
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)

    @contextmanager
    def in_place_of(self, method: Method) -> Iterator[None]:
        """Inside the block the method has the averaged weights."""
        own = {name: tensor.clone() for name, tensor in method.adapter().items()}
        with torch.no_grad():
            method.load_adapter(self.tensors)
        try:
            yield
        finally:
            with torch.no_grad():
                method.load_adapter(own)
