"""Read a backbone from its files: safely, every name and shape checked; frozen, fp32, on the CPU."""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPConfig, SiglipConfig

from sketchseek.clip.backbone import Backbone, build_clip
from sketchseek.clip.layouts import config_from_shapes, is_openai, layer_counts, to_ours
from sketchseek.clip.lines import build_lines
from sketchseek.clip.lite import MODEL_TYPE, LiteStem, build_lite
from sketchseek.clip.preparation import preprocessing_of
from sketchseek.clip.siglip import build_siglip, siglip_config
from sketchseek.clip.texts import TextTokenizer
from sketchseek.clip.towers import ImageTower, TextTower
from sketchseek.errors import SketchseekError
from sketchseek.hub.files import BackboneFiles
from sketchseek.hub.find import find_backbone
from sketchseek.hub.tokenizers import padding_token, siglip_cleaning
from sketchseek.pictures import Preprocessing
from sketchseek.wording import shown

__all__ = ["load_backbone", "read_backbone"]

MAX_NUMBER = 2**24  # in the config of a lite backbone: no width, vocabulary or number of layers is larger


def load_backbone(name_or_path: str | Path, *, trust_pickle: bool = False) -> Backbone:
    """The backbone with this name or path, frozen, on the CPU, for a method to adapt."""
    return read_backbone(find_backbone(name_or_path, trust_pickle=trust_pickle))


def read_backbone(files: BackboneFiles) -> Backbone:
    """The backbone in these files."""
    state: dict[str, Tensor] = {}
    for path in files.weights:
        state |= _read_tensors(path, pickled=files.pickled)
    if empty := next((name for name, tensor in state.items() if not tensor.numel()), None):
        raise SketchseekError(f"{files.weights[0]}: the tensor {empty[:60]} has no numbers: download it again")
    if files.settings.get("model_type") == MODEL_TYPE:
        return _read_lite(files, files.settings, state)
    try:
        ours = to_ours(state)
    except ValueError as error:
        raise SketchseekError(f"{files.weights[0]} is no CLIP: {error}") from None
    config = _config(files, state, ours)
    _check_layers(files, config, ours)
    text_config: Any = config.text_config
    tokenizer = TextTokenizer(
        files.tokenizer,
        context=text_config.max_position_embeddings,
        vocabulary=text_config.vocab_size,
        cleaning=siglip_cleaning(files.tokenizer) if isinstance(config, SiglipConfig) else "as they are",
    )
    # On "meta" nothing is allocated or initialised: the tensors of the files are assigned below.
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensors without numbers, which are refused below
        try:
            image, text = _build(files, config)
        # An unknown activation, absurd sizes: each part has its own errors.
        except (RuntimeError, KeyError, TypeError, ValueError, ArithmeticError, AssertionError) as error:
            raise SketchseekError(f"{files.config} does not describe a CLIP or SigLIP: {_reason(error)}") from None
    if tokenizer.first != text.first:
        raise SketchseekError(
            f"{files.tokenizer} puts {tokenizer.first} tokens before a text, but these weights expect {text.first}:"
            " they do not belong together"
        )
    photos, sketches = preprocessing_of(files, side=image.side)
    with torch.device("meta"):
        try:
            backbone = Backbone(image, text, tokenizer, photos=photos, sketches=sketches)
        except ValueError as error:
            raise SketchseekError(f"{files.config}: {error}") from None
    _check_tensors(files, backbone, ours)
    backbone.load_state_dict({name: tensor.float() for name, tensor in ours.items()}, assign=True)
    # A buffer that checkpoints do not contain.
    image.stem.position_ids = torch.arange(image.first + image.grid**2).expand(1, -1)
    return backbone.requires_grad_(False).eval()


