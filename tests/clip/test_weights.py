"""Backbones from folders and files: the same numbers whatever the layout, one sentence for whatever is wrong."""

from pathlib import Path
from typing import Any

import torch
from transformers import CLIPModel

from sketchseek.clip.files import files_in
from sketchseek.clip.weights import read_backbone


def test_a_folder_gives_the_model_it_was_saved_from(tiny_clip_folder: Path, pixels: torch.Tensor) -> None:
    backbone = read_backbone(files_in(tiny_clip_folder))
    model: Any = CLIPModel.from_pretrained(tiny_clip_folder).eval()
    with torch.inference_mode():
        torch.testing.assert_close(backbone.image(pixels), model.get_image_features(pixels).pooler_output)
    torch.testing.assert_close(backbone.logit_scale, model.logit_scale)
    assert not backbone.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert (backbone.photos.size, backbone.photos.fit) == (224, "crop")
    assert (backbone.sketches.placement, backbone.sketches.fill) == ("ink", (255, 255, 255))
