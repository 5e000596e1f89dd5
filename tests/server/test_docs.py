"""docs/guide/server.md is true: its numbers are those of the code, its routes those of the schema."""

import json
import re
from typing import get_args

from sketchseek.gallery.hits import LEAST_RELEVANCE
from sketchseek.gallery.sections import SECTION_PAGE
from sketchseek.server import http_server, places, thumbnails
from sketchseek.server.api.forms import REPEATED_FIELDS, SINGLE_FIELDS
from sketchseek.server.protection import limits
from sketchseek.server.protection.guard import HEADERS, MIN_TOKEN_LENGTH
from sketchseek.server.protection.limits import Limits, MiB
from sketchseek.server.protection.wrong_tokens import MAX_WRONG, PERIOD_S
from sketchseek.server.routes import browse, photos
from tests.server.live import ROOT

PAGE = (ROOT / "docs" / "guide" / "server.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def test_every_route_is_on_the_page_and_no_other() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    documented = set(re.findall(r"`((?:GET|POST) /[^`?]*)(?:\?[^`]*)?`", PAGE)) - {"GET /", "GET /openapi.json"}
    assert documented == routes


def test_every_field_of_the_form_is_on_the_page() -> None:
    documented = set(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))
    names = {name for cell in documented for name in re.findall(r"`(\w+)`", cell)}
    assert names >= {*REPEATED_FIELDS, *SINGLE_FIELDS}


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    bounds = Limits()
    for sentence in (
        f"a body | {bounds.body_bytes // MiB} MB, arriving within {bounds.body_seconds:g} s",
        f"all bodies under way | {bounds.held_bytes // MiB} MB",
        f"a request's head | {http_server.HEAD_TIMEOUT_S} s",
        f"an uploaded picture | {bounds.pixels // 10**6} million pixels, opened within {bounds.decode_seconds:g} s",
        f"an uploaded SVG | drawn within {bounds.svg_seconds:g} s",
        f"a photo's file | read within {bounds.read_seconds:g} s",
        f"photos being sent | {bounds.sending_bytes // MiB} MB",
        f"searches with an SVG under way or waiting | {bounds.svgs}",
        f"connections | {http_server.MAX_CONNECTIONS}",
        f"take what is sent | {http_server.WRITE_TIMEOUT_S} s",
        f"wrong tokens of an address | {MAX_WRONG} in {PERIOD_S} s",
        f"drawings, photos | {limits.MAX_FILES} of each",
        f"texts | {limits.MAX_TEXTS} of each kind, {limits.MAX_TEXT_LENGTH} letters each",
        f"marked hits | {limits.MAX_MARKS} of each kind",
        f"hits | {limits.MAX_HITS} at a time, {limits.MAX_OFFSET:,} by paging",
        f"searches under way or waiting | {bounds.searches}",
        f"pictures under way or waiting | {bounds.pictures}",
        f"added to a collection, or removed, at once | {limits.MAX_COLLECTED:,}",
        f"lists of folders under way or waiting | {bounds.folders}",
        f"exports of collections under way or waiting | {bounds.exports}",
        f"folders in one list | {places.MAX_LISTED:,} of a place, {browse.MAX_FOLDERS:,} of the gallery",
        f"with the id of every {SECTION_PAGE}th",
        f"thumbnails on disk | {bounds.thumbnail_bytes // MiB} MB",
        f"at least {MIN_TOKEN_LENGTH} letters",
        f"{http_server.SHUTDOWN_GRACE_S} seconds",
        f"at most {thumbnails.FULL_SIDE} px",
        f"below a relevance of {LEAST_RELEVANCE:g} is `weak`",
    ):
        assert sentence in TEXT, sentence
    for size in get_args(get_args(photos.Size)[0]):
        assert str(size) in TEXT


def test_the_policy_on_the_page_is_the_one_that_is_sent() -> None:
    assert HEADERS["Content-Security-Policy"] in TEXT
