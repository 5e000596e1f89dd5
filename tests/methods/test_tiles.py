import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sketchseek import SketchseekError
from sketchseek.methods.tiles import cut, draw_orders, draw_two_orders, join, reorder, shuffle_tiles


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_shuffle(images, orders, grid):
    """Pixel by pixel; the grid divides both sides."""
    result = torch.zeros_like(images)
    n, _, height, width = images.shape
    tall, wide = height // grid, width // grid
    for i, y, x in itertools.product(range(n), range(height), range(width)):
        source = int(orders[i, (y // tall) * grid + x // wide])
        result[i, :, y, x] = images[i, :, (source // grid) * tall + y % tall, (source % grid) * wide + x % wide]
    return result


@given(
    n=st.integers(0, 3),
    grid=st.integers(1, 4),
    height=st.integers(1, 3),
    width=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_shuffle_moves_every_pixel_where_it_belongs_and_back(n, grid, height, width, seed):
    images = torch.randn(n, 3, grid * height, grid * width, generator=seeded(seed))
    orders = draw_orders(n, grid, seeded(seed))
    shuffled = shuffle_tiles(images, orders)
    assert torch.equal(shuffled, slow_shuffle(images, orders, grid))
    assert torch.equal(shuffle_tiles(shuffled, orders.argsort(dim=-1)), images)


@given(n=st.integers(0, 3), grid=st.integers(1, 4), seed=st.integers(0, 1000))
def test_join_undoes_cut_and_inverse_undoes_reorder(n, grid, seed):
    images = torch.randn(n, 3, grid * 2, grid * 3, generator=seeded(seed))
    tiles = cut(images, grid)
    assert tiles.shape == (n, grid * grid, 3, 2, 3)
    assert torch.equal(join(tiles), images)
    orders = draw_orders(n, grid, seeded(seed))
    assert torch.equal(reorder(reorder(tiles, orders), orders.argsort(dim=-1)), tiles)


def test_tiles_are_numbered_row_by_row():
    tiles = cut(torch.arange(16.0).reshape(1, 1, 4, 4), 2)
    assert tiles[0, :, 0, 0, 0].tolist() == [0, 2, 8, 10]


def test_clip_pictures_in_two_by_two_tiles_keep_their_exact_pixels():
    images = torch.randn(2, 3, 224, 224, generator=seeded())
    shuffled = shuffle_tiles(images, torch.tensor([[3, 2, 1, 0], [0, 1, 2, 3]]))
    assert torch.equal(shuffled[0, :, :112, :112], images[0, :, 112:, 112:])
    assert torch.equal(shuffled[1], images[1])


def test_three_by_three_tiles_of_224_go_through_225():
    images = torch.randn(2, 3, 224, 224, generator=seeded())
    orders = draw_orders(2, 3, seeded())
    resize = torch.nn.functional.interpolate
    larger = resize(images, size=(225, 225), mode="bilinear", align_corners=False)
    expected = resize(slow_shuffle(larger, orders, 3), size=(224, 224), mode="bilinear", align_corners=False)
    shuffled = shuffle_tiles(images, orders)
    assert shuffled.shape == images.shape
    torch.testing.assert_close(shuffled, expected)


def test_resizing_there_and_back_blurs_a_smooth_picture_little():
    ramp = torch.linspace(0, 1, 224).expand(1, 3, 224, 224)
    orders = draw_orders(1, 3, seeded())
    restored = shuffle_tiles(shuffle_tiles(ramp, orders), orders.argsort(dim=-1))
    interior = torch.ones(224, dtype=torch.bool)
    for seam in (0, 75, 150, 224):
        interior[max(seam - 3, 0) : seam + 3] = False
    error = (restored - ramp).abs()[..., interior, :][..., interior]
    assert error.max() < 0.02


def test_pictures_are_shuffled_one_by_one():
    images = torch.randn(3, 3, 6, 6, generator=seeded())
    orders = draw_orders(3, 2, seeded())
    alone = torch.cat([shuffle_tiles(images[i : i + 1], orders[i : i + 1]) for i in range(3)])
    assert torch.equal(shuffle_tiles(images, orders), alone)


def test_gradients_pass_through_the_shuffle():
    images = torch.randn(2, 1, 4, 4, generator=seeded(), dtype=torch.float64, requires_grad=True)
    for grid in (2, 3):
        orders = draw_orders(2, grid, seeded())
        assert torch.autograd.gradcheck(lambda x, orders=orders: shuffle_tiles(x, orders), [images])


@given(n=st.integers(0, 20), grid=st.integers(2, 3), seed=st.integers(0, 1000))
def test_two_orders_are_permutations_that_differ_in_every_sample(n, grid, seed):
    first, second = draw_two_orders(n, grid, seeded(seed))
    expected = torch.arange(grid * grid).expand(n, -1)
    assert torch.equal(first.sort(dim=1).values, expected)
    assert torch.equal(second.sort(dim=1).values, expected)
    assert (first != second).any(dim=1).all()


def test_draws_are_fixed_by_the_seed():
    first, second = draw_two_orders(16, 2, seeded(5)), draw_two_orders(16, 2, seeded(5))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], draw_two_orders(16, 2, seeded(6))[0])


def test_draws_leave_the_global_stream_alone():
    before = torch.get_rng_state()
    draw_two_orders(16, 2, seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_every_order_is_as_likely_and_every_pair_of_two_that_differ():
    first, second = draw_two_orders(24_000, 2, seeded())
    for orders in (first, second):
        counts = Counter(map(tuple, orders.tolist()))
        assert len(counts) == 24  # the identity among them
        assert all(850 < count < 1150 for count in counts.values())
    assert len(set(map(tuple, torch.cat([first, second], dim=1).tolist()))) == 24 * 23


def test_a_single_tile_has_no_second_order():
    with pytest.raises(SketchseekError, match="at least 2 tiles"):
        draw_two_orders(4, 1, seeded())
