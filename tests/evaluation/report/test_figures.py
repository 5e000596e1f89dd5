import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from sketchseek.datasets import Dataset, open_dataset
from sketchseek.errors import SketchseekError
from sketchseek.evaluation.evaluate import Options, evaluate
from sketchseek.evaluation.protocols import ProtocolOptions
from sketchseek.evaluation.report.figures import write_figures
from sketchseek.evaluation.subset import parse_subset
from sketchseek.evaluation.vectors.cache import VectorCache
from tests.evaluation.edges import EdgeModel
from tests.evaluation.trees import make_tree


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(make_tree(tmp_path_factory.mktemp("data"), ["bat", "cow"], photos=3, sketches=3, extended=1))


def run(dataset, setting):
    with VectorCache(None, pytest.fail) as cache:
        return evaluate(EdgeModel(), dataset, setting, cache, Options(resamples=0), lambda *said: None)


@pytest.mark.parametrize(
    ("protocol", "names"),
    [
        ("zero-shot", {"per-class", "lists", "precision-recall", "confusion"}),
        ("fine-grained", {"per-class", "lists", "ranks"}),
    ],
)
def test_every_figure_as_png_and_svg(dataset, protocol, names, tmp_path: Path) -> None:
    written = write_figures(run(dataset, ProtocolOptions(protocol, "all")), tmp_path / "new" / "folder")
    assert {path.name for path in written} == {f"{name}{suffix}" for name in names for suffix in (".png", ".svg")}
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert min(image.size) > 100
                colours = image.convert("RGB").getcolors(1 << 24)
                assert colours is not None and len(colours) > 3  # something is drawn
        else:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_the_same_result_gives_the_same_files(dataset, tmp_path: Path) -> None:
    result = run(dataset, ProtocolOptions("zero-shot", "all"))
    first, second = (write_figures(result, tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_every_figure_names_subset_and_look(dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.figure

    titles = []
    monkeypatch.setattr(matplotlib.figure.Figure, "suptitle", lambda self, title, **about: titles.append(title))
    write_figures(run(dataset, ProtocolOptions("zero-shot", "all", subset=parse_subset("every-2-photos"))), tmp_path)
    assert len(titles) >= 4
    assert set(titles) == {"subset: every-2-photos"}
    titles.clear()
    with VectorCache(None, pytest.fail) as cache:
        options = Options(resamples=0, look="both")
        result = evaluate(EdgeModel(), dataset, ProtocolOptions("zero-shot", "all"), cache, options, lambda *_: None)
    write_figures(result, tmp_path)
    assert set(titles) == {"look both: uses the gallery"}


def test_without_matplotlib_one_sentence_says_what_to_install(dataset, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SketchseekError, match=r"figures require matplotlib; run: .*matplotlib"):
        write_figures(run(dataset, ProtocolOptions("zero-shot", "all")), tmp_path)


def test_a_folder_that_cannot_be_made_is_one_sentence(dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SketchseekError, match="cannot be written"):
        write_figures(run(dataset, ProtocolOptions("zero-shot", "all")), tmp_path / "file" / "below")
