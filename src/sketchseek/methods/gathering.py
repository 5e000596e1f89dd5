"""Features of all processes of a training, for losses that compare triplets with each other."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def gathered(own: Tensor) -> Tensor:
    """Rows of all processes in their order, with gradients into all of them. (n, ...) -> (processes * n, ...).

    All processes must call it with equal shapes, and each compute the same loss from the result: averaging gradients
    over the processes then gives the gradient of that loss. A single process gets its own tensor.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return own
    found: Tensor = _Gather.apply(own)  # type: ignore[no-untyped-call]  # torch has no types here
    return found


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        whole = gradients[0].contiguous()
        dist.all_reduce(whole)  # a process's rows are in the losses of all
        return whole.chunk(dist.get_world_size())[dist.get_rank()]