def _build(files: BackboneFiles, config: CLIPConfig | SiglipConfig) -> tuple[ImageTower, TextTower]:
    if isinstance(config, CLIPConfig):
        return build_clip(config)
    if files.preprocessor is None:  # without it, pictures would be prepared as for CLIP
        raise SketchseekError(f"{files.folder / 'preprocessor_config.json'} is missing: download it with the weights")
    padding = padding_token(files.tokenizer)
    if padding is None:
        raise SketchseekError(
            f"{files.tokenizer.with_name('tokenizer_config.json')} does not say which token pads a text (pad_token):"
            " download it with the weights"
        )
    text_config: Any = config.text_config
    if not 0 <= padding < text_config.vocab_size:
        raise SketchseekError(
            f"{files.tokenizer} pads texts with the token {padding}, but the weights have tokens 0 to"
            f" {text_config.vocab_size - 1}: they do not belong together"
        )
    return build_siglip(config, padding)


def _read_lite(files: BackboneFiles, config: dict[str, Any], state: Mapping[str, Tensor]) -> Backbone:
    """Our own small backbone: its tensors already have our names, and its config holds preprocessing records."""
    try:
        _check_lite(config, state)
        with torch.device("meta"):
            image, text = build_lite(config)
            lines = build_lines(config, cast(LiteStem, image.stem))
        tokenizer = TextTokenizer(files.tokenizer, context=text.context, vocabulary=text.words.num_embeddings)
        records = config["preprocessing"]
        photos, sketches = (_record(files, records[name]) for name in ("photos", "sketches"))
    except (KeyError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise SketchseekError(f"{files.config} does not describe a lite backbone: {_reason(error)}") from None
    with torch.device("meta"):
        backbone = Backbone(image, text, tokenizer, photos=photos, sketches=sketches, lines=lines)
    _check_tensors(files, backbone, state)
    backbone.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    return backbone.requires_grad_(False).eval()


def _record(files: BackboneFiles, written: Any) -> Preprocessing:
    try:
        return Preprocessing.from_json(written)
    except SketchseekError as error:
        raise SketchseekError(f"{files.config}: {error}") from None


def _check_lite(config: dict[str, Any], state: Mapping[str, Tensor]) -> None:
    """Before layers are built: a ``ValueError`` for a number that no backbone has, or that contradicts the weights."""
    for tower, layers in zip(("image", "text"), layer_counts(state), strict=True):
        if not isinstance(config[tower], dict):
            raise ValueError(f"{tower} is {str(config[tower])[:40]}, but must be an object")
        for name, value in config[tower].items():
            if name != "stem" and (type(value) is not int or not 0 < value <= MAX_NUMBER):
                raise ValueError(f"{name} is {str(value)[:40]}, but must be a whole number from 1 to {MAX_NUMBER:,}")
        if config[tower]["layers"] != layers:
            raise ValueError(f"{tower}: {config[tower]['layers']} layers, but the weights have {layers}")


def _read_tensors(path: Path, *, pickled: bool) -> dict[str, Tensor]:
    try:
        return _unpickle(path) if pickled else load_file(path)
    except OSError as error:
        raise SketchseekError(f"{path} cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise SketchseekError(f"{path} is damaged or incomplete: download it again ({_reason(error)})") from None


def _unpickle(path: Path) -> dict[str, Tensor]:
    """The state dict in a pickle, read without running code from it."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                    raise SketchseekError(
                        f"{path} is a TorchScript program, which cannot be opened without running it:"
                        " use the same weights as safetensors (openai/clip-vit-...), or save its state dict elsewhere"
                    )
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (SketchseekError, OSError):
        raise
    except Exception as error:  # damaged pickles and archives raise all kinds of errors
        reason = " ".join(str(error).split(maxsplit=60)[:60]) or type(error).__name__
        raise SketchseekError(f"{path} contains more than plain tensors, or is damaged ({reason})") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise SketchseekError(f"{path} does not contain a state dict (tensors by name)")
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def _config(files: BackboneFiles, state: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> CLIPConfig | SiglipConfig:
    written: dict[str, Any] = files.settings
    try:
        if not is_openai(state):
            return _transformers_config(files, written)
        if "model_cfg" in written:
            return _open_clip_config(written["model_cfg"], ours)
        if "input_resolution" in state:  # only OpenAI's own archives contain it, and those all use QuickGELU
            return config_from_shapes(ours, activation="quick_gelu")
    except SketchseekError:
        raise
    except Exception as error:  # transformers' validation raises its own errors
        where = files.config or files.weights[0]
        raise SketchseekError(f"{where} does not describe a CLIP or SigLIP: {_reason(error)}") from None
    raise SketchseekError(
        f"{files.weights[0]} does not say whether its layers use GELU or QuickGELU:"
        " put the open_clip_config.json of these weights in the same folder"
    )


def _reason(error: Exception) -> str:
    """The text of an error on one line, cut off: some quote the file."""
    return " ".join(str(error).split())[:200]


def _transformers_config(files: BackboneFiles, written: dict[str, Any]) -> CLIPConfig | SiglipConfig:
    if files.config is None:
        raise SketchseekError(f"{files.weights[0].parent / 'config.json'} is missing")
    kind: Any = written.get("model_type")
    if kind not in ("clip", "siglip"):
        raise SketchseekError(
            f"{files.config} describes a model of type {repr(kind)[:60]}; only 'clip' and 'siglip' are supported"
        )
    config = CLIPConfig.from_dict(written) if kind == "clip" else siglip_config(written)
    vision: Any = config.vision_config
    for key, value in (("image_size", vision.image_size), ("patch_size", vision.patch_size)):
        if type(value) is not int or value < 1:
            raise SketchseekError(f"{files.config}: {key} is {repr(value)[:60]}, but must be a positive whole number")
    if vision.num_channels != 3:
        raise SketchseekError(f"{files.config}: {vision.num_channels} colour channels, but only 3 are supported")
    return config


def _open_clip_config(model: Any, ours: Mapping[str, Tensor]) -> CLIPConfig:
    return config_from_shapes(
        ours,
        activation="quick_gelu" if model.get("quick_gelu", False) else "gelu",
        image_head_width=int(model["vision_cfg"].get("head_width", 64)),
        text_heads=int(model["text_cfg"]["heads"]),
    )


def _check_layers(files: BackboneFiles, config: CLIPConfig | SiglipConfig, ours: Mapping[str, Tensor]) -> None:
    found = layer_counts(ours)
    vision, text = cast(Any, config.vision_config), cast(Any, config.text_config)
    expected = (vision.num_hidden_layers, text.num_hidden_layers)
    if found != expected:
        raise SketchseekError(
            f"{files.weights[0]} contains {found[0]} image and {found[1]} text layers,"
            f" but {files.config} says {shown(str(expected[0]), 20)} and {shown(str(expected[1]), 20)}"
        )


def _check_tensors(files: BackboneFiles, backbone: Backbone, ours: Mapping[str, Tensor]) -> None:
    expected = backbone.state_dict()
    where = files.weights[0] if len(files.weights) == 1 else files.weights[0].parent
    if missing := sorted(expected.keys() - ours.keys()):
        raise SketchseekError(f"{where} lacks {len(missing)} of {len(expected)} tensors, such as {missing[0]}")
    if unknown := sorted(ours.keys() - expected.keys()):
        raise SketchseekError(
            f"{where} contains {len(unknown)} tensors that such a backbone does not have, such as {unknown[0]}"
        )
    for name, tensor in expected.items():
        if ours[name].shape != tensor.shape:
            raise SketchseekError(
                f"{where}: {name} has shape {tuple(ours[name].shape)}, but {tuple(tensor.shape)} is required"
            )
        if not ours[name].is_floating_point() or not torch.isfinite(ours[name]).all():
            raise SketchseekError(f"{where}: {name} contains values that are not finite floats: download it again")
