from pathlib import Path

import pytest

from sketchseek.errors import SketchseekError
from sketchseek.hub.files import read_json

DAMAGED = [
    "",
    "[" * 100_000,
    '{"a":' * 100_000,
    '{"a": NaN}',
    '{"a": 1e999}',
    f'{{"a": {"9" * 400}}}',
    "\udcff",
    "[]",
    "3",
]


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[:9])
def test_settings_of_strangers_are_one_sentence(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(
        SketchseekError, match=r"config\.json (is not valid JSON|does not hold a JSON object): download"
    ):
        read_json(file)


def test_settings_of_any_size_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(SketchseekError, match="larger than 16 MB"):
        read_json(tmp_path / "config.json")
