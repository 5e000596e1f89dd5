import torch

from sketchseek.methods import class_texts
from sketchseek.methods.class_texts import ClassTexts, class_table, template_mean
from tests.methods.toys import CLASSES


def test_a_row_is_the_text_of_its_class_alone(backbone, monkeypatch):
    whole = class_table(backbone, CLASSES, "a photo of a {}")
    for row, name in zip(whole, ("cat", "dog", "hot air balloon", "giraffe"), strict=True):
        words = backbone.tokens([f"a photo of a {name}"])
        torch.testing.assert_close(row, backbone.text(words.ids, words.ends)[0])
    monkeypatch.setattr(class_texts, "_BATCH", 3)
    torch.testing.assert_close(class_table(backbone, CLASSES, "a photo of a {}"), whole)


def test_mean_over_templates_is_of_unit_vectors_and_none_itself(backbone):
    templates = ("a photo of a {}", "a sketch of a {}")
    rows = [class_table(backbone, ["dog"], template)[0] for template in templates]
    expected = sum(row / torch.linalg.vector_norm(row) for row in rows) / 2
    mean = template_mean(backbone, "dog", templates)
    torch.testing.assert_close(mean, expected)
    assert torch.linalg.vector_norm(mean) < 0.999


def test_a_vowel_takes_another_article(backbone):
    for name, phrase in (("ant", "this is an ant"), ("dog", "this is a dog"), ("Umbrella", "this is an Umbrella")):
        words = backbone.tokens([phrase])
        row = backbone.text(words.ids, words.ends)[0]
        torch.testing.assert_close(template_mean(backbone, name, ["this is a {}"]), row / torch.linalg.vector_norm(row))


def test_the_table_is_computed_once_per_dtype(backbone):
    passes = []
    backbone.text.register_forward_hook(lambda *_: passes.append(1))
    texts = ClassTexts(backbone, CLASSES, "a photo of a {}")
    assert not passes
    assert texts() is texts()
    assert len(passes) == 1
    backbone.double()
    assert texts().dtype == torch.float64
    assert len(passes) == 2


def test_a_table_computed_in_validation_serves_training_at_full_precision(backbone):
    texts = ClassTexts(backbone, CLASSES, "a photo of a {}")
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        table = texts()
    assert table.dtype == torch.float32
    assert not table.requires_grad
    weight = torch.ones_like(table, requires_grad=True)
    (weight * table).sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, class_table(backbone, CLASSES, "a photo of a {}"))
