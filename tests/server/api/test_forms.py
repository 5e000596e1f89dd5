"""Every wrong field is reported by name, in one sentence, before the search starts."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from sketchseek.server.protection import limits
from tests.server.conftest import LIMITS
from tests.server.uploads import CORNER, picture, post, refusal

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"k": "0"}, "k:"),
    ({"k": limits.MAX_HITS + 1}, "k:"),
    ({"k": "ten"}, "k:"),
    ({"k": "1.5"}, "k:"),
    ({"k": "9" * 5000}, "k:"),
    ({"k": ["1", "2"]}, "k: give it once"),
    ({"offset": "-1"}, "offset:"),
    ({"offset": limits.MAX_OFFSET, "k": 1}, "offset: paging ends"),
    ({"min_score": "nan"}, "min_score:"),
    ({"min_score": "2"}, "min_score:"),
    ({"min_relevance": "-0.1"}, "min_relevance:"),
    ({"fold": "inf"}, "fold:"),
    ({"look": "twice"}, "look: input should be 'direct', 'picture', 'both' or 'kind'"),
    ({"look": ["kind", "kind"]}, "look: give it once"),
    ({"weights": "{"}, "weights:"),
    ({"weights": "[1]"}, "weights:"),
    ({"weights": '{"smell": 1}'}, "weights:"),
    ({"weights": '{"text": -1}'}, "weights:"),
    ({"weights": '{"text": NaN}'}, "weights:"),
    ({"weights": '{"text": true}'}, "weights:"),
    ({"weights": '{"text": "1"}'}, "weights:"),
    ({"weights": '{"text": 1e999}'}, "weights:"),
    ({"weights": "[" * 100_000}, "weights:"),
    ({"weights": '{"text": ' + "9" * 5000 + "}"}, "weights:"),
    ({"text": ["x"] * (limits.MAX_TEXTS + 1)}, "text:"),
    ({"minus": ["x"] * (limits.MAX_TEXTS + 1)}, "minus:"),
    ({"text": "x" * (limits.MAX_TEXT_LENGTH + 1)}, "text:"),
    ({"like": ["0" * 16] * (limits.MAX_MARKS + 1)}, "like:"),
    ({"unlike": ["0" * 16] * (limits.MAX_MARKS + 1)}, "unlike:"),
    ({"under": "/etc"}, "under:"),
    ({"under": "Pictures/../.."}, "under:"),
    ({"under": "Pictures//2024"}, "under:"),
    ({"under": "Pictures/2024/."}, "under:"),
    ({"under": "pictures"}, "under:"),
    ({"under": "P" * 5000}, "under:"),
    ({"taken_from": "yesterday"}, "is not a date"),
    ({"taken_from": "2024-13"}, "is not a date"),
    ({"taken_from": "2025", "taken_to": "2024"}, "run backwards"),
    ({"taken_to": "2" * 30}, "taken_to:"),
    ({"kind": "svg"}, "kind:"),
    ({"name": "x" * 256}, "name:"),
    ({"camera": "x" * 101}, "camera:"),
    ({"smell": "x"}, "unknown field 'smell'"),
    ({"sketch": "text"}, "sketch: send it as a file"),
    ({"weights": '{"text": 0, "minus": 1}'}, "cancel"),
]
STROKES: list[tuple[str, str]] = [
    ("[", "strokes:"),
    ("[" * 100_000, "strokes:"),
    ("[]", "holds no strokes"),
    ("{}", "holds no strokes"),
    ("3", "holds no strokes"),
    ("[[1, 2]]", "two lists"),
    ("[[[1], [2], [3], [4]]]", "a stroke is not"),
    ("[[[1], [NaN]]]", "not a number"),
    ("[[[1e7], [1]]]", "not a number"),
    ("[[[true], [1]]]", "not a number"),
    (json.dumps([[[0] * 50_001, [0] * 50_001]]), "more than 50000 points"),
    ('{"drawing": [[[1], [1]]], "sheet": [0, 1]}', "sheet"),
    ('{"drawing": [[[1], [1]]], "sheet": 5}', "sheet"),
    ('{"drawing": [[[1], [1]]], "sheet": [1, 2, 3]}', "sheet"),
    ('{"drawing": [[[1], [1]]], "colours": ["red"]}', "a colour is neither null nor of the form"),
    ('{"drawing": [[[1], [1]]], "colours": "#2b6cd4"}', "colours are not one for each stroke"),
    ('{"drawing": [[[1], [1]]], "colours": {"0": null}}', "colours are not one for each stroke"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_a_wrong_field_is_named(client: TestClient, fields: dict[str, Any], message: str) -> None:
    assert message in refusal(post(client, **{"text": "red", **fields}), 422)


@pytest.mark.parametrize(("strokes", "message"), STROKES)
def test_wrong_strokes_are_reported(client: TestClient, strokes: str, message: str) -> None:
    assert message in refusal(post(client, strokes=strokes), 422)


def test_an_empty_query_is_reported(client: TestClient) -> None:
    for fields in ({"k": 3}, {"minus": "red"}, {"text": "  "}, {"strokes": "", "text": ""}):
        assert "nothing to look for" in refusal(post(client, **fields), 422)


def test_empty_fields_count_as_missing(client: TestClient) -> None:
    empty = {"k": "", "weights": "", "under": "", "taken_from": "", "fold": "", "look": "", "strokes": ""}
    assert post(client, text="red", **empty).json()["hits"] == post(client, text="red").json()["hits"]


def test_too_many_files_are_refused(client: TestClient) -> None:
    files = [("sketch", f"{number}.png", picture()) for number in range(limits.MAX_FILES + 1)]
    assert "sketch" in refusal(post(client, *files), 422)
    assert "Too many files" in refusal(post(client, *files, *files), 400)


def test_a_field_where_text_is_meant_may_not_be_a_file(client: TestClient) -> None:
    assert "not as a file" in refusal(post(client, ("text", "text.txt", b"red")), 422)
    assert "not as a file" in refusal(post(client, ("k", "k.txt", b"1"), text="red"), 422)


def test_unknown_marks_are_not_found(client: TestClient) -> None:
    for field in ("like", "unlike"):
        for id in ("0" * 16, "../../etc/passwd", "", "zz", "0" * 10_000):
            assert "no photo" in refusal(post(client, text="red", **{field: id}), 404)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"text": "red"}', 415),
        ("application/x-www-form-urlencoded", b"text=red", 415),
        ("multipart/form-data; boundary=x; charset=utf-7", b"--x--", 415),
        ("multipart/form-data", b"--x--", 400),
        ("multipart/form-data; boundary=", b"--x--", 400),
        ("multipart/form-data; boundary=" + "x" * 300, b"", 400),
        ("multipart/form-data; boundary=x", b"no multipart", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a: b\r\n" * 1000 + b"\r\n--x--\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x\r\na: " + b"b" * 10_000 + b"\r\n\r\n--x--\r\n", 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nred', 422),
        ("", b"", 415),
    ],
)
def test_bodies_that_are_not_a_form(client: TestClient, kind: str, body: bytes, status: int) -> None:
    refusal(client.post("/api/search", content=body, headers={"content-type": kind}), status)


def test_a_thousand_fields_are_too_many(client: TestClient) -> None:
    assert "Too many fields" in refusal(post(client, text=["x"] * (limits.MAX_FIELDS + 1)), 400)


def test_words_in_any_script_are_words(client: TestClient) -> None:
    for text in ("köttbullar", "魚", "\0", "\u202e", "a\nb", "👩‍🚀", "x" * limits.MAX_TEXT_LENGTH):
        assert post(client, text=text).status_code == 200


def test_bytes_that_are_not_text_do_not_crash(client: TestClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\xfe\xed\xa0\x80\r\n--x--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/api/search", content=part, headers=headers).status_code == 200


def test_the_largest_drawing_is_taken(client: TestClient) -> None:
    points = list(range(50_000))
    assert post(client, strokes=json.dumps([[points, points]])).status_code == 200
    assert LIMITS.body_bytes < limits.MAX_STROKES_BYTES  # else the next line tests nothing
    refusal(post(client, strokes=CORNER + " " * LIMITS.body_bytes), 413)
