"""The files of the built book: no other server, no dead link, no picture without words."""

import re
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

FOREIGN = re.compile(r"^(https?:)?//")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}


@pytest.fixture(scope="session")
def soups(book, pages):
    return {page: BeautifulSoup((book / page).read_text("utf-8"), "html.parser") for page in pages}


def test_nothing_is_loaded_from_another_server(soups):
    foreign = [
        (page, element[attribute])
        for page, soup in soups.items()
        for name, attribute in LOADED.items()
        for element in soup.find_all(name)
        if FOREIGN.match(element.get(attribute, ""))
    ]
    foreign += [
        (page, link["href"])
        for page, soup in soups.items()
        for link in soup.find_all("link")
        if FOREIGN.match(link.get("href", "")) and link.get("rel") != ["canonical"]
    ]
    assert foreign == []


def test_styles_load_nothing_from_another_server(book):
    asked = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""")
    found = {
        str(path.relative_to(book)): asked.findall(path.read_text("utf-8"))
        for path in book.rglob("*.css")
    }
    assert {path: urls for path, urls in found.items() if urls} == {}


def test_formulas_come_with_the_site(book, soups):
    (script,) = (book / "_static").glob("mathjax/*.js") or ["missing"]
    assert (script.parent / "LICENSE").read_text("utf-8").lstrip().startswith("Apache License")
    sources = [s.get("src", "") for s in soups["04_qubits_from_scratch.html"].find_all("script")]
    assert any(source.startswith(f"_static/mathjax/{script.name}") for source in sources)


def test_no_internal_link_is_dead(book, soups):
    dead = []
    for page, soup in soups.items():
        for link in soup.find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc:
                continue
            path = unquote(parts.path)
            target = (book / page).parent / path if path else book / page
            if not target.exists():
                dead.append((page, link["href"]))
            elif parts.fragment and target.suffix == ".html" and parts.fragment != "#":
                other = soups[str(target.resolve().relative_to(book))]
                known = other.find(id=unquote(parts.fragment))
                if known is None:
                    dead.append((page, link["href"]))
    assert dead == []


def test_every_picture_has_words(soups):
    silent = [
        (page, image.get("src", "")[:60])
        for page, soup in soups.items()
        for image in soup.find_all("img")
        if len(image.get("alt", "")) < 3 or image["alt"].startswith(("_images", "data:"))
    ]
    assert silent == []


def test_every_page_has_a_title_and_a_language(soups):
    for page, soup in soups.items():
        assert soup.title.get_text().strip(), page
        assert soup.html["lang"] == "en-GB", page


def test_solutions_and_drawing_code_are_folded(soups):
    page = soups["04_qubits_from_scratch.html"]
    solutions = [d for d in page.find_all("details") if "Solution (try first)" in d.get_text()]
    assert len(solutions) >= 5
    assert not any(details.has_attr("open") for details in page.find_all("details"))
    assert "# @title" not in page.get_text()
    assert "# alt:" not in page.get_text()


def test_no_launch_link_without_an_address(soups):
    """The published tree names nobody's account; with an address the links are there."""
    from coursekit.addresses import launch_links
    from coursekit.files import HERE

    entry = HERE.course()["notebooks"][0]
    wanted = launch_links(HERE.course(), entry)
    links = {a.get("href") for a in soups[f"{entry['name']}.html"].find_all("a")}
    if wanted:
        assert set(wanted.values()) <= links
    else:
        assert not any("colab.research.google.com/github" in (link or "") for link in links)
