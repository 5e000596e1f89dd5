"""Make line drawings of photos, and jitter drawings: pairs of drawing and photo without human work."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, label, map_coordinates, maximum_filter, minimum_filter, sobel

Grey = NDArray[np.float32]  # (side, side), 0 black to 1 white
MASKED = 0.7  # share of the line drawings that keep to the mask of the object, where there is one
MESH = 4  # cells a side of the mesh that makes strokes wobble


def line_drawing(
    photo: NDArray[np.uint8], contours: Grey, heat: Grey, dice: np.random.Generator, mask: Grey | None = None
) -> NDArray[np.uint8]:
    """A photo (side, side, 3) -> dark lines on white (side, side, 3): mostly the lines that people would draw.

    ``contours``: probability of a line, at half the side; ``heat``: where the object is, a few cells a side, 0 to 1;
    ``mask`` (side, side), if known: the object itself, 0 to 1, outside of which there is mostly nothing to draw.
    """
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float32) / 255
    kind = dice.random()
    if mask is not None and dice.random() < MASKED:
        inside = maximum_filter(mask, size=max(3, len(grey) // 32)) > 0.5
        drawn = np.where(inside, traced(outlined(contours, mask, dice), mask, len(grey), dice), 1).astype(np.float32)
    elif kind < 0.7:
        drawn = traced(contours, heat, len(grey), dice)
    else:
        drawn = xdog(grey, dice) if kind < 0.85 else edges(grey, heat, dice)
    if dice.random() < 0.25:
        drawn = gapped(drawn, dice)
    return np.repeat((drawn * 255).astype(np.uint8)[..., None], 3, axis=2)


def outlined(contours: Grey, mask: Grey, dice: np.random.Generator) -> Grey:
    """Contours that are more likely where the mask ends, by a random amount."""
    small = np.asarray(Image.fromarray(mask).resize(contours.shape[::-1], Image.Resampling.BOX))
    edge = maximum_filter(small, size=3) - minimum_filter(small, size=3)
    return np.maximum(contours, edge * np.float32(dice.uniform(0, 1))).astype(np.float32)


def traced(contours: Grey, heat: Grey, side: int, dice: np.random.Generator) -> Grey:
    """The ridges of likely contours, without weak and short ones, as thick as a pen."""
    large = np.asarray(Image.fromarray(contours).resize((side, side), Image.Resampling.BICUBIC))
    sigma = dice.uniform(1.0, 2.2) * side / 224
    height = gaussian_filter(large, sigma)
    down, across = gaussian_filter(large, sigma, order=(2, 0)), gaussian_filter(large, sigma, order=(0, 2))
    twist = gaussian_filter(large, sigma, order=(1, 1))
    # A ridge is highest along the direction in which the surface bends down most.
    angle = 0.5 * np.arctan2(2 * twist, across - down) + np.pi / 2
    rows, columns = np.mgrid[:side, :side]
    step = np.stack((np.sin(angle), np.cos(angle)))
    beside = (map_coordinates(height, (rows + sign * step[0], columns + sign * step[1]), order=1) for sign in (1, -1))
    bends = (across + down) / 2 - np.hypot((across - down) / 2, twist) < 0
    ridge = bends & np.logical_and.reduce([height >= other for other in beside])
    if dice.random() < 0.6:  # people draw the object, not its surroundings
        height = height * _window(heat, side, dice)
    enough = height > np.quantile(height[ridge], dice.uniform(0.4, 0.85)) if ridge.any() else ridge
    return _inked(ridge & enough, int(dice.integers(8, 40) * side / 224), int(dice.integers(2, 5)))


def xdog(grey: Grey, dice: np.random.Generator) -> Grey:
    """Extended difference of Gaussians: soft ink wherever a picture is darker than its surroundings."""
    sigma, weight = dice.uniform(0.8, 2.2), dice.uniform(0.95, 0.99)
    difference = gaussian_filter(grey, sigma) - weight * gaussian_filter(grey, 1.6 * sigma)
    threshold, slope = dice.uniform(0.0, 0.01), dice.uniform(60, 200)
    return np.where(difference >= threshold, 1, 1 + np.tanh(slope * (difference - threshold))).clip(0, 1).astype("f4")


def edges(grey: Grey, heat: Grey, dice: np.random.Generator) -> Grey:
    """The strongest edges, thinned to ridges of the gradient, without short ones, as thick as a pen."""
    smooth = gaussian_filter(grey, dice.uniform(1.0, 3.0) * len(grey) / 160)
    strength = np.hypot(sobel(smooth, axis=0), sobel(smooth, axis=1))
    if dice.random() < 0.75:  # people draw the object, not its surroundings
        strength = strength * _window(heat, len(grey), dice)
    strong = strength > np.quantile(strength, dice.uniform(0.78, 0.92))
    ridge = strong & (strength >= maximum_filter(strength, size=3) * 0.9)
    return _inked(ridge, int(dice.integers(2, 16)), int(dice.integers(2, 5)))


def _inked(lines: NDArray[np.bool_], shortest: int, pen: int) -> Grey:
    """Thin lines of at least ``shortest`` px, drawn with a pen."""
    pieces, _ = label(lines, structure=np.ones((3, 3)))
    kept = np.bincount(pieces.ravel()) >= shortest
    kept[0] = False
    return thickened(1 - kept[pieces].astype(np.float32), pen)


def gapped(drawn: Grey, dice: np.random.Generator) -> Grey:
    """Remove ink in random places, like strokes that were never drawn."""
    noise = Image.fromarray(dice.random((12, 12), np.float32)).resize(drawn.shape[::-1], Image.Resampling.BICUBIC)
    return np.where(np.asarray(noise) < dice.uniform(0.1, 0.4), 1, drawn).astype(np.float32)


def thickened(grey: Grey, pen: int) -> Grey:
    """Lines widened to ``pen`` px, with soft edges."""
    return gaussian_filter(minimum_filter(grey, size=pen), 0.5).astype(np.float32)


def jittered(drawing: NDArray[np.uint8], dice: np.random.Generator) -> NDArray[np.uint8]:
    """A drawing rotated, sheared, scaled, moved, wobbled and drawn with another pen; uint8 (side, side, 3)."""
    side = len(drawing)
    angle, scale = dice.normal(0, 0.12), dice.uniform(0.95, 1.3)
    shear, aspect = dice.normal(0, 0.1), np.exp(dice.normal(0, 0.1))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[scale * aspect, shear], [0, scale / aspect]])
    centre = np.full(2, side / 2)
    moved = centre - matrix @ centre + dice.uniform(-0.07, 0.07, 2) * side
    stops = np.linspace(0, side, MESH + 1).astype(int)
    knots = np.stack(np.meshgrid(stops, stops), axis=-1) @ matrix.T + moved
    knots += dice.normal(0, dice.uniform(0, 0.025), knots.shape) * side
    net = [
        (
            (int(stops[x]), int(stops[y]), int(stops[x + 1]), int(stops[y + 1])),
            (*knots[y, x], *knots[y + 1, x], *knots[y + 1, x + 1], *knots[y, x + 1]),
        )
        for y in range(MESH)
        for x in range(MESH)
    ]
    image = Image.fromarray(drawing[..., 0]).transform(
        (side, side), Image.Transform.MESH, net, Image.Resampling.BILINEAR, fillcolor=255
    )
    grey = np.asarray(image, np.float32) / 255
    if dice.random() < 0.3:
        grey = thickened(grey, 2)
    grey = 1 - (1 - grey) * np.float32(dice.uniform(0.7, 1.4))  # a lighter or darker pen
    return np.repeat((grey.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def _window(heat: Grey, side: int, dice: np.random.Generator) -> Grey:
    """Weights of pixels, (side, side): mostly the heat, otherwise a blob around the middle."""
    if dice.random() < 0.7:
        large = Image.fromarray(heat).resize((side, side), Image.Resampling.BICUBIC)
        return (np.asarray(large).clip(0.02, 1) ** np.float32(dice.uniform(0.5, 1.5))).astype(np.float32)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / side - dice.uniform(0.4, 0.6, (2, 1, 1))
    return np.exp(-(rows**2 + columns**2) / (2 * dice.uniform(0.2, 0.4) ** 2)).astype(np.float32)
