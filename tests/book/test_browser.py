"""The built book in a real browser, as a student sees it."""

import json
import re
import time

import pytest

pytestmark = pytest.mark.browser
PHONE = 390
WITH_A_PLAYER = "04_qubits_from_scratch.html"


def wait_for(browser, script, seconds=10, **arguments):
    """What a script returns, as soon as that is something."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds).until(lambda b: b.execute_script(script))


def wait_until(browser, happens, seconds=10):
    """Wait for what a click brings about: on a busy machine it may come a moment later."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, seconds).until(lambda _: happens())


def settled(browser):
    """Wait until formulas and pictures are there and nothing moves any more."""
    height = "return document.documentElement.scrollHeight"
    wait_for(
        browser,
        "const math = [...document.querySelectorAll('.math')];"
        "return document.readyState == 'complete'"
        " && math.every(m => m.querySelector('mjx-container svg'))"
        " && [...document.images].every(i => i.complete || i.loading == 'lazy')",
    )
    before = None
    while before != (before := browser.execute_script(height)):
        time.sleep(0.2)
    return browser


def errors(browser):
    return [e["message"] for e in browser.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]


def hosts_asked(browser):
    """Every address that the browser asked for since the last call."""
    asked = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.append(message["params"]["request"]["url"])
    return [url for url in asked if url.startswith("http")]


def test_every_page_loads_without_an_error_and_asks_nobody_else(browser, show, pages, address):
    errors(browser), hosts_asked(browser)
    found = {}
    for page in pages:
        show(page)
        found[page] = errors(browser)
    assert {page: messages for page, messages in found.items() if messages} == {}
    assert [url for url in hosts_asked(browser) if not url.startswith(address)] == []


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_no_page_is_wider_than_its_window(show, pages, width):
    wide = {}
    for page in pages:
        shown = show(page, width=width)
        needed = shown.execute_script("return document.documentElement.scrollWidth")
        if needed > width:
            wide[page] = needed
    assert wide == {}


def test_text_on_a_phone_is_large_enough(show):
    shown = show(WITH_A_PLAYER, width=PHONE)
    size = "return parseFloat(getComputedStyle(document.querySelector('article p')).fontSize)"
    assert shown.execute_script(size) >= 15


def test_a_search_finds_barren_plateaus(show):
    shown = show("search.html?q=barren+plateau")
    found = wait_for(
        shown,
        "const found = [...document.querySelectorAll('#search-results li a')];"
        "return found.length ? found.map(a => a.getAttribute('href')) : null",
    )
    assert any(link.startswith("05_designing_circuits.html") for link in found)
    assert any(link.startswith("glossary.html") for link in found)


def test_the_search_button_opens_a_field(show):
    from selenium.webdriver.common.by import By

    shown = show("index.html")
    buttons = shown.find_elements(By.CSS_SELECTOR, ".search-button, .search-button-field")
    next(button for button in buttons if button.is_displayed()).click()
    wait_for(shown, "return document.activeElement.matches('input[type=search]')")


def test_a_solution_unfolds(show):
    from selenium.webdriver.common.by import By

    shown = settled(show(WITH_A_PLAYER))
    folded = shown.find_elements(By.XPATH, "//details[contains(., 'Solution (try first)')]")
    assert len(folded) >= 5
    code = folded[0].find_element(By.TAG_NAME, "pre")
    assert not code.is_displayed()
    summary = folded[0].find_element(By.TAG_NAME, "summary")
    shown.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
    summary.click()
    wait_until(shown, code.is_displayed)
    assert "check(" in code.text


def test_the_frames_of_a_player_move(show):
    shown = show(WITH_A_PLAYER)
    visible = """
        const frames = [...document.querySelector('[data-hqnn-player]').querySelectorAll('figure')];
        return frames.map(frame => getComputedStyle(frame).display != 'none')
    """
    before = shown.execute_script(visible)
    assert before.count(True) == 1
    shown.execute_script("""
        const slider = document.querySelector('[data-hqnn-player] input[type=range]');
        slider.value = slider.value == slider.max ? slider.min : slider.max;
        slider.dispatchEvent(new Event('input'));
    """)
    after = shown.execute_script(visible)
    assert after.count(True) == 1
    assert after != before
    picture = "return document.querySelector('[data-hqnn-player] img').naturalWidth"
    assert shown.execute_script(picture) > 100


