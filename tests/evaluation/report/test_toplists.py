import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.evaluation.relevance import by_instance, by_label
from sketchseek.evaluation.report.toplists import confusion, top_photos
from tests.evaluation.oracle import steps


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 9),
    st.integers(1, 12),
    st.integers(1, 15),
    st.sampled_from(["label", "across", "within"]),
)
def test_top_photos_are_the_head_of_the_sorted_list(seed, queries, photos, count, how) -> None:
    draw = np.random.default_rng(seed)
    asked, shown = (draw.integers(-2, 3, (n, 3)).astype(np.float32) + 0.5 for n in (queries, photos))
    labels = draw.integers(0, 3, queries), draw.integers(0, 3, photos)
    instances = draw.integers(0, 4, queries), draw.integers(0, 4, photos)
    relevance = by_label(*labels) if how == "label" else by_instance(*labels, *instances, within_class=how == "within")
    found = top_photos(asked, shown, relevance, count)
    for i in range(queries):
        allowed = [j for j in range(photos) if how != "within" or labels[0][i] == labels[1][j]]
        right = {
            j: bool(labels[0][i] == labels[1][j] and (how == "label" or instances[0][i] == instances[1][j]))
            for j in allowed
        }
        order = sorted(allowed, key=lambda j: (-steps(asked[i], shown[j]), right[j], j))[:count]
        assert [j for j in found.photos[i] if j >= 0] == order
        assert found.right[i][: len(order)].tolist() == [right[j] for j in order]


def test_confusion_is_the_share_of_each_class() -> None:
    photos = np.array([[0, 1, 2], [2, 3, -1], [3, 3, 0]])
    tops = type(top_photos(np.ones((1, 1)), np.ones((1, 1)), by_label(np.zeros(1), np.zeros(1)), 1))(photos, photos > 0)
    shares = confusion(
        tops, np.array(["a", "b", "a"]), np.array(["a", "a", "b", "far"]), ["a", "b", "quiet", "far"], rows=3
    )
    np.testing.assert_allclose(shares, [[3 / 6, 1 / 6, 0.0, 2 / 6], [0.0, 0.5, 0.0, 0.5], [0.0] * 4])
