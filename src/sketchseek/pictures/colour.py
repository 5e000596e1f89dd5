"""Any mode Pillow decodes to -> 8-bit sRGB, with or without transparency."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Palettes, bilevel, 16-bit, 32-bit and float -> one of L, RGB, RGBA, CMYK, LAB, YCbCr, HSV."""
    if image.mode.startswith("I;16"):
        high = np.asarray(image).astype("<u2", copy=False).view(np.uint8)[:, 1::2]
        return _with_info(Image.fromarray(high), image)  # as Pillow does for 16 bits per colour
    if image.mode in ("I", "F"):
        return _with_info(Image.fromarray(_scaled(np.array(image, np.float32))), image)
    if image.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in ("1", "RGBX"):
        return image.convert("L" if image.mode == "1" else "RGB")
    return image


def to_srgb(image: Image.Image) -> Image.Image:
    """An 8-bit image -> RGB or RGBA whose colours are sRGB; a damaged or unsuitable colour profile is ignored."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = _through_profile(image.convert("RGB") if alpha else image, image.info.get("icc_profile"))
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def over_white(image: Image.Image) -> Image.Image:
    """RGB or RGBA -> RGB."""
    if image.mode == "RGB":
        return image
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _with_info(image: Image.Image, source: Image.Image) -> Image.Image:
    image.info = source.info  # the colour profile is still needed
    return image


def _scaled(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Numbers of unknown range -> 0..255, in place: white is the smallest common full scale that includes them all."""
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    np.maximum(values, 0.0, out=values)  # before they are scaled: a large negative number would overflow
    highest = float(values.max(initial=0.0))
    scales = (1.0, 255.0, 65535.0, float(2**31 - 1))
    white = next((scale for scale in scales if highest <= scale), highest)
    values *= 255.0 / white
    return np.rint(values, out=values).clip(0, 255, out=values).astype(np.uint8)


def _through_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "LAB":
        return _transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB") or _grey_of_lab(
            image
        )
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = None if _is_srgb(source) else _PROFILE_MODES.get(source.profile.xcolor_space.strip())
        except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
            mode = None
        # A grey profile on a colour picture is a mistake; a colour profile on a grey picture works.
        if mode == image.mode or (mode == "RGB" and image.mode != "CMYK"):
            return _transformed(image.convert(mode), source, mode) or image.convert("RGB")
    return image.convert("RGB")


def _transformed(image: Image.Image, source: ImageCms.ImageCmsProfile, mode: str) -> Image.Image | None:
    try:
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
        return transform.apply(image)
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None


def _grey_of_lab(image: Image.Image) -> Image.Image:
    return image.getchannel("L").convert("RGB")


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """By name: most photos have this profile, and converting sRGB to sRGB takes time and changes nothing."""
    return (profile.profile.profile_description or "").startswith("sRGB")
