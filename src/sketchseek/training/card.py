"""The model card of a run folder: what it is, how good, on what, and how to use it."""

from pathlib import Path

from sketchseek.datasets import Dataset
from sketchseek.methods.method import Method
from sketchseek.training.checkpoint import Best
from sketchseek.training.data.material import Material
from sketchseek.training.recipe import Recipe


def model_card(folder: Path, recipe: Recipe, method: Method, dataset: Dataset, material: Material, best: Best) -> str:
    """Markdown for people, with the figures training knows."""
    counts = {group.name: sum(p.numel() for p in group.parameters) for group in method.groups()}
    trained = "\n".join(f"| {name} | {count:,} |" for name, count in counts.items())
    figures = "\n".join(f"| {name} | {value:.4f} |" for name, value in best.values.items())
    judged = (
        f"Chosen after step {best.step} for the best {best.metric} on held-out seen classes ({recipe.validation}); "
        f"no test class had a say.\n\n| validation | |\n|---|---|\n{figures}"
        if best.metric
        else f"The state after step {best.step}, the last one: nothing was held out to choose by."
    )
    classes = ", ".join(material.words)
    return f"""# {recipe.method}, {recipe.setting}, {dataset.name}

An adapter for the backbone `{recipe.backbone}`, trained with sketchseek; `recipe.toml` repeats it. The backbone's own
weights are not in this folder.

{judged}

| trained | parameters |
|---|---|
{trained}

Trained on {len(material.sketches):,} sketches and {len(material.photos):,} photos of {len(material.classes)} classes:
{classes}.

The terms of the dataset and of the backbone hold for this adapter too.

```
sketchseek evaluate --model {folder.name} --data {dataset.name} --protocol {_protocol(recipe)}
sketchseek train --recipe {folder.name}/recipe.toml --out again
```
"""


def _protocol(recipe: Recipe) -> str:
    return "fine-grained" if recipe.setting == "fine-grained" else "zero-shot"
