"""Every text of the page is in every catalogue, and the page speaks the language of its user."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.server.page.actions import SIDES, draw, expect_first
from tests.server.page.conftest import OpenPage, Served
from tests.server.page.test_access import check
from tests.server.page.texts import PAGE, of_html, of_scripts

CATALOGUES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (PAGE / "texts").glob("*.json")}


@pytest.mark.parametrize("language", ["de", "es"])
def test_every_text_is_translated_with_its_values(language: str) -> None:
    catalogue = CATALOGUES[language]
    assert catalogue.keys() == of_html() | of_scripts()
    for text, translated in catalogue.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", translated)), text
        assert translated.strip()
        assert text[0] == "," or translated[0] != ",", text  # it would stand behind a space


def test_the_page_is_small(open_page: OpenPage, served: Served) -> None:
    """What travels to a browser until the page with another language stands, and how much that is unpacked."""
    page = open_page(served, locale="de")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.evaluate("document.fonts.ready")
    loaded = page.evaluate(
        """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
          .filter(({ name }) => !name.includes("/api/"))
          .map((one) => [new URL(one.name).pathname.slice(1) || "index.html", one.transferSize, one.decodedBodySize])"""
    )
    names, travelled, unpacked = zip(*loaded, strict=True)
    scripts = {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*.js")}
    assert {"index.html", "icons.svg", "css/base.css", "texts/de.json", *scripts} <= set(names)
    assert sum(travelled) < 125_000
    assert sum(unpacked) < 320_000


@pytest.mark.parametrize(("locale", "words", "photos"), [("de-CH", "Wörter", "Fotos"), ("es-MX", "Palabras", "fotos")])
def test_in_the_language_of_the_browser(
    open_page: OpenPage, served: Served, locale: str, words: str, photos: str
) -> None:
    page = open_page(served, locale=locale)
    expect(page.locator("html")).to_have_attribute("lang", locale[:2])
    expect(page.get_by_label(words, exact=True)).to_be_visible()
    expect(page.locator("#summary")).to_contain_text(photos)
    blue = CATALOGUES[locale[:2]]["Blue"]
    expect(page.get_by_role("radio", name=blue, exact=True)).to_have_count(1)
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    check(page)
    page.set_viewport_size({"width": 390, "height": 844})
    # The narrowest photos have long captions, too.
    page.locator(".tile").evaluate_all("tiles => tiles.forEach((tile) => { tile.style.flex = '0 0 70px' })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    message = "(toast) => { toast.textContent = 'A long message. '.repeat(5); return toast.clientWidth }"
    assert page.locator("#toast").evaluate(message) > 300


def test_another_language_can_be_chosen_and_is_kept(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.locator("#help-open").click()
    page.get_by_label("Language of the page").select_option("de")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.reload()
    expect(page.get_by_label("Wörter", exact=True)).to_be_visible()
    page.locator("#help-open").click()
    page.get_by_label("Sprache der Seite").select_option("en")
    expect(page.get_by_label("Words", exact=True)).to_be_visible()
