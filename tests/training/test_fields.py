import tomllib
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchseek.training.fields import convert, to_toml


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("1e-4", float, 1e-4),
        (".5", float, 0.5),
        (3, float, 3.0),
        ("64", int, 64),
        ("true", bool, True),
        (False, bool, False),
        ("none", int | None, None),
        ("7", int | None, 7),
        ("cosine", Literal["constant", "cosine"], "cosine"),
        ("1, 2.5", tuple[float, ...], (1.0, 2.5)),
        ([1, 2], tuple[int, ...], (1, 2)),
        ("a=b c", str, "a=b c"),
    ],
)
def test_words_become_what_the_field_is(value: object, kind: Any, expected: object) -> None:
    found = convert(value, kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("1.5", int, "a whole number"),
        (1.5, int, "a whole number"),
        (True, int, "a whole number"),
        (1, bool, "true or false"),
        ("yes", bool, "true or false"),
        ("fast", float, "a number"),
        ("nan", float, "a number"),
        ("inf", float, "a number"),
        (3, str, "text"),
        ("linear", Literal["constant", "cosine"], "one of constant, cosine"),
        ("x", int | None, "a whole number"),
        (5, tuple[int, ...], "a list, each a whole number"),
    ],
)
def test_what_does_not_fit_is_described(value: object, kind: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        convert(value, kind)


VALUES = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.lists(st.integers(0, 9)).map(tuple)
)


@given(st.dictionaries(st.from_regex("[a-z_]{1,9}", fullmatch=True), VALUES | st.none()))
def test_toml_says_the_same(table: dict[str, Any]) -> None:
    read = tomllib.loads(to_toml(table))
    assert {key: tuple(v) if isinstance(v, list) else v for key, v in read.items()} == {
        key: value for key, value in table.items() if value is not None
    }
