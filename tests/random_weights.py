"""Random numbers in all parameters of a torch model."""

from typing import Any

import torch


def randomised(model: Any, seed: int = 0) -> Any:
    """Random numbers everywhere, so that no mix-up hides."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                parameter.add_(noise * 0.1)
            elif parameter.ndim > 1:
                wide = "embedding" in name or "probe" in name
                parameter.copy_(noise * (0.3 if wide else parameter[0].numel() ** -0.5))
    return model.eval()
