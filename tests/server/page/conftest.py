"""A real server in a process of its own, and a real browser that looks at it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.server.page.sample_gallery import make_gallery

expect.set_options(timeout=30_000)  # a busy machine is not a failure

ROOT = Path(__file__).resolve().parents[3]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
TABLET = {"viewport": {"width": 820, "height": 1180}, "is_mobile": True, "has_touch": True}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


@dataclass
class Served:
    """``sketchseek serve`` with the small model, at ``url``."""

    arguments: list[str]
    home: Path
    process: subprocess.Popen[str] = field(init=False)
    url: str = field(init=False)

    def start(self, port: int = 0) -> "Served":
        command = [sys.executable, str(Path(__file__).parent / "serve_page.py"), "serve", *self.arguments]
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        surroundings = {**os.environ, "PYTHONPATH": paths, "XDG_CACHE_HOME": str(self.home / "cache")}
        log = (self.home / "server.log").open("a")
        with log:
            self.process = subprocess.Popen(
                [*command, "--port", str(port), "--no-browser"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.home,
                env=surroundings,
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, (self.home / "server.log").read_text()
        return self

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}api/status") as answer:
            return dict(json.load(answer))

    def ready(self) -> "Served":
        """Wait until all photos are indexed."""
        while self.status()["indexing"]["state"] in ("looking", "indexing"):
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The gallery of ``sample_gallery``, completely indexed."""
    home = tmp_path_factory.mktemp("page")
    photos = make_gallery(home / "Pictures")
    server = Served([str(photos), "--gallery", str(home / "gallery")], home).start()
    yield server.ready()
    server.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A gallery that a test may change, with a folder that photos can be copied into."""
    photos = make_gallery(tmp_path / "Pictures")
    (tmp_path / "Out").mkdir()
    server = Served([str(photos), "--gallery", str(tmp_path / "gallery"), "--browse", str(tmp_path)], tmp_path)
    yield server.start().ready()
    server.stop()


@pytest.fixture(scope="module")  # its event loop would block those of other test files
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("this test needs Chromium: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Watch:
    """Checks that a page writes no errors to the console and sends no request to another machine."""

    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """Complaints that a test provokes."""
        self.allowed.append(pattern)

    def follow(self, page: Page, home: str) -> None:
        def note_message(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.complaints.append(message.text)

        def note_request(request: Request) -> None:
            if not request.url.startswith((home, "data:", "blob:")):
                self.foreign.append(request.url)

        page.on("console", note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", note_request)

    def check(self) -> None:
        assert self.foreign == []
        assert [text for text in self.complaints if not any(re.search(one, text) for one in self.allowed)] == []


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.check()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """Open the page of a server in a window of its own; options are those of ``Browser.new_context``."""
    contexts = []

    def open_page(server: Served, **options: Any) -> Page:
        context = browser.new_context(**{**DESKTOP, **options})
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        watch.follow(page, server.url)
        page.goto(server.url)
        expect(page.locator("#summary")).not_to_have_text("…")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: OpenPage, served: Served) -> Page:
    return open_page(served)
