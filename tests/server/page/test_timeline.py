"""Browsing before the first stroke: by date and folder, by mouse, keyboard and finger."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.gallery.photos import jpeg, put
from tests.server.page.actions import SIDES, draw, expect_first
from tests.server.page.conftest import PHONE, OpenPage, Served, Watch
from tests.server.page.test_access import check

PHOTOS = 900


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Photos of three years, some of a day."""
    home = tmp_path_factory.mktemp("years")
    for number in range(PHOTOS):
        day = datetime(2022, 1, 1) + timedelta(days=number)
        put(home / "Pictures" / f"{number:03}.jpg", jpeg(number, taken=f"{day:%Y:%m:%d %H:%M:%S}"))
    server = Served([str(home / "Pictures"), "--gallery", str(home / "gallery")], home).start()
    yield server.ready()
    server.stop()


def test_all_photos_by_month_without_creating_them_all(open_page: OpenPage, years: Served) -> None:
    page = open_page(years)
    newest = (datetime(2022, 1, 1) + timedelta(days=PHOTOS - 1)).strftime("%B %Y")
    expect(page.locator("#timeline-heads h3").first).to_contain_text(newest)
    expect(page.locator(".cell.loaded").first).to_be_visible()
    expect(page.locator(".cell .open").first).to_have_attribute("aria-label", re.compile(f"^{PHOTOS - 1}.jpg, "))
    check(page)
    assert page.locator(".cell").count() < PHOTOS / 3
    # To the very end: the oldest photo is there, and the page is as long as all photos.
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.locator(".cell .open").last).to_have_attribute("aria-label", re.compile("^000.jpg, "))
    assert page.locator(".cell").count() < PHOTOS / 3
    # To a year.
    page.get_by_label("Go to a year").select_option("2023")
    expect(page.locator("#timeline-heads h3", has_text="December 2023")).to_be_in_viewport()
    # Photos scroll under the bar, which names the month that is at the top.
    month = page.locator("#timeline-now")
    expect(month).to_contain_text("December 2023")
    page.evaluate("scrollBy(0, 100)")
    expect(month).to_contain_text("December 2023")
    page.evaluate("scrollBy(0, 900)")
    expect(month).not_to_contain_text("December 2023")
    assert page.evaluate(
        """() => {
          const { left, right, top, bottom } = document.getElementById("timeline-bar").getBoundingClientRect();
          const seen = (x, y) => document.elementFromPoint(x, y).closest("#timeline-bar");
          return [left + 1, (left + right) / 2, right - 1].every((x) => seen(x, top + 1) && seen(x, bottom - 1));
        }"""
    )


def test_the_keyboard_goes_through_all(open_page: OpenPage, years: Served) -> None:
    page = open_page(years)
    expect(page.locator(".cell .open").first).to_be_visible()
    page.keyboard.press("r")
    focused = page.locator(".cell .open:focus")
    expect(focused).to_have_attribute("aria-label", re.compile(f"^{PHOTOS - 1}.jpg"))
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-label", re.compile(f"^{PHOTOS - 2}.jpg"))
    page.keyboard.press("End")
    expect(focused).to_have_attribute("aria-label", re.compile("^000.jpg"))
    expect(focused).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-name")).to_have_text("000.jpg")
    expect(page.locator("#viewer-place")).to_have_text(f"{PHOTOS} of {PHOTOS}")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#toast")).to_have_text("This is the last photo.")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer-name")).to_have_text("001.jpg")
    expect(page.locator("#viewer-explain")).to_be_hidden()  # there is nothing to compare with
    page.keyboard.press("Escape")
    expect(focused).to_have_attribute("aria-label", re.compile("^001.jpg"))


def test_all_photos_by_folder(page: Page) -> None:
    page.get_by_label("Order of all photos").select_option("folder")
    heads = page.locator("#timeline-heads h3")
    expect(heads.first).to_contain_text("Pictures4 photos")
    expect(heads.nth(1)).to_contain_text("Pictures/colours3 photos")
    expect(page.locator(".cell .open").first).to_have_attribute("aria-label", "bottom.png")
    check(page)
    # A copy is in both folders; the large view goes on from where it was opened.
    page.get_by_label("Go to a folder").select_option("Pictures/twice")
    copy = page.locator(".cell .open[aria-label^='left']").last
    expect(copy).to_be_in_viewport()
    copy.click()
    expect(page.locator("#viewer-place")).to_have_text("121 of 121")
    page.keyboard.press("Escape")
    expect(copy).to_be_focused()
    page.reload()
    expect(page.get_by_label("Order of all photos")).to_have_value("folder")
    expect(heads.first).to_contain_text(re.compile("^Pictures"))
    page.get_by_label("Order of all photos").select_option("date")
    expect(heads.first).to_contain_text("July 2024")
    expect(heads.first).to_be_in_viewport()


def test_filters_apply_and_a_search_takes_its_place(page: Page) -> None:
    expect(page.locator(".cell .open").first).to_be_visible()
    page.get_by_role("button", name="Filters").click()
    page.locator("#under").select_option("Pictures/holiday")
    expect(page.locator(".cell")).to_have_count(3)
    page.get_by_label("from").fill("2023-01-01")
    expect(page.locator(".cell")).to_have_count(2)
    page.get_by_role("button", name="Reset the filters").click()
    expect(page.locator(".cell")).not_to_have_count(2)
    draw(page, *SIDES["left"])
    expect_first(page, "left.png")
    expect(page.locator("#timeline")).to_be_hidden()
    page.locator("#clear").click()
    expect(page.locator(".cell .open").first).to_be_visible()


def test_it_fits_on_a_phone(open_page: OpenPage, years: Served) -> None:
    page = open_page(years, **PHONE)
    expect(page.locator(".cell.loaded").first).to_be_visible()
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".cell .open").nth(4).tap()
    expect(page.locator("#viewer-name")).to_have_text(f"{PHOTOS - 5}.jpg")
    page.go_back()
    expect(page.locator("#viewer")).to_be_hidden()


def test_a_store_without_dates_still_invites(page: Page, watch: Watch) -> None:
    watch.allow("422")
    page.route("**/api/timeline*", lambda route: route.fulfill(status=422, json={"error": "it cannot list photos."}))
    page.reload()
    expect(page.get_by_text("photos, one drawing away")).to_be_visible()
    expect(page.locator("#timeline")).to_be_hidden()
