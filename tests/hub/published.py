"""Folders of random weights in each layout that models are published in, made without torch.

``MAKERS``: family -> function that fills a folder as its repository on the hub is filled.
"""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, PATCH = 64, 16
CONTEXT, WORDS, SIZE = 77, 520, 16  # of a text in tokens, of the vocabulary, of a vector
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
Tensors = dict[str, NDArray[Any]]


class Random:
    """Tensors with numbers of a useful size, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.numbers = np.random.default_rng(seed)

    def matrix(self, *shape: int) -> NDArray[np.float32]:
        scale = float(np.prod(shape[1:])) ** -0.5
        return np.asarray(self.numbers.standard_normal(shape) * scale, np.float32)

    def linear(self, name: str, out: int, inside: int) -> Tensors:
        return {f"{name}.weight": self.matrix(out, inside), f"{name}.bias": self.matrix(out, 100)[:, 0]}

    def norm(self, name: str, width: int) -> Tensors:
        return {f"{name}.weight": 1 + self.matrix(width, 100)[:, 0], f"{name}.bias": self.matrix(width, 100)[:, 0]}


def save(path: Path, tensors: Tensors) -> None:
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.array(tensor, order="C") for name, tensor in tensors.items()}, path)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def tokenizer(path: Path, *, ends: tuple[str, str] = ("<|startoftext|>", "<|endoftext|>")) -> None:
    """Byte-level BPE with CLIP's two special tokens as the last ones."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)][: WORDS - 2]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, [], end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.add_special_tokens([AddedToken(token, special=True) for token in ends])
    start, end = ((token, made.get_vocab()[token]) for token in ends)
    made.post_processor = processors.RobertaProcessing(end, start, trim_offsets=False, add_prefix_space=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(path))


def encoder_layers(random: Random, name: str, width: int, depth: int) -> Tensors:
    """The layers of one of transformers' towers, with a random matrix everywhere."""
    found: Tensors = {}
    for layer in range(depth):
        at = f"{name}.encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= random.linear(f"{at}.self_attn.{part}", width, width)
        found |= random.norm(f"{at}.layer_norm1", width) | random.norm(f"{at}.layer_norm2", width)
        found |= random.linear(f"{at}.mlp.fc1", 2 * width, width) | random.linear(f"{at}.mlp.fc2", width, 2 * width)
    return found


