import os
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from sketchseek.wording import canonical, class_in_words, counted, listed, nearest, shown

ANY_NAME = st.text(max_size=30)


def test_one_class_however_it_is_spelled() -> None:
    for spellings in (
        ("car_(sedan)", "car_sedan", "car (sedan)", "Car-Sedan"),
        ("hot-air_balloon", "hot air balloon", "hot_air_balloon"),
        ("jack-o-lantern", "Jack O Lantern"),
        ("wine bottle", "wine_bottle", "wine-bottle"),
        ("café", "cafe\u0301"),
    ):
        assert len({canonical(spelling) for spelling in spellings}) == 1, spellings


def test_other_classes_stay_apart() -> None:
    names = ("mouse", "mouse (animal)", "computer-mouse", "cafe", "café", "हाथी", "हथ", "猫", "犬")
    assert len({canonical(name) for name in names}) == len(names)


@given(ANY_NAME)
@example("a\u0345-\u0301")
def test_a_key_is_its_own_key(name: str) -> None:
    assert canonical(canonical(name)) == canonical(name)


@given(ANY_NAME)
def test_case_and_signs_do_not_count(name: str) -> None:
    key = canonical(name)
    assert canonical(f"_({name})- ") == key
    assert canonical(unicodedata.normalize("NFD", name)) == canonical(unicodedata.normalize("NFC", name)) == key


@given(st.from_regex(r"[a-z0-9]{1,8}([ _()-][a-z0-9]{1,8}){0,3}", fullmatch=True))
def test_plain_names_agree_with_the_slow_way(name: str) -> None:
    slow = "".join(letter for letter in name if letter in "abcdefghijklmnopqrstuvwxyz0123456789")
    assert canonical(name) == slow
    assert canonical(class_in_words(name)) == slow
    assert class_in_words(name) == " ".join(class_in_words(name).split())
    assert not set(class_in_words(name)) & set("_-()")


def test_words_for_prompts() -> None:
    assert class_in_words("car_(sedan)") == "car sedan"
    assert class_in_words("jack-o-lantern") == "jack o lantern"
    assert class_in_words("pipe (for smoking)") == "pipe for smoking"
    assert class_in_words("The_Eiffel_Tower") == "The Eiffel Tower"


def test_nearest_offers_spellings_as_they_are() -> None:
    assert nearest("Girafe", ["giraffe", "cow", "hot-air_balloon"]) == ["giraffe"]
    assert nearest("hot air baloon", ["giraffe", "hot-air_balloon"]) == ["hot-air_balloon"]
    assert nearest("zzz", ["giraffe"]) == []


def test_one_thing_is_singular() -> None:
    assert [counted(n, "photo") for n in (0, 1, 2)] == ["0 photos", "1 photo", "2 photos"]
    assert [counted(n, "class", "classes") for n in (1, 21)] == ["1 class", "21 classes"]


def test_a_long_list_is_cut() -> None:
    assert [listed(["ant", "bee", "cat"], most) for most in (3, 2)] == ["ant, bee, cat", "ant, bee and 1 more"]


def test_a_shown_path_is_one_printable_line() -> None:
    assert shown(b"caf\xc3\xa9/\xff\n.png") == r"café/\xff\n.png"
    assert shown(os.fsdecode(b"\xff")) == shown(b"\xff") == r"\xff"
    assert shown("\x1b[31m\x80\u2028\ud800") == r"\x1b[31m\u0080\u2028\ud800"


@given(st.text(st.characters()) | st.binary(), st.none() | st.integers(2, 20))
def test_any_name_can_be_shown(name: str | bytes, most: int | None) -> None:
    text = shown(name, most)
    assert text.isprintable()
    text.encode()
    if most is not None:
        assert len(text) <= most + 3
        assert shown(text, most) == text


def test_of_a_long_name_both_ends_are_shown() -> None:
    assert shown("a" * 5 + "b" * 50 + "c" * 5, 10) == "aaaaa...ccccc"
