"""What a method is: a frozen backbone, what a paper adds to it, and the losses that train the addition."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import Tensor, nn

from sketchseek.errors import SketchseekError

if TYPE_CHECKING:
    from sketchseek.clip.backbone import Backbone

Modality = Literal["sketch", "photo"]
Setting = Literal["category", "fine-grained"]
EncodeFunction = Callable[[Tensor, Modality], Tensor]  # as ``Method.encode``


@dataclass(frozen=True)
class Batch:
    """n triplets: a sketch, a right photo, a wrong one. Pixels are model input, float (n, 3, side, side).

    Category level: the positive is any photo of the sketch's class, the negative one of another class.
    Fine-grained: the positive is the photo the sketch draws, the negative another photo of the same class.
    """

    sketches: Tensor
    positives: Tensor
    negatives: Tensor
    labels: Tensor  # (n,) class of sketch and positive, a row of ``Method.classes``
    negative_labels: Tensor  # (n,)
    instances: Tensor  # (n,) equal where the positives are the same photo
    negative_instances: Tensor  # (n,)


@dataclass(frozen=True)
class Clock:
    """How far the training is."""

    epoch: int  # from 0
    step: int  # from 0, over all epochs
    steps: int  # in all


@dataclass(frozen=True)
class BatchPlan:
    """How a method wants its batches composed; ``per_class`` is for ``pk`` alone."""

    kind: Literal["shuffled", "pk", "category-pure"]
    per_class: int = 0


@dataclass(frozen=True)
class Augmentation:
    """Chances of random changes to training pictures; each is drawn per triplet."""

    flip: float = 0.0  # sketch and positive together
    rotate: float = 0.0  # sketch and positive together, within +-30 degrees, filled with white
    grayscale: float = 0.0  # each photo on its own


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate."""

    name: str
    parameters: tuple[nn.Parameter, ...]
    lr: float


class Method(nn.Module, ABC):
    """Base of every method: everything is frozen until a method names what it trains (``groups``).

    Every method is built by the same call, ``SomeMethod(backbone, classes, setting, options)``, with random values
    drawn from torch's global generator. What a training step changes is a parameter of ``groups`` or a buffer that
    is in ``state_dict``: nothing else survives an interruption. A step draws from torch's global generator.
    """

    name: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]]
    options_type: ClassVar[type]  # a frozen dataclass: every free choice of the paper is a field of it
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # of a method in another package, as in training/presets

    def __init__(self, backbone: "Backbone", classes: Sequence[str], setting: Setting, options: Any) -> None:
        super().__init__()
        if setting not in self.settings:
            raise SketchseekError(f"{self.name} has no setting {setting!r}: choose {' or '.join(self.settings)}")
        self.backbone = backbone.requires_grad_(False)
        self.classes = tuple(classes)  # seen classes in the words of a prompt; labels of a batch are their rows
        self.setting = setting
        self.options = options

    @property
    def size(self) -> int:
        """Width of an embedding."""
        return self.backbone.size

    @abstractmethod
    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """Model input (n, 3, side, side) -> embeddings (n, size), not normalised. A row never depends on the others."""

    def head(self, whole: Tensor) -> Tensor:
        """Embeddings as the image tower projects them (n, backbone's size) -> the method's (n, size).

        What a method makes of a token on its own, CLS or a patch: nothing, unless it says otherwise.
        """
        return whole

    def support(self) -> tuple[int, int] | None:
        """How many sketches and photos of a category ``for_category`` wants; None where ``encode`` needs none."""
        return None

    def for_category(self, name: str, sketches: Tensor, photos: Tensor) -> EncodeFunction:
        """``encode`` for pictures of one category: its name in words, and support pictures as model input."""
        return self.encode

    def why_not_exported(self) -> str | None:
        """Why no graph can hold ``encode``, and what to change; None where one can."""
        if self.support() is not None:
            return "must see pictures of a category before it encodes any: train with the setting category"
        return None

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Phrases, as they are -> embeddings (n, size), not normalised: CLIP's own, unless a method trains words."""
        words = self.backbone.tokens(texts)
        embeddings: Tensor = self.backbone.text(words.ids, words.ends)
        return embeddings

    @abstractmethod
    def losses(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Scalars by name, weighted already: their sum is what training minimises."""

    @abstractmethod
    def groups(self) -> list[Group]:
        """What is trained, and how fast; every other parameter stays as it came."""

    @abstractmethod
    def batch_plan(self) -> BatchPlan:
        """How batches are composed."""

    def augmentation(self) -> Augmentation:
        """What the paper does to training pictures; nothing, unless a method says otherwise."""
        return Augmentation()

    def adapter(self) -> dict[str, Tensor]:
        """What training changed, by name: the parameters of ``groups`` and every buffer of the method's own."""
        trained = {id(parameter) for group in self.groups() for parameter in group.parameters}
        changed = {name: p.detach() for name, p in self.named_parameters() if id(p) in trained}
        own = {
            name: b
            for name, b in self.named_buffers()
            if name in self.state_dict() and not name.startswith("backbone.")
        }
        return changed | own

    def load_adapter(self, tensors: dict[str, Tensor]) -> None:
        """Put back what ``adapter`` gave; a wrong set of names or a wrong shape raises an error."""
        here = self.adapter()
        if here.keys() != tensors.keys():
            raise KeyError(", ".join(sorted(here.keys() ^ tensors.keys())))
        for name, tensor in tensors.items():
            if here[name].shape != tensor.shape:
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}, not {tuple(here[name].shape)}")
            here[name].copy_(tensor)
