import numpy as np

from sketchseek.evaluation.relevance import by_instance, by_label, shared_codes


def test_codes_are_equal_where_values_are() -> None:
    left, right = np.array(["zebra", "bat", "zebra"]), np.array(["bat", "a longer word", "zebra", "bat"])
    a, b = shared_codes(left, right)
    assert np.array_equal(a[:, None] == b, left[:, None] == right)


def test_by_label_a_class_known_to_one_side_is_relevant_to_nobody() -> None:
    found = by_label(np.array([7, -2]), np.array([-2, 5, 7, 7]))
    assert (found.query_keys[:, None] == found.gallery_keys).tolist() == [
        [False, False, True, True],
        [True] + [False] * 3,
    ]
    assert found.query_groups is None


def test_by_instance_photo_1_of_another_class_is_another_photo() -> None:
    labels = np.array(["bat", "zebra"]), np.array(["bat", "zebra", "bat"])
    names = np.array(["1", "1"]), np.array(["1", "1", "2"])
    everywhere = by_instance(*labels, *names, within_class=False)
    assert (everywhere.query_keys[:, None] == everywhere.gallery_keys).tolist() == [
        [True, False, False],
        [False, True, False],
    ]
    assert everywhere.query_groups is None
    within = by_instance(*labels, *names, within_class=True)
    assert np.array_equal(within.query_keys, everywhere.query_keys)
    assert within.query_groups is not None
    assert within.gallery_groups is not None
    assert (within.query_groups[:, None] == within.gallery_groups).tolist() == [
        [True, False, True],
        [False, True, False],
    ]
