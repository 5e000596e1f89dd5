import torch

from sketchseek.methods.mapping_blocks import PatchesToWords, StatesToImage


def test_shapes_and_counts_at_vit_b_32():
    to_words = PatchesToWords(patches=49, image_width=768, text_width=512, tokens=4)
    assert to_words(torch.randn(2, 49, 768)).shape == (2, 4, 512)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in to_words.named_children()}
    assert counts == {"mix": 49 * 4 + 4, "narrow": 768 * 512 + 512, "last": 512 * 512 + 512}
    to_image = StatesToImage(512, 768, tokens=2, blocks=1, std=0.02)
    assert to_image(torch.randn(512), 11).shape == (2, 768)
    assert to_image(torch.randn(3, 512), 0).shape == (3, 2, 768)
    assert sum(p.numel() for p in to_image.parameters()) == 512 * 768 + 768 + 768 * 1536 + 1536


def test_image_tokens_start_small():
    torch.manual_seed(0)
    last = StatesToImage(512, 768, tokens=2, blocks=1, std=0.02).get_submodule("blocks.0.2")
    assert isinstance(last, torch.nn.Linear)
    assert abs(last.weight.std() - 0.02) < 0.001
    assert not last.bias.any()


def test_one_block_serves_all_layers_or_each_has_its_own():
    torch.manual_seed(0)
    state = torch.randn(6)
    shared, own = (StatesToImage(6, 8, tokens=2, blocks=blocks, std=0.02) for blocks in (1, 3))
    assert torch.equal(shared(state, 0), shared(state, 2))
    assert not torch.equal(own(state, 0), own(state, 2))
    assert len(own.blocks) == 3
