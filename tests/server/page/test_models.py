"""The dialog of the gallery offers better models, and shows the change to one of them."""

from typing import Any

from playwright.sync_api import Route, expect

from tests.server.page.conftest import OpenPage, Served, Watch

SMALL = {
    "name": "default", "about": "small", "licence": "research", "languages": "English", "speed": "very fast",
    "bytes": 11_000_000, "here": True, "vectors": 12, "current": True,
}  # fmt: skip
CLIP = {
    **SMALL, "name": "clip", "about": "CLIP ViT-B/32", "licence": "MIT", "speed": "medium", "bytes": 605_157_884,
    "here": False, "vectors": 0, "current": False,
}  # fmt: skip
TINY = {**CLIP, "name": "tinyclip", "speed": "fast"}
LARGE = {**CLIP, "name": "clip-l14", "speed": "very slow"}
OWN = {**CLIP, "name": "own", "speed": "", "here": True}


def test_a_better_model_is_offered_and_its_progress_shown(open_page: OpenPage, served: Served, watch: Watch) -> None:
    watch.allow("409")
    page = open_page(served)
    status: dict[str, Any] = {**served.status(), "model": "default"}
    asked: list[str] = []

    def used(route: Route) -> None:
        asked.append(route.request.method + " " + route.request.url.removeprefix(served.url))
        if len(asked) == 1:
            route.fulfill(status=409, json={"error": "photos are being indexed now."})
            return
        status["indexing"] |= {"state": "downloading", "model": "clip", "done": 120, "total": 605}
        route.fulfill(status=202, json=status["indexing"])

    page.route("**/api/status", lambda route: route.fulfill(json=status))
    page.route("**/api/models", lambda route: route.fulfill(json={"models": [SMALL, CLIP]}))
    page.route("**/api/models/clip/use", used)
    page.reload()
    page.locator("#gallery-open").click()
    expect(page.locator("#models")).to_contain_text("Searches use default.")
    page.get_by_text("Better model available").click()
    button = page.get_by_role("button", name="Use clip")
    expect(button).to_have_text("Download 605 MB and use")
    expect(page.locator("#models li")).to_have_count(1)
    button.click()
    expect(page.get_by_role("alert").filter(has_text="photos are being indexed")).to_be_visible()
    button.click()
    expect(page.locator("#models-progress")).to_have_text(
        "downloading clip, 120 of 605 MB. Searches use default meanwhile."
    )
    assert asked == ["POST api/models/clip/use"] * 2
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    status["indexing"] |= {"state": "failed", "error": "clip is not on this machine."}
    expect(page.get_by_role("alert").filter(has_text="clip: clip is not on this machine.")).to_be_visible()
    status["indexing"] |= {"state": "done", "error": None}
    status["model"] = "clip"
    expect(page.locator("#models")).to_contain_text("Searches use clip.")


def test_better_models_and_the_way_back_are_offered(open_page: OpenPage, served: Served) -> None:
    page = open_page(served)
    lite = {**SMALL, "name": "lite", "current": False, "vectors": 0}
    default = {**SMALL, "current": False, "vectors": 0}
    indexed = {**TINY, "name": "clip-laion-tiny", "vectors": 12}
    models = [default, lite, TINY, indexed, {**CLIP, "current": True}]
    page.route("**/api/models", lambda route: route.fulfill(json={"models": [*models, LARGE, OWN]}))
    page.reload()
    page.locator("#gallery-open").click()
    expect(page.locator("#models summary")).to_have_text("Other models")
    expect(page.locator("#models li b")).to_have_text(["default", "clip-laion-tiny", "clip-l14", "own"])
