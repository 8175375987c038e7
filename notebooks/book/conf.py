"""Settings of Sphinx for the book: everything is served from the site itself, nothing is executed.

``coursekit.book`` calls Sphinx with this file.
"""

import sys
from pathlib import Path

from docutils import nodes

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from coursekit.addresses import source_address  # noqa: E402
from coursekit.book import ALT_KEY  # noqa: E402
from coursekit.files import HERE as TREE  # noqa: E402
from coursekit.scripts import MATHJAX  # noqa: E402

course = TREE.course()
project = course["title"]
author = "The hqnn_utils maintainers"
copyright = f"{author}; text CC BY 4.0, code Apache-2.0"
language = "en-GB"

extensions = ["myst_nb", "sphinx_copybutton"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # no scripts of other servers; what the course stores needs none

html_theme = "sphinx_book_theme"
html_title = course["title"]
html_static_path = ["static", str(TREE.root / "build" / "book-source" / "_static")]
html_css_files = ["book.css"]
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_favicon = "static/favicon.svg"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": True,  # print, or save as PDF
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search stands in the sidebar
}
if address := source_address(course):
    html_theme_options |= {"repository_url": address, "use_repository_button": True}

mathjax_path = f"mathjax/{Path(MATHJAX).name}"
mathjax3_config = {"options": {"enableMenu": False}}


def give_alt_texts(app, doctree) -> None:
    """Give every stored figure of a page the alt text that its notebook has for it."""
    for cell in doctree.findall(nodes.container):
        alts = (cell.get("cell_metadata") or {}).get("mystnb", {}).get(ALT_KEY, [])
        for image, alt in zip(cell.findall(nodes.image), alts, strict=False):
            image["alt"] = alt


def setup(app):
    """Sphinx calls this."""
    app.connect("doctree-read", give_alt_texts)
