"""Nothing on the page moves by itself: what a browser counts as layout shifts."""

import time
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.server.page.conftest import DESKTOP, PHONE, OpenPage, Served

MOST = 0.02  # the sum of all shifts; below 0.1 is called good
WATCH = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries()) {
    const moved = sources.map(({ node }) => node?.id || node?.className || node?.nodeName || "");
    if (!hadRecentInput) window.shifts.push([value, moved]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def expect_steady(page: Page) -> None:
    """Since the page was loaded, also while nothing was done."""
    page.wait_for_timeout(700)
    shifts = page.evaluate("shifts")
    assert sum(value for value, _ in shifts) < MOST, shifts


def late(route: Route) -> None:
    """So that the browser paints the page once before its scripts run."""
    time.sleep(0.3)
    route.continue_()


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_moves_by_itself(open_page: OpenPage, served: Served, device: dict[str, Any]) -> None:
    page = open_page(served, **device, reduced_motion="reduce")
    page.add_init_script(WATCH)
    page.route("**/js/main.js", late)
    status = served.status() | {"photos": 0, "files": 0, "folders": []}
    page.route("**/api/status", lambda route: route.fulfill(json=status))
    page.reload()
    expect(page.get_by_text("No photos yet")).to_be_visible()
    expect_steady(page)
    page.unroute("**/api/status")
    page.reload()
    expect(page.locator(".cell.loaded").first).to_be_visible()
    expect_steady(page)
    page.get_by_role("button", name="Draw this: umbrella").click()
    expect(page.locator(".tile.loaded").first).to_be_visible()
    expect_steady(page)
    page.get_by_role("button", name="Filters").click()
    expect_steady(page)
    # All that a query can have, after a reload: while it changes, photos change their places.
    page.locator("#under").select_option("Pictures/many")
    page.get_by_label("Words", exact=True).fill("red")
    page.locator(".tile").first.get_by_role("button", name="More like this").dispatch_event("click")
    page.wait_for_url("**under=**like=**")
    for _ in ("in the window", "full screen"):
        page.reload()
        expect(page.locator(".tile.loaded").first).to_be_visible()
        expect(page.locator(".chip")).to_be_visible()
        expect_steady(page)
        page.locator("#full").click()
