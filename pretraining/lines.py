"""Line drawings out of photos, and jitter of drawings: pairs of drawing and photo that no human had to draw."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter, sobel

Grey = NDArray[np.float32]  # (side, side), 0 black to 1 white


def line_drawing(photo: NDArray[np.uint8], dice: np.random.Generator) -> NDArray[np.uint8]:
    """A photo (side, side, 3) -> dark lines on white (side, side, 3): half of them XDoG, half Sobel edges."""
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float32) / 255
    drawn = xdog(grey, dice) if dice.random() < 0.5 else sobel_edges(grey, dice)
    return np.repeat((drawn * 255).astype(np.uint8)[..., None], 3, axis=2)


def xdog(grey: Grey, dice: np.random.Generator) -> Grey:
    """Extended difference of Gaussians: soft ink wherever a picture is darker than its surroundings."""
    sigma, weight = dice.uniform(0.8, 1.8), dice.uniform(0.95, 0.99)
    difference = gaussian_filter(grey, sigma) - weight * gaussian_filter(grey, 1.6 * sigma)
    threshold, slope = dice.uniform(0.0, 0.01), dice.uniform(60, 200)
    return np.where(difference >= threshold, 1, 1 + np.tanh(slope * (difference - threshold))).clip(0, 1).astype("f4")


def sobel_edges(grey: Grey, dice: np.random.Generator) -> Grey:
    """The strongest edges, thinned to ridges of the gradient, then as thick as a pen."""
    smooth = gaussian_filter(grey, dice.uniform(1.0, 2.5))
    strength = np.hypot(sobel(smooth, axis=0), sobel(smooth, axis=1))
    ridge = (strength >= maximum_filter(strength, size=3) * 0.9) & (strength > np.quantile(strength, 0.8))
    return thickened(1 - ridge.astype(np.float32), int(dice.integers(2, 4)))


def thickened(grey: Grey, pen: int) -> Grey:
    """Lines widened to ``pen`` px, with soft rims."""
    return gaussian_filter(minimum_filter(grey, size=pen), 0.5).astype(np.float32)


def jittered(drawing: NDArray[np.uint8], dice: np.random.Generator) -> NDArray[np.uint8]:
    """A drawing turned, sheared, scaled, moved and drawn with another pen: (side, side, 3) -> the same shape."""
    side = len(drawing)
    angle, scale = dice.normal(0, 0.12), dice.uniform(0.95, 1.3)
    shear, aspect = dice.normal(0, 0.1), np.exp(dice.normal(0, 0.1))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[scale * aspect, shear], [0, scale / aspect]])
    centre = np.full(2, side / 2)
    moved = centre - matrix @ centre + dice.uniform(-0.07, 0.07, 2) * side
    image = Image.fromarray(drawing).transform(
        (side, side),
        Image.Transform.AFFINE,
        (*matrix[0], moved[0], *matrix[1], moved[1]),
        Image.Resampling.BILINEAR,
        fillcolor=(255, 255, 255),
    )
    grey = np.asarray(image.convert("L"), np.float32) / 255
    if dice.random() < 0.3:
        grey = thickened(grey, 2)
    grey = 1 - (1 - grey) * np.float32(dice.uniform(0.7, 1.4))  # a fainter or a blacker pen
    return np.repeat((grey.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
