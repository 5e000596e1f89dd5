"""Line drawings out of photos, and jitter of drawings: pairs of drawing and photo that no human had to draw."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, label, maximum_filter, minimum_filter, sobel

Grey = NDArray[np.float32]  # (side, side), 0 black to 1 white
MESH = 4  # cells a side of the net that makes strokes wobble


def line_drawing(photo: NDArray[np.uint8], dice: np.random.Generator) -> NDArray[np.uint8]:
    """A photo (side, side, 3) -> dark lines on white (side, side, 3): a third XDoG, the others edges as strokes."""
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float32) / 255
    drawn = xdog(grey, dice) if dice.random() < 0.35 else edges(grey, dice)
    if dice.random() < 0.5:
        drawn = gapped(drawn, dice)
    return np.repeat((drawn * 255).astype(np.uint8)[..., None], 3, axis=2)


def xdog(grey: Grey, dice: np.random.Generator) -> Grey:
    """Extended difference of Gaussians: soft ink wherever a picture is darker than its surroundings."""
    sigma, weight = dice.uniform(0.8, 2.2), dice.uniform(0.95, 0.99)
    difference = gaussian_filter(grey, sigma) - weight * gaussian_filter(grey, 1.6 * sigma)
    threshold, slope = dice.uniform(0.0, 0.01), dice.uniform(60, 200)
    return np.where(difference >= threshold, 1, 1 + np.tanh(slope * (difference - threshold))).clip(0, 1).astype("f4")


def edges(grey: Grey, dice: np.random.Generator) -> Grey:
    """The strongest edges, thinned to ridges of the gradient, without short bits, as thick as a pen."""
    smooth = gaussian_filter(grey, dice.uniform(1.0, 3.0))
    strength = np.hypot(sobel(smooth, axis=0), sobel(smooth, axis=1))
    if dice.random() < 0.5:  # people draw the thing, not what lies around it
        strength = strength * _window(len(grey), dice)
    strong = strength > np.quantile(strength, dice.uniform(0.78, 0.92))
    ridge = strong & (strength >= maximum_filter(strength, size=3) * 0.9)
    pieces, _ = label(ridge, structure=np.ones((3, 3)))
    long_enough = np.bincount(pieces.ravel()) >= dice.integers(2, 16)
    long_enough[0] = False
    return thickened(1 - long_enough[pieces].astype(np.float32), int(dice.integers(2, 5)))


def gapped(drawn: Grey, dice: np.random.Generator) -> Grey:
    """Ink missing here and there, as strokes that were never drawn."""
    noise = Image.fromarray(dice.random((12, 12), np.float32)).resize(drawn.shape[::-1], Image.Resampling.BICUBIC)
    return np.where(np.asarray(noise) < dice.uniform(0.1, 0.4), 1, drawn).astype(np.float32)


def thickened(grey: Grey, pen: int) -> Grey:
    """Lines widened to ``pen`` px, with soft rims."""
    return gaussian_filter(minimum_filter(grey, size=pen), 0.5).astype(np.float32)


def jittered(drawing: NDArray[np.uint8], dice: np.random.Generator) -> NDArray[np.uint8]:
    """A drawing turned, sheared, scaled, moved, wobbled and drawn with another pen: (side, side, 3) -> that shape."""
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
    grey = 1 - (1 - grey) * np.float32(dice.uniform(0.7, 1.4))  # a fainter or a blacker pen
    return np.repeat((grey.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def _window(side: int, dice: np.random.Generator) -> Grey:
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / side - dice.uniform(0.4, 0.6, (2, 1, 1))
    return np.exp(-(rows**2 + columns**2) / (2 * dice.uniform(0.2, 0.4) ** 2)).astype(np.float32)
