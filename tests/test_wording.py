from sketchseek.wording import counted


def test_one_thing_is_no_plural() -> None:
    assert [counted(n, "photo") for n in (0, 1, 2)] == ["0 photos", "1 photo", "2 photos"]
    assert [counted(n, "class", "classes") for n in (1, 21)] == ["1 class", "21 classes"]
