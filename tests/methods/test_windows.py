import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek import SketchseekError
from sketchseek.methods.side_branch import SideBranch
from sketchseek.methods.windows import LocalHead, window_indices
from tests.methods.oracle import assert_same_gradients, layer_norm, linear, slow_layer


def test_the_papers_four_windows():
    windows = window_indices(7)
    assert windows.shape == (4, 26)
    places = [[divmod(token - 1, 7) for token in window[1:].tolist()] for window in windows]
    for (rows, columns), place in zip(((0, 0), (0, 2), (2, 0), (2, 2)), places, strict=True):
        assert place == [(row, column) for row in range(rows, rows + 5) for column in range(columns, columns + 5)]
    assert (windows[:, 0] == 0).all()


@given(grid=st.integers(1, 16), side=st.integers(1, 16))
def test_windows_stand_in_the_corners_of_any_grid(grid, side):
    if side > grid:
        with pytest.raises(SketchseekError, match="smaller window"):
            window_indices(grid, side)
        return
    windows = window_indices(grid, side)
    corners = [1, 1 + grid - side, 1 + grid * (grid - side), 1 + (grid + 1) * (grid - side)]
    assert windows[:, 1].tolist() == corners
    for window in windows.tolist():
        assert len(set(window)) == 1 + side * side
        assert max(window) <= grid * grid


@pytest.mark.parametrize("branch", [False, True])
def test_head_is_its_equation(build_micro, branch):
    image = build_micro("zero-shot").backbone.image
    head = LocalHead(image, side=2, branch=SideBranch(image.width, 3) if branch else None).double()
    for parameter in head.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    tokens = torch.randn(2, 10, 16, dtype=torch.float64, requires_grad=True)
    rows = []
    for picture in tokens:
        for number, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            patches = [picture[1 + 3 * r + c] for r in (row, row + 1) for c in (column, column + 1)]
            side = (head.branch, 0, 0) if branch else None
            states = slow_layer(head.layer, torch.stack([picture[0], *patches]), side=side)
            rows.append(linear(layer_norm(states[:1], head.norms[number]), head.projections[number])[0])
    fast, slow = head(tokens), torch.stack(rows).view(2, 4, -1)
    torch.testing.assert_close(fast, slow)
    weight = torch.randn_like(fast)
    trained = [p for p in head.parameters() if p.requires_grad]
    assert_same_gradients((fast * weight).sum(), (slow * weight).sum(), [tokens, *trained])


def test_head_starts_as_clips_last_layer_and_trains_its_norms_and_branch_alone(build):
    image = build("zero-shot").backbone.image
    branch = SideBranch(image.width, 4)
    head = LocalHead(image, branch=branch)
    assert head.branch is not None
    for name, copied in head.branch.named_parameters():
        assert torch.equal(copied, branch.get_parameter(name))
        assert copied is not branch.get_parameter(name)
        assert copied.requires_grad
    for name, parameter in head.layer.named_parameters():
        assert torch.equal(parameter, dict(image.stack[-1].named_parameters())[name])
        assert parameter.requires_grad == ("layer_norm" in name)
    for norm, projection in zip(head.norms, head.projections, strict=True):
        assert torch.equal(norm.get_parameter("weight"), image.post_norm.weight)
        assert torch.equal(projection.get_parameter("weight"), image.projection.weight)
        assert norm.weight.requires_grad
        assert projection.weight.requires_grad
    assert not any(p.requires_grad for p in image.parameters())
