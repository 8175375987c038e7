"""The built book, served on this machine, and a browser that looks at it.

``make book-test`` builds the book and says where it lies (``HQNN_BOOK``); without it, and without a
browser, these tests are skipped.
"""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built website."""
    folder = os.environ.get("HQNN_BOOK")
    if not folder:
        pytest.skip("looks at the built book: run make book-test")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def pages(book) -> list[str]:
    """Names of all pages, without slides; in ``_static`` lie pieces that the theme is made of."""
    found = [path.relative_to(book) for path in book.rglob("*.html")]
    return sorted(str(path) for path in found if path.parts[0] not in ("_static", "slides"))


@pytest.fixture(scope="session")
def decks(book) -> list[str]:
    """Names of all decks of slides."""
    return sorted(f"slides/{path.name}" for path in (book / "slides").glob("[0-9]*.html"))


@pytest.fixture(scope="session")
def address(book):
    """The address of the site on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    serve = functools.partial(Quiet, directory=str(book))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="session")
def browser(book):
    """Chromium without a screen."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="make book-test installs selenium")
    programs = [shutil.which(name) for name in ("chromium", "google-chrome", "chrome")]
    driver = shutil.which("chromedriver")
    if not any(programs) or not driver:
        pytest.skip("needs Chromium and its driver (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, programs))
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def show(browser, address):
    """Open a page in a window of a width, by default that of a laptop."""

    def open_page(page: str, width: int = 1280, height: int = 900):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(f"{address}/{page}")
        return browser

    yield open_page
    if browser.current_url.startswith(address):
        browser.execute_script("localStorage.clear()")
