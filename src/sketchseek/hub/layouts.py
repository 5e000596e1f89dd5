"""Which files of a repository make a model that searching can use: one rule for each way models are published."""

import re
from collections.abc import Collection
from pathlib import PurePosixPath

from sketchseek.errors import SketchseekError

__all__ = ["backbone_files", "files_to_take"]

_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"  # CLIP's own tokenizer, as rclip publishes it


def files_to_take(spec: str, available: Collection[str]) -> list[str]:
    """The names of the files to download; raises an error that says what is missing.

    In this order: a model folder of sketchseek, a run folder, safetensors in Hugging Face's layout or open_clip's, and
    pairs of ONNX graphs as immich, rclip and onnx-community publish them.
    """
    for find in (_model_folder, _run_folder, _safetensors, _immich, _pair, _transformers_js):
        if found := find(spec, available):
            return found
    raise _nothing(spec, available)


def backbone_files(spec: str, available: Collection[str]) -> list[str]:
    """The same for training, which needs safetensors."""
    if found := _safetensors(spec, available):
        return found
    raise _nothing(spec, available)


def _nothing(spec: str, available: Collection[str]) -> SketchseekError:
    if any(name.endswith(_PICKLES) for name in available):
        return SketchseekError(
            f"{spec} has its weights as pickles only, which can run code when they are opened: name a repository with"
            " safetensors or ONNX, or download it yourself and use sketchseek export with --trust-pickle"
        )
    return SketchseekError(
        f"{spec} has no CLIP or SigLIP that sketchseek can read: it needs model.safetensors, or one ONNX graph for"
        " pictures and one for texts"
    )


def _model_folder(_: str, available: Collection[str]) -> list[str]:
    """All files at the top; the record in config.json says which of them count."""
    if not {"config.json", "golden.npz", "tokenizer.json"} <= set(available):
        return []
    return sorted(name for name in available if "/" not in name and not name.startswith("."))


def _run_folder(_: str, available: Collection[str]) -> list[str]:
    needed = ["adapter.safetensors", "recipe.toml"]
    return [*needed, *_present(available, "README.md")] if set(needed) <= set(available) else []


def _safetensors(spec: str, available: Collection[str]) -> list[str]:
    shards = sorted(filter(_SHARD.fullmatch, available))
    if "model.safetensors" in available:
        weights, config = ["model.safetensors"], "config.json"
    elif shards:
        weights, config = [*shards, "model.safetensors.index.json"], "config.json"
    elif "open_clip_model.safetensors" in available:
        weights, config = ["open_clip_model.safetensors"], "open_clip_config.json"
    else:
        return []
    needed = _required(spec, available, *weights, config, "tokenizer.json")
    return [*needed, *_present(available, "preprocessor_config.json", *_TOKENIZERS[1:])]


def _immich(spec: str, available: Collection[str]) -> list[str]:
    graphs = ["visual/model.onnx", "textual/model.onnx"]
    if not set(graphs) <= set(available):
        return []
    needed = _required(spec, available, *graphs, "visual/preprocess_cfg.json", "textual/tokenizer.json")
    return [*needed, *_present(available, "config.json", "textual/tokenizer_config.json")]


def _pair(spec: str, available: Collection[str]) -> list[str]:
    """``visual.onnx`` and ``textual.onnx`` in one folder, with the list of merges of CLIP's tokenizer anywhere."""
    folders = sorted(PurePosixPath(name).parent for name in available if PurePosixPath(name).name == "visual.onnx")
    folder = next((one for one in folders if str(one / "textual.onnx") in available), None)
    if folder is None:
        return []
    beside = {PurePosixPath(name).name: name for name in sorted(available, reverse=True)}
    tokenizer = beside.get(_VOCABULARY)
    if tokenizer is None:
        raise SketchseekError(f"{spec} has no {_VOCABULARY}, the tokenizer of its graphs: name another repository")
    return [str(folder / "visual.onnx"), str(folder / "textual.onnx"), tokenizer]


def _transformers_js(spec: str, available: Collection[str]) -> list[str]:
    graphs = ["onnx/vision_model.onnx", "onnx/text_model.onnx"]
    if not set(graphs) <= set(available):
        return []
    needed = _required(spec, available, *graphs, "config.json", "tokenizer.json", "preprocessor_config.json")
    return [*needed, *_present(available, *_TOKENIZERS[1:])]


def _required(spec: str, available: Collection[str], *names: str) -> list[str]:
    if missing := [name for name in names if name not in available]:
        raise SketchseekError(f"{spec} has no {missing[0]}, which a model needs: name another repository")
    return list(names)


def _present(available: Collection[str], *names: str) -> list[str]:
    return [name for name in names if name in available]
