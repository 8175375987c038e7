"""The slides in a real browser."""

import pytest
from bs4 import BeautifulSoup
from test_browser import hosts_asked, wait_for

pytestmark = pytest.mark.browser


def test_there_are_decks_and_a_page_that_lists_them(book, decks):
    assert len(decks) >= 5
    page = BeautifulSoup((book / "slides" / "index.html").read_text("utf-8"), "html.parser")
    assert sorted(f"slides/{a['href']}" for a in page.find_all("a")) == decks


def test_decks_load_and_ask_nobody_else(browser, show, decks, address):
    browser.get_log("browser"), hosts_asked(browser)
    for deck in decks:
        shown = show(deck, height=800)
        wait_for(shown, "return window.Reveal && Reveal.isReady()")
        severe = [e for e in shown.get_log("browser") if e["level"] == "SEVERE"]
        assert severe == [], deck
    assert [url for url in hosts_asked(browser) if not url.startswith(address)] == []


def test_every_slide_shows_something_and_fits(show, decks):
    """1280 by 720: nothing hangs over the edge, and no slide is a heading alone."""
    for deck in decks:
        shown = show(deck, height=800)
        wait_for(shown, "return window.Reveal && Reveal.isReady()")
        wait_for(shown, "return !window.MathJax || !!MathJax.startup.document.math")
        sizes = shown.execute_script("""
            return Reveal.getSlides().map((slide, i) => {
              Reveal.slide(i);
              const text = slide.innerText.trim().length, drawn = slide.querySelector('img, svg');
              return [slide.scrollHeight, slide.scrollWidth, text > 20 || !!drawn];
            })""")
        assert 10 <= len(sizes) <= 20, deck
        wrong = [(i, size) for i, size in enumerate(sizes) if size[0] > 720 or size[1] > 1280]
        assert wrong == [], deck
        assert all(size[2] for size in sizes), deck


def test_formulas_and_notes(show, book, decks):
    shown = show("slides/04_qubits_from_scratch.html")
    wait_for(shown, "return document.querySelectorAll('mjx-container svg').length > 5")
    assert shown.execute_script("return document.querySelectorAll('aside.notes').length") >= 3


def test_pictures_of_slides_have_words(book, decks):
    for deck in decks:
        soup = BeautifulSoup((book / deck).read_text("utf-8"), "html.parser")
        assert all(image.get("alt") for image in soup.find_all("img")), deck
