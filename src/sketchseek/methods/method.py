"""The base class of methods: a frozen backbone, what a paper adds to it, and the losses that train the addition."""

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
    """n triplets of a sketch, a right photo and a wrong one. Pixels are model input, float (n, 3, side, side).

    Category level: the positive is any photo of the sketch's class, the negative is of another class.
    Fine-grained: the positive is the photo that the sketch shows, the negative another photo of the same class.
    """

    sketches: Tensor
    positives: Tensor
    negatives: Tensor
    labels: Tensor  # (n,) class of sketch and positive, a row of ``Method.classes``
    negative_labels: Tensor  # (n,)
    instances: Tensor  # (n,) equal for positives that are the same photo
    negative_instances: Tensor  # (n,)


@dataclass(frozen=True)
class Clock:
    """The progress of the training."""

    epoch: int  # from 0
    step: int  # from 0, over all epochs
    steps: int  # in all


@dataclass(frozen=True)
class BatchPlan:
    """How a method's batches are composed; ``per_class`` is only for ``pk``."""

    kind: Literal["shuffled", "pk", "category-pure"]
    per_class: int = 0


@dataclass(frozen=True)
class Augmentation:
    """Probabilities of random changes to training pictures, drawn per triplet."""

    flip: float = 0.0  # sketch and positive together
    rotate: float = 0.0  # sketch and positive together, within +-30 degrees, filled with white
    grayscale: float = 0.0  # both photos together


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate."""

    name: str
    parameters: tuple[nn.Parameter, ...]
    lr: float


class Method(nn.Module, ABC):
    """Base class of every method: everything is frozen except what ``groups`` names.

    Every method is built as ``SomeMethod(backbone, classes, setting, options)``. Whatever a training step changes must
    be a parameter in ``groups`` or a buffer in ``state_dict``: only these are saved. Initialisation and training steps
    draw random values from torch's global generator, which is seeded for them.
    """

    name: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ("category", "fine-grained")
    options_type: ClassVar[type]  # a frozen dataclass: every free choice of the paper is a field of it
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # of a method in another package, as in training/presets

    def __init__(self, backbone: "Backbone", classes: Sequence[str], setting: Setting, options: Any) -> None:
        super().__init__()
        if setting not in self.settings:
            raise SketchseekError(f"{self.name} has no setting {setting!r}: choose {' or '.join(self.settings)}")
        self.backbone = backbone.requires_grad_(False)
        self.classes = tuple(classes)  # names of the seen classes for prompts; a label is an index into them
        self.setting = setting
        self.options = options

    @property
    def size(self) -> int:
        """Width of an embedding."""
        return self.backbone.size

    @abstractmethod
    def encode(self, pixels: Tensor, modality: Modality) -> Tensor:
        """Model input (n, 3, side, side) -> embeddings (n, size), not normalised. A row never depends on the others."""

    def head(self, plain: Tensor) -> Tensor:
        """Embeddings from the image tower's projection (n, backbone's size) -> the method's (n, size).

        Applied to single tokens, CLS or a patch; by default the identity.
        """
        return plain

    def support(self) -> tuple[int, int] | None:
        """The numbers of sketches and photos that ``for_category`` requires; None if ``encode`` needs no category."""
        return None

    def for_category(self, name: str, sketches: Tensor, photos: Tensor) -> EncodeFunction:
        """``encode`` for pictures of one category: its name in words, and support pictures as model input."""
        return self.encode

    def fix_category(self, name: str, sketches: Tensor, photos: Tensor) -> None:
        """Encode pictures of one category from now on, so that ``encode`` needs no more support; as an export does."""
        encode = self.for_category(name, sketches, photos)
        self.encode = encode  # type: ignore[method-assign, assignment]
        self.support = lambda: None  # type: ignore[method-assign]

    def why_not_exported(self) -> str | None:
        """Why no graph can hold ``encode``, and what to change; None where one can."""
        if self.support() is not None:
            return (
                "must see pictures of a category before it encodes any: export it for one with --category and --support"
            )
        return None

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Texts, unchanged -> embeddings (n, size), not normalised; CLIP's own by default."""
        tokens = self.backbone.tokens(texts)
        embeddings: Tensor = self.backbone.text(tokens.ids, tokens.ends)
        return embeddings

    @abstractmethod
    def losses(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Scalars by name, already weighted; training minimises their sum."""

    @abstractmethod
    def groups(self) -> list[Group]:
        """The trained parameters and their learning rates; all others stay frozen."""

    def batch_plan(self) -> BatchPlan:
        """How batches are composed; by default any batch is fine."""
        return BatchPlan("shuffled")

    def augmentation(self) -> Augmentation:
        """The paper's random changes to training pictures; none by default."""
        return Augmentation()

    def adapter(self) -> dict[str, Tensor]:
        """The trained tensors by name: the parameters in ``groups`` and the method's own buffers."""
        trained = {id(parameter) for group in self.groups() for parameter in group.parameters}
        changed = {name: p.detach() for name, p in self.named_parameters() if id(p) in trained}
        own = {
            name: b
            for name, b in self.named_buffers()
            if name in self.state_dict() and not name.startswith("backbone.")
        }
        return changed | own

    def load_adapter(self, tensors: dict[str, Tensor]) -> None:
        """Restore tensors from ``adapter``; KeyError for wrong names, ValueError for a wrong shape."""
        own = self.adapter()
        if own.keys() != tensors.keys():
            raise KeyError(", ".join(sorted(own.keys() ^ tensors.keys())))
        for name, tensor in tensors.items():
            if own[name].shape != tensor.shape:
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}, not {tuple(own[name].shape)}")
            own[name].copy_(tensor)
