"""Which device computes."""

import torch

from sketchseek.errors import SketchseekError


def choose_device(name: str | None = None, local_rank: int = 0) -> torch.device:
    """The named device, tried out; for None and ``auto`` a GPU where there is one, else the CPU.

    ``local_rank``: which GPU of several a process of ``torchrun`` takes.
    """
    if name in (None, "auto"):
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device("cuda", local_rank) if name == "cuda" else torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch built without a device asserts
        reason = str(error).strip().split("\n")[0]
        raise SketchseekError(f"the device {name!r} cannot be used ({reason}): choose cpu") from None
    return device
