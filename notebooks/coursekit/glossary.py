"""The glossary, and what the pages do with its words.

One entry is one line of ``glossary.md``::

    - **ansatz** (05; ansätze): The trainable part of a circuit ...

the word, the notebook that introduces it, other forms of the word, one or two sentences. An
everyday word with a special meaning has a comma: **state, quantum**.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from coursekit.files import tags

ENTRY = re.compile(
    r"- \*\*(?P<word>[^*]+)\*\* \((?P<notebook>\d\d)(; (?P<forms>[^()]+))?\): (?P<text>\S.*)"
)
# What is no running text: code, formulas, addresses, the last line.
NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|^\*\*Next:\*\*[^\n]*", re.S | re.M
)
HEADING = re.compile(r"^#+ .*$", re.M)
POINTER = re.compile(r"notebooks? \d\d|\[\d\d\b", re.I)


@dataclass(frozen=True)
class Entry:
    """One word of the glossary.

    Attributes
    ----------
    word : as it stands in the glossary.
    notebook : two digits.
    forms : other forms.
    text : the explanation.
    """

    word: str
    notebook: str
    forms: tuple[str, ...]
    text: str

    @property
    def unmistakable(self) -> tuple[str, ...]:
        """Forms that mean this and nothing else: not the first part of a word with a comma."""
        word, comma, rest = self.word.partition(", ")
        both = (f"{rest} {word}", f"{word} {rest}") if comma else (word,)
        return (*both, *self.forms)

    @property
    def all_forms(self) -> tuple[str, ...]:
        """Forms by which the introducing page may call it."""
        return (self.word.partition(", ")[0], *self.unmistakable)


def read_glossary(path: Path) -> list[Entry]:
    """Read the entries.

    Raises
    ------
    ValueError : a line that begins like an entry and is none.
    """
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("- "):
            continue
        found = ENTRY.fullmatch(line)
        if found is None:
            raise ValueError(f"not an entry '- **word** (NN; other forms): Text.': {line!r}")
        forms = tuple(found["forms"].split(", ")) if found["forms"] else ()
        entries.append(Entry(found["word"], found["notebook"], forms, found["text"]))
    return entries


def prose(notebook) -> str:
    """Return the running text behind the opening and before the references, with its bold words.

    The heading of the quiz, which ``sync`` writes, is no text of the author's.
    """
    parts = []
    opened = False
    for cell in notebook.cells:
        opened = opened or "parameters" in tags(cell)
        if cell.cell_type != "markdown" or not opened or "quiz" in tags(cell):
            continue
        text, found, _ = cell.source.partition("## References")
        parts.append(NOT_PROSE.sub(" ", text))
        if found:
            break
    return "\n\n".join(parts)


def uses(text: str, form: str) -> re.Match | None:
    """Find the first use of a form as a whole word; the case of letters does not count."""
    return re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", text, re.I)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, roughly."""
    return re.split(r"(?<=[.?!:])\s+|\n\n+|\n[-|]", text)


def used_too_early(entries: list[Entry], pages: dict[str, str]) -> list[str]:
    """Return the words that a page uses before the notebook that introduces them.

    ``pages`` gives the prose of each notebook by its number. A sentence that points to a notebook
    may use its words.
    """
    found = []
    for number, text in pages.items():
        said = "\n\n".join(s for s in sentences(text) if not POINTER.search(s)).replace("**", "")
        for entry in entries:
            if number < entry.notebook and any(uses(said, form) for form in entry.unmistakable):
                found.append(f"{number} uses {entry.word!r}, which {entry.notebook} introduces")
    return found


def not_bold(entries: list[Entry], number: str, text: str) -> list[str]:
    """Return the words of a notebook that are not bold at their first use in its running text.

    An everyday word with a special meaning has to be bold somewhere.
    """
    text = HEADING.sub(" ", text)
    bold = [match.span() for match in re.finditer(r"\*\*[^*]+\*\*", text)]
    bold_text = "\n".join(text[a:b] for a, b in bold)
    found = []
    for entry in entries:
        if entry.notebook != number:
            continue
        if ", " in entry.word:
            introduced = any(uses(bold_text, form) for form in entry.all_forms)
        else:
            first = min(
                (m.start() for form in entry.all_forms if (m := uses(text, form))), default=-1
            )
            introduced = any(a < first < b for a, b in bold)
        if not introduced:
            found.append(entry.word)
    return found
