"""The device that computes."""

import torch

from sketchseek.errors import SketchseekError


def choose_device(name: str | None = None, local_rank: int = 0) -> torch.device:
    """The named device, tested; for None and ``auto`` a GPU if there is one, else the CPU.

    ``local_rank``: the number of the GPU for a process of ``torchrun``.
    """
    if name in (None, "auto"):
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device("cuda", local_rank) if name == "cuda" else torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch built without the device asserts
        reason = str(error).strip().split("\n")[0]
        raise SketchseekError(f"the device {name!r} cannot be used ({reason}): choose cpu") from None
    return device
