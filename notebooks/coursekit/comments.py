"""Comments in code cells that speak to pages, not to Python.

``# alt: ...``          the alt text of a figure that the cell draws, see ``alt``
``# @title Solution``   the line under which Colab folds a solution, see ``folding``

None of them changes what a cell computes, so none of them counts in the digest of the code.
"""

from __future__ import annotations

import re

# A comment "# alt: ..." and the lines after it that are indented behind their "#".
ALT = re.compile(r"^# alt:(?P<text>.*(?:\n#   .*)*)\n?", re.M)
SOLUTION_TITLE = "# @title Solution"


def alt_texts(source: str) -> list[str]:
    """Return the alt texts that a cell's comments give, in their order."""
    found = [match["text"].replace("\n#", " ") for match in ALT.finditer(source)]
    return [" ".join(text.split()) for text in found]


def without_title(source: str) -> str:
    """Return the source without the line that Colab shows instead of a folded solution."""
    return source.partition("\n")[2] if is_titled(source) else source


def is_titled(source: str) -> bool:
    """True where the first line is the title of a folded solution."""
    return source.split("\n", 1)[0].rstrip() == SOLUTION_TITLE


def code_only(source: str) -> str:
    """Return the source without all these comments."""
    return ALT.sub("", without_title(source))
