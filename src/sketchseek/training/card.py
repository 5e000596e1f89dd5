"""The model card of a run folder: what it is, how good it is, what it was trained on and how to use it."""

from pathlib import Path

from sketchseek.datasets import Dataset
from sketchseek.methods.method import Method
from sketchseek.training.checkpoint import Best
from sketchseek.training.data.material import Material
from sketchseek.training.recipe import Recipe


def model_card(folder: Path, recipe: Recipe, method: Method, dataset: Dataset, material: Material, best: Best) -> str:
    """The card as Markdown, with the figures that training knows."""
    counts = {group.name: sum(p.numel() for p in group.parameters) for group in method.groups()}
    trained = "\n".join(f"| {name} | {count:,} |" for name, count in counts.items())
    figures = "\n".join(f"| {name} | {value:.4f} |" for name, value in best.values.items())
    selection = (
        f"The state after step {best.step}, which had the best {best.metric} on held-out seen classes "
        f"({recipe.validation}); no test class was used.\n\n| validation | |\n|---|---|\n{figures}"
        if best.metric
        else f"The state after step {best.step}, the last one: no classes were held out for validation."
    )
    classes = ", ".join(material.class_names)
    return f"""# {recipe.method}, {recipe.setting}, {dataset.name}

An adapter for the backbone `{recipe.backbone}`, trained with sketchseek; `recipe.toml` reproduces it. The backbone's
own weights are not in this folder.

{selection}

| trained | parameters |
|---|---|
{trained}

Trained on {len(material.sketches):,} sketches and {len(material.photos):,} photos of {len(material.classes)} classes:
{classes}.

The licences of the dataset and of the backbone apply to this adapter too.

```
sketchseek evaluate --model {folder.name} --data {dataset.name} --protocol {_protocol(recipe)}
sketchseek train --recipe {folder.name}/recipe.toml --out again
```
"""


def _protocol(recipe: Recipe) -> str:
    return "fine-grained" if recipe.setting == "fine-grained" else "zero-shot"
