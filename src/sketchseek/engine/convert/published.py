"""Published weights in a folder -> what they are (``Plan``), and their tensors by our names, every shape checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sketchseek.engine.convert.checkpoint import Checkpoint, ConvertError
from sketchseek.engine.convert.names import Piece, is_open_clip, pieces_of
from sketchseek.engine.convert.plan import ACTIVATIONS, Plan, Tower

Pieces = dict[str, Piece]
Settings = Mapping[str, Any]

# What transformers fills in where a config.json is silent.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "clip": {"heads": (12, 8), "activation": "quick_gelu", "epsilon": 1e-5, "side": 224},
    "siglip": {"heads": (12, 12), "activation": "gelu_pytorch_tanh", "epsilon": 1e-6, "side": 224},
}
_FAMILIES: Mapping[str, Any] = {"clip": "clip", "siglip": "siglip", "siglip2": "siglip"}


def read_plan(
    checkpoint: Checkpoint, config: Path | None, settings: Settings, padding: int | None
) -> tuple[Plan, Pieces]:
    """The plan of a checkpoint with this config, and its pieces; ``padding``: the padding token of its tokenizer."""
    pieces = pieces_of(checkpoint)
    where = config or checkpoint.path
    try:
        if is_open_clip(checkpoint):
            plan = _open_clip(checkpoint, where, settings, pieces)
        else:
            plan = _transformers(where, settings, pieces, padding)
    except KeyError as error:
        raise ConvertError(f"{checkpoint.path} lacks the tensor {error.args[0]}: it is no CLIP and no SigLIP") from None
    except (TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ConvertError(
            f"{where} does not describe a CLIP or SigLIP ({' '.join(str(error).split())[:100]})"
        ) from None
    _check(checkpoint, plan, pieces)
    return plan, pieces


def _transformers(where: Path, settings: Settings, pieces: Pieces, padding: int | None) -> Plan:
    kind = str(settings.get("model_type"))
    if kind not in _FAMILIES:
        raise ConvertError(
            f"{where} describes a model of type {kind[:40]!r}; clip, siglip and siglip2 can be converted"
        )
    family = _FAMILIES[kind]
    defaults = _DEFAULTS[family]
    vision, text = settings.get("vision_config") or {}, settings.get("text_config") or {}
    towers = [
        _tower(
            where,
            pieces,
            name,
            heads=_whole(written.get("num_attention_heads", defaults["heads"][number]), "num_attention_heads"),
            epsilon=float(written.get("layer_norm_eps", defaults["epsilon"])),
            activation=written.get("hidden_act", defaults["activation"]),
        )
        for number, (name, written) in enumerate((("image", vision), ("text", text)))
    ]
    for name, tower, written in (("vision_config", towers[0], vision), ("text_config", towers[1], text)):
        for key, found in (("num_hidden_layers", tower.depth), ("hidden_size", tower.width)):
            if written.get(key, found) != found:
                raise ConvertError(
                    f"{where}: {name} says {key} {repr(written[key])[:40]}, but the weights have {found}"
                )
    flat = len(pieces["image.patch.weight"].shape) == 2
    patch = round((pieces["image.patch.weight"].shape[1] / 3) ** 0.5) if flat else pieces["image.patch.weight"].shape[2]
    positions = pieces["image.positions"].shape[0] - (family == "clip")
    side = round(positions**0.5) * patch
    if not flat and (stated := vision.get("image_size", defaults["side"])) != side and "image_size" in vision:
        raise ConvertError(f"{where}: image_size is {repr(stated)[:40]}, but the weights are for {side} pixels")
    if family == "siglip" and padding is None:
        raise ConvertError(f"{where.parent}: no tokenizer_config.json says which token pads a text (pad_token)")
    return _plan(family, towers, side, patch, pieces, padding if family == "siglip" else None, flat=flat)


def _open_clip(checkpoint: Checkpoint, where: Path, settings: Settings, pieces: Pieces) -> Plan:
    model = settings.get("model_cfg")
    if not isinstance(model, Mapping):
        raise ConvertError(
            f"{checkpoint.path} does not say whether its layers use GELU or QuickGELU:"
            " put the open_clip_config.json of these weights in the same folder"
        )
    vision, text = model["vision_cfg"], model["text_cfg"]
    for part, key in ((vision, "timm_model_name"), (text, "hf_model_name")):
        if part.get(key):
            raise ConvertError(
                f"{where}: this model has a tower of another kind ({key} {str(part[key])[:40]!r}), which cannot be"
                " converted; look for the same model in the layout of transformers, or as ONNX"
            )
    for part, key in (
        (vision, "attentional_pool"),
        (vision, "no_ln_pre"),
        (vision, "ls_init_value"),
        (text, "ls_init_value"),
    ):
        if part.get(key):
            raise ConvertError(f"{where}: {key} is {str(part[key])[:20]}, which cannot be converted")
    activation = "quick_gelu" if model.get("quick_gelu", False) else "gelu"
    width = pieces["image.patch.weight"].shape[0]
    towers = [
        _tower(where, pieces, name, heads=heads, epsilon=1e-5, activation=activation)
        for name, heads in (
            ("image", width // _whole(vision.get("head_width", 64), "head_width")),
            ("text", _whole(text.get("heads", pieces["text.words"].shape[1] // 64), "heads")),
        )
    ]
    patch = pieces["image.patch.weight"].shape[2]
    side = round((pieces["image.positions"].shape[0] - 1) ** 0.5) * patch
    return _plan("clip", towers, side, patch, pieces, None)


def _plan(
    family: Any, towers: list[Tower], side: int, patch: int, pieces: Pieces, padding: int | None, *, flat: bool = False
) -> Plan:
    vocabulary, _ = pieces["text.words"].shape
    return Plan(
        family=family,
        image=towers[0],
        text=towers[1],
        side=side,
        patch=patch,
        size=pieces["text.projection.weight"].shape[0],
        vocabulary=vocabulary,
        context=pieces["text.positions"].shape[0],
        padding=padding,
        flat=flat,
    )


def _tower(where: Path, pieces: Pieces, name: str, *, heads: int, epsilon: float, activation: Any) -> Tower:
    if activation not in ACTIVATIONS:
        raise ConvertError(
            f"{where}: the activation {str(activation)[:40]!r} is not one of {', '.join(sorted(ACTIVATIONS))}"
        )
    mlp, width = pieces[f"{name}.layers.0.fc1.weight"].shape
    if width % heads:
        raise ConvertError(f"{where}: a width of {width} cannot be divided among {heads} heads")
    depth = 1 + max(int(key.split(".")[2]) for key in pieces if key.startswith(f"{name}.layers."))
    return Tower(width=width, heads=heads, depth=depth, mlp=mlp, epsilon=epsilon, activation=ACTIVATIONS[activation])


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {str(value)[:20]!r}")
    return value


def shapes_of(plan: Plan) -> dict[str, tuple[int, ...]]:
    """The tensors that a model of this plan has, by our names."""
    tokens = plan.grid**2 + (plan.family == "clip")
    width, siglip = plan.image.width, plan.family == "siglip"
    shapes: dict[str, tuple[int, ...]] = {
        "logit_scale": (),
        "image.patch.weight": (width, 3 * plan.patch**2) if plan.flat else (width, 3, plan.patch, plan.patch),
        "image.positions": (tokens, width),
        "text.words": (plan.vocabulary, plan.text.width),
        "text.positions": (plan.context, plan.text.width),
        "text.projection.weight": (plan.size, plan.text.width),
    }
    for name, tower in (("image", plan.image), ("text", plan.text)):
        for layer in range(tower.depth):
            shapes |= _layer_shapes(f"{name}.layers.{layer}", tower)
        shapes |= _norm(f"{name}.post_norm", tower.width)
    if siglip:
        shapes |= {
            "image.patch.bias": (width,),
            "image.head.probe": (1, 1, width),
            "text.projection.bias": (plan.size,),
        }
        head = _layer_shapes("image.head", plan.image)
        shapes |= {name: shape for name, shape in head.items() if ".norm" not in name} | _norm("image.head.norm", width)
    else:
        shapes |= {"image.class": (width,), "image.projection.weight": (plan.size, width)}
        shapes |= _norm("image.pre_norm", width)
    return shapes


def _layer_shapes(name: str, tower: Tower) -> dict[str, tuple[int, ...]]:
    matrices = dict.fromkeys(("q", "k", "v", "out"), (tower.width, tower.width))
    matrices |= {"fc1": (tower.mlp, tower.width), "fc2": (tower.width, tower.mlp)}
    shapes: dict[str, tuple[int, ...]] = {}
    for part, shape in matrices.items():
        shapes |= {f"{name}.{part}.weight": shape, f"{name}.{part}.bias": shape[:1]}
    return shapes | _norm(f"{name}.norm1", tower.width) | _norm(f"{name}.norm2", tower.width)


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _check(checkpoint: Checkpoint, plan: Plan, pieces: Pieces) -> None:
    expected, where = shapes_of(plan), checkpoint.path
    if missing := sorted(expected.keys() - pieces.keys()):
        raise ConvertError(f"{where} lacks {len(missing)} of {len(expected)} tensors, such as {missing[0]}")
    if unknown := sorted(pieces.keys() - expected.keys() - {"logit_bias"}):
        what = "SigLIP" if plan.family == "siglip" else "CLIP"
        raise ConvertError(
            f"{where} contains {len(unknown)} tensors that no {what} has, such as {pieces[unknown[0]].name[:60]}"
        )
    for name, shape in expected.items():
        found = pieces[name].shape
        if found != shape and not (shape == () and found == (1,)):  # SigLIP's scale is a vector of one number
            raise ConvertError(f"{where}: {pieces[name].name} has shape {found}, but {shape} is required")