def clip(folder: Path, *, width: int = 32, depth: int = 2, seed: int = 1, side: int = SIDE, words: int = WORDS) -> None:
    """As openai/clip-vit-base-patch32, MetaCLIP and TinyCLIP: transformers' CLIPModel."""
    random, mlp = Random(seed), 2 * width

    image, text = "vision_model", "text_model"
    tensors = {
        f"{image}.embeddings.class_embedding": random.matrix(width, 1)[:, 0],
        f"{image}.embeddings.patch_embedding.weight": random.matrix(width, 3, PATCH, PATCH),
        f"{image}.embeddings.position_embedding.weight": random.matrix((side // PATCH) ** 2 + 1, width),
        f"{text}.embeddings.token_embedding.weight": random.matrix(words, width),
        f"{text}.embeddings.position_embedding.weight": random.matrix(CONTEXT, width),
        "visual_projection.weight": random.matrix(SIZE, width),
        "text_projection.weight": random.matrix(SIZE, width),
        "logit_scale": np.float32(4.6),
        **encoder_layers(random, image, width, depth),
        **encoder_layers(random, text, width, depth),
        **random.norm(f"{image}.pre_layrnorm", width),
        **random.norm(f"{image}.post_layernorm", width),
        **random.norm(f"{text}.final_layer_norm", width),
    }
    save(folder / "model.safetensors", {name: np.asarray(tensor) for name, tensor in tensors.items()})
    tower = {"hidden_size": width, "intermediate_size": mlp, "num_hidden_layers": depth, "num_attention_heads": 2}
    write_json(
        folder / "config.json",
        {
            "model_type": "clip",
            "projection_dim": SIZE,
            "vision_config": {**tower, "image_size": side, "patch_size": PATCH, "hidden_act": "quick_gelu"},
            "text_config": {
                **tower,
                "vocab_size": words,
                "max_position_embeddings": CONTEXT,
                "hidden_act": "quick_gelu",
            },
        },
    )
    tokenizer(folder / "tokenizer.json")
    write_json(
        folder / "preprocessor_config.json",
        {"crop_size": side, "size": side, "resample": 3, "image_mean": MEAN, "image_std": STD, "do_center_crop": True},
    )


def open_clip(folder: Path, *, width: int = 32, depth: int = 2, seed: int = 2) -> None:
    """As laion/CLIP-ViT-B-32-laion2B-s34B-b79K and DataComp's: open_clip's names and config."""
    random, mlp = Random(seed), 2 * width

    def layers(name: str) -> Tensors:
        found: Tensors = {}
        for layer in range(depth):
            at = f"{name}.resblocks.{layer}"
            found |= {
                f"{at}.attn.in_proj_weight": random.matrix(3 * width, width),
                f"{at}.attn.in_proj_bias": random.matrix(3 * width, 100)[:, 0],
                **random.linear(f"{at}.attn.out_proj", width, width),
                **random.norm(f"{at}.ln_1", width),
                **random.norm(f"{at}.ln_2", width),
                **random.linear(f"{at}.mlp.c_fc", mlp, width),
                **random.linear(f"{at}.mlp.c_proj", width, mlp),
            }
        return found

    save(
        folder / "open_clip_model.safetensors",
        {
            "visual.class_embedding": random.matrix(width, 1)[:, 0],
            "visual.conv1.weight": random.matrix(width, 3, PATCH, PATCH),
            "visual.positional_embedding": random.matrix((SIDE // PATCH) ** 2 + 1, width),
            "visual.proj": random.matrix(width, SIZE),
            "token_embedding.weight": random.matrix(WORDS, width),
            "positional_embedding": random.matrix(CONTEXT, width),
            "text_projection": random.matrix(width, SIZE),
            "logit_scale": np.array(4.6, np.float32),
            **layers("visual.transformer"),
            **layers("transformer"),
            **random.norm("visual.ln_pre", width),
            **random.norm("visual.ln_post", width),
            **random.norm("ln_final", width),
        },
    )
    write_json(
        folder / "open_clip_config.json",
        {
            "model_cfg": {
                "embed_dim": SIZE,
                "vision_cfg": {
                    "image_size": SIDE,
                    "layers": depth,
                    "width": width,
                    "patch_size": PATCH,
                    "head_width": width // 2,
                },
                "text_cfg": {
                    "context_length": CONTEXT,
                    "vocab_size": WORDS,
                    "width": width,
                    "heads": 2,
                    "layers": depth,
                },
            },
            "preprocess_cfg": {"mean": MEAN, "std": STD},
        },
    )
    tokenizer(folder / "tokenizer.json")


def siglip(folder: Path) -> None:
    """As google/siglip-base-patch16-224: transformers' SiglipModel with a tokenizer of pieces of words."""
    _siglip(folder, seed=10)
    _unigram(folder / "tokenizer.json")
    write_json(folder / "tokenizer_config.json", {"pad_token": "</s>", "eos_token": "</s>"})


def siglip2(folder: Path, *, width: int = 32, depth: int = 2, words: int = WORDS) -> None:
    """As google/siglip2-base-patch16-224: the same model with Gemma's tokenizer."""
    _siglip(folder, width=width, depth=depth, words=words)
    _gemma(folder / "tokenizer.json")
    write_json(folder / "tokenizer_config.json", {"pad_token": "<pad>", "eos_token": "<eos>", "padding_side": "right"})


def _siglip(folder: Path, *, width: int = 32, depth: int = 2, seed: int = 3, words: int = WORDS) -> None:
    """Weights with a pooling head, config and preprocessing."""
    random, mlp = Random(seed), 2 * width

    image, text = "vision_model", "text_model"
    save(
        folder / "model.safetensors",
        {
            f"{image}.embeddings.patch_embedding.weight": random.matrix(width, 3, PATCH, PATCH),
            f"{image}.embeddings.patch_embedding.bias": random.matrix(width, 100)[:, 0],
            f"{image}.embeddings.position_embedding.weight": random.matrix((SIDE // PATCH) ** 2, width),
            f"{image}.head.probe": random.matrix(1, 1, width),
            f"{image}.head.attention.in_proj_weight": random.matrix(3 * width, width),
            f"{image}.head.attention.in_proj_bias": random.matrix(3 * width, 100)[:, 0],
            **random.linear(f"{image}.head.attention.out_proj", width, width),
            **random.norm(f"{image}.head.layernorm", width),
            **random.linear(f"{image}.head.mlp.fc1", mlp, width),
            **random.linear(f"{image}.head.mlp.fc2", width, mlp),
            **random.norm(f"{image}.post_layernorm", width),
            f"{text}.embeddings.token_embedding.weight": random.matrix(words, width),
            f"{text}.embeddings.position_embedding.weight": random.matrix(CONTEXT, width),
            **random.norm(f"{text}.final_layer_norm", width),
            **random.linear(f"{text}.head", width, width),
            **encoder_layers(random, image, width, depth),
            **encoder_layers(random, text, width, depth),
            "logit_scale": np.array([4.7], np.float32),
            "logit_bias": np.array([-16.0], np.float32),
        },
    )
    tower = {"hidden_size": width, "intermediate_size": mlp, "num_hidden_layers": depth, "num_attention_heads": 2}
    write_json(
        folder / "config.json",
        {
            "model_type": "siglip",
            "vision_config": {**tower, "image_size": SIDE, "patch_size": PATCH},
            "text_config": {**tower, "vocab_size": words, "max_position_embeddings": CONTEXT},
        },
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "do_resize": True,
            "size": {"height": SIDE, "width": SIDE},
            "resample": 2,
            "do_center_crop": False,
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
        },
    )


def _unigram(path: Path) -> None:
    """Letters and a few words with scores, as sentencepiece's; one end token, which also pads."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -4.0), ("▁a", -2.0), ("▁cat", -2.5)]
    pieces += [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    made = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.add_special_tokens([AddedToken("</s>", special=True)])
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    made.save(str(path))


def _gemma(path: Path) -> None:
    """BPE over characters with an end token, as Gemma's; words of any language are letters or bytes of it."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    tokens = [*specials, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyzäöüéñ"]
    made = Tokenizer(
        models.BPE({token: number for number, token in enumerate(tokens)}, [], byte_fallback=True, unk_token="<unk>")
    )
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.add_special_tokens([AddedToken(token, special=True) for token in specials])
    made.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    made.save(str(path))


def _graph_of_pictures(path: Path, name_in: str, name_out: str, seed: int, hidden: tuple[int, ...] = ()) -> None:
    """Mean of each patch -> a vector: as simple as a picture tower can be, and different for each picture.

    ``hidden``: widths of more layers between the two.
    """
    from onnx import TensorProto, helper, numpy_helper, save_model

    random = Random(seed)
    widths = ((SIDE // PATCH) ** 2 * 3, *hidden, SIZE)
    values = ["flat", *(f"values {layer}" for layer in range(len(hidden))), name_out]
    weights = [
        numpy_helper.from_array(random.matrix(*widths[layer : layer + 2]), f"weight {layer}")
        for layer in range(len(widths) - 1)
    ]
    nodes = [
        helper.make_node("AveragePool", [name_in], ["cells"], kernel_shape=[PATCH, PATCH], strides=[PATCH, PATCH]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        *(
            helper.make_node("MatMul", [values[layer], weight.name], [values[layer + 1]])
            for layer, weight in enumerate(weights)
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "pictures",
        [helper.make_tensor_value_info(name_in, TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(name_out, TensorProto.FLOAT, ["batch", SIZE])],
        weights,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def _graph_of_texts(
    path: Path, name_in: str, name_out: str, kind: Any, context: int | str, seed: int, words: int = WORDS
) -> None:
    """Mean of the vectors of the tokens."""
    from onnx import TensorProto, helper, numpy_helper, save_model

    nodes = [
        helper.make_node("Gather", ["words", name_in], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], [name_out], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "texts",
        [helper.make_tensor_value_info(name_in, kind, ["batch", context])],
        [helper.make_tensor_value_info(name_out, TensorProto.FLOAT, ["batch", SIZE])],
        [numpy_helper.from_array(Random(seed).matrix(words, SIZE), "words")],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def immich(folder: Path, *, hidden: tuple[int, ...] = (), words: int = WORDS) -> None:
    """As immich-app/...: two graphs with their preprocessing and tokenizer beside them."""
    from onnx import TensorProto

    _graph_of_pictures(folder / "visual" / "model.onnx", "image", "embedding", 4, hidden)
    _graph_of_texts(folder / "textual" / "model.onnx", "text", "embedding", TensorProto.INT32, CONTEXT, 5, words)
    write_json(
        folder / "visual" / "preprocess_cfg.json",
        {
            "size": [SIDE, SIDE],
            "mode": "RGB",
            "mean": MEAN,
            "std": STD,
            "interpolation": "bicubic",
            "resize_mode": "shortest",
            "fill_color": 0,
        },
    )
    write_json(
        folder / "config.json",
        {
            "embed_dim": SIZE,
            "vision_cfg": {"image_size": SIDE, "layers": 2, "width": 32, "patch_size": PATCH},
            "text_cfg": {"context_length": CONTEXT, "vocab_size": WORDS, "width": 32, "heads": 2, "layers": 2},
        },
    )
    tokenizer(folder / "textual" / "tokenizer.json")
    write_json(folder / "textual" / "tokenizer_config.json", {"pad_token": "<|endoftext|>"})


def rclip(folder: Path) -> None:
    """As yurijmikhalevich/rclip-models: a folder with two graphs, and the list of merges of CLIP's own tokenizer."""
    from onnx import TensorProto

    inside = folder / "ViT-B-32-256-datacomp_s34b_b86k"
    _graph_of_pictures(inside / "visual.onnx", "input", "output", 8)
    _graph_of_texts(inside / "textual.onnx", "input", "output", TensorProto.INT64, CONTEXT, 9)
    merges = folder / "tokenizer" / "bpe_simple_vocab_16e6.txt.gz"
    merges.parent.mkdir()
    merges.write_bytes(gzip.compress(b"# version\nc a\nca t</w>\nd o\ndo g</w>"))


def transformers_js(folder: Path) -> None:
    """As Xenova/clip-vit-base-patch32 and onnx-community/...: two graphs in a folder onnx."""
    from onnx import TensorProto

    _graph_of_pictures(folder / "onnx" / "vision_model.onnx", "pixel_values", "image_embeds", 6)
    _graph_of_texts(folder / "onnx" / "text_model.onnx", "input_ids", "text_embeds", TensorProto.INT64, "length", 7)
    write_json(
        folder / "config.json",
        {
            "model_type": "clip",
            "projection_dim": SIZE,
            "vision_config": {"image_size": SIDE, "patch_size": PATCH},
            "text_config": {"max_position_embeddings": CONTEXT, "vocab_size": WORDS},
        },
    )
    tokenizer(folder / "tokenizer.json")
    write_json(folder / "tokenizer_config.json", {"pad_token": "<|endoftext|>"})
    write_json(
        folder / "preprocessor_config.json",
        {
            "crop_size": {"height": SIDE, "width": SIDE},
            "size": {"shortest_edge": SIDE},
            "resample": 3,
            "image_mean": MEAN,
            "image_std": STD,
            "do_center_crop": True,
        },
    )


MAKERS: dict[str, Callable[[Path], None]] = {
    "clip": clip,
    "open_clip": open_clip,
    "siglip": siglip,
    "siglip2": siglip2,
    "immich": immich,
    "rclip": rclip,
    "transformers_js": transformers_js,
}