def test_formulas_are_typeset(show, pages):
    formulas = 0
    for page in pages:
        if not re.match(r"\d\d_", page):
            continue
        shown = show(page)
        count = "return document.querySelectorAll('.math').length"
        wanted = shown.execute_script(count)
        if wanted:
            wait_for(
                shown,
                "const all = [...document.querySelectorAll('.math')];"
                "return all.every(m => m.querySelector('mjx-container svg'))",
            )
        wrong = "return document.querySelectorAll('[data-mml-node=merror]').length"
        assert shown.execute_script(wrong) == 0, page
        formulas += wanted
    assert formulas > 50


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_an_answer_of_a_quiz_gets_its_word(show, width):
    from selenium.webdriver.common.by import By

    shown = settled(show("quizzes.html", width=width))
    first = shown.find_element(By.CSS_SELECTOR, ".hqnn-quiz .answer")
    said = first.find_element(By.CSS_SELECTOR, ".say")
    assert not said.is_displayed()
    label = first.find_element(By.TAG_NAME, "label")
    shown.execute_script("arguments[0].scrollIntoView({block: 'center'})", label)
    label.click()
    wait_until(shown, said.is_displayed)
    assert said.text.startswith(("Right.", "Not yet."))
    visible = [s for s in shown.find_elements(By.CSS_SELECTOR, ".say") if s.is_displayed()]
    assert len(visible) == 1
    assert label.location["x"] > first.location["x"], "the text stands beside the button"


def luminance(rgb):
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(shown, selector):
    """WCAG 2 contrast of an element's text and what lies behind it."""
    colours = shown.execute_script(
        """
        let element = document.querySelector(arguments[0]);
        const text = getComputedStyle(element).color;
        let behind = 'rgba(0, 0, 0, 0)';
        while (element && /rgba\\(.*, 0\\)/.test(behind)) {
          behind = getComputedStyle(element).backgroundColor;
          element = element.parentElement;
        }
        return [text, behind]
        """,
        selector,
    )
    values = [[int(n) / 255 for n in re.findall(r"\d+", c)[:3]] for c in colours]
    light, dark = sorted(map(luminance, values), reverse=True)
    return (light + 0.05) / (dark + 0.05), luminance(values[1])


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_dark_mode_is_dark_and_readable(show, width):
    from selenium.webdriver.common.by import By

    shown = show(WITH_A_PLAYER, width=width)
    for chosen in (".theme-switch-button", "button[data-mode=dark]"):
        buttons = shown.find_elements(By.CSS_SELECTOR, chosen)
        next(button for button in buttons if button.is_displayed()).click()
    for selector in ("article p", "article h2", ".cell_input pre", ".cell_output pre", "summary"):
        ratio, behind = contrast(shown, selector)
        assert ratio >= 4.5, selector
        assert behind < 0.2, selector


@pytest.mark.parametrize("page", [WITH_A_PLAYER, "quizzes.html", "teaching.html", "results.html"])
def test_light_mode_is_readable(show, page):
    shown = show(page)
    selectors = (
        "article p",
        "article p a:not(.headerlink)",
        "article h2",
        "article td",
        ".hqnn-quiz label",
    )
    code = (".cell_input pre", ".cell_output pre", "summary", ".hqnn-quiz label")
    seen = "return document.querySelector(arguments[0]) !== null"
    for selector in [s for s in (*selectors, *code) if shown.execute_script(seen, s)]:
        ratio, behind = contrast(shown, selector)
        assert ratio >= 4.5, selector
        assert behind > 0.5, selector


def test_a_page_prints(show):
    shown = show("00_start_here.html")
    import base64

    pdf = base64.b64decode(shown.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 5
