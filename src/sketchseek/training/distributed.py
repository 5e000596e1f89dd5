"""Training in several processes (``torchrun``): each computes its share of the batch, and gradients are averaged.

Two processes with a batch of n take the same step as one with a batch of 2n, if the losses are means over triplets.
Losses that compare triplets with each other (batch-hard, relative distances) gather the features of all processes
(``methods.gathering``).
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from sketchseek.training.errors import TrainingError

PATIENCE = timedelta(hours=4)  # one process validates or prepares pictures while the others wait


@dataclass(frozen=True)
class World:
    """This process among ``size`` of them; a single process sends nothing."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            dist.barrier()

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """The first process of each machine runs the block; the others run it afterwards."""
        if self.local_rank != 0:
            self.wait()
        yield
        if self.local_rank == 0:
            self.wait()

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        if self.size > 1:
            dist.all_reduce(tensor)
            tensor /= self.size
        return tensor

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace these tensors by their means over all processes, in place; one message per dtype."""
        by_dtype: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            by_dtype.setdefault(tensor.dtype, []).append(tensor)
        for alike in by_dtype.values() if self.size > 1 else ():
            flat = self.mean(torch.cat([tensor.reshape(-1) for tensor in alike]))
            sizes = [tensor.numel() for tensor in alike]
            for tensor, values in zip(alike, torch.split(flat, sizes), strict=True):
                tensor.copy_(values.view_as(tensor))

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Average the gradients; a missing gradient counts as zeros, so that all processes send the same shapes."""
        if self.size == 1:
            return
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        self.average(gradients)


@contextmanager
def world_of(device: str) -> Iterator[World]:
    """The processes that torchrun started, or this one alone; ``device`` is a type such as ``cpu`` or ``cuda``."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    world = World(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    if device == "cuda":
        if world.local_rank >= torch.cuda.device_count():
            raise TrainingError(
                f"this machine has {torch.cuda.device_count()} GPUs and more processes: start torchrun with "
                f"--nproc-per-node {torch.cuda.device_count()}"
            )
        torch.cuda.set_device(world.local_rank)
    dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield world
    finally:
        dist.destroy_process_group()
