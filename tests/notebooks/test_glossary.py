"""The glossary: one form for all entries, and no page uses a word before it is introduced."""

import re

import nbformat
import pytest
from coursekit.files import HERE, read
from coursekit.glossary import Entry, not_bold, prose, read_glossary, used_too_early

ENTRIES = HERE.course()["notebooks"]
NUMBERS = [e["name"][:2] for e in ENTRIES]
WORDS = read_glossary(HERE.glossary)
REBUILT = [e for e in ENTRIES if e.get("rebuilt")]


def page(entry):
    return prose(read(HERE.path_of(entry)))


# ------------------------------------------------------------------------------ our own pages


def test_every_word_is_explained_once_and_in_alphabetical_order():
    assert len(WORDS) >= 120
    words = [entry.word for entry in WORDS]
    assert words == sorted(words, key=lambda w: re.sub(r"[^a-z0-9 ]", "", w.lower()))
    forms = [f for e in WORDS for f in {f.lower() for f in e.unmistakable}]
    assert len(set(forms)) == len(forms), sorted(f for f in forms if forms.count(f) > 1)


def test_explanations_are_short_sentences():
    for entry in WORDS:
        assert entry.text[0].isupper() or not entry.text[0].isalpha(), entry
        assert entry.text.endswith("."), entry
        assert 4 <= len(entry.text.split()) <= 50, entry


def test_words_are_introduced_by_notebooks_that_exist():
    assert {entry.notebook for entry in WORDS} <= set(NUMBERS)


def test_letters_head_their_words():
    letter = None
    for line in HERE.glossary.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            letter = line[3:]
        elif line.startswith("- "):
            assert line[4].upper() == letter, line


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e["name"])
def test_no_word_is_used_before_it_is_introduced(entry):
    assert used_too_early(WORDS, {entry["name"][:2]: page(entry)}) == []


@pytest.mark.parametrize("entry", REBUILT, ids=lambda e: e["name"])
def test_words_are_bold_where_they_are_introduced(entry):
    assert not_bold(WORDS, entry["name"][:2], page(entry)) == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e["name"])
def test_every_notebook_links_to_the_glossary(entry):
    last = [c.source for c in read(HERE.path_of(entry)).cells if "**Next:**" in c.source]
    assert len(last) == 1
    assert "(glossary.md)" in last[0]


# ------------------------------------------------------------------------- the tool behind it


def a_page(*markdown):
    parameters = nbformat.v4.new_code_cell("P = 1")
    parameters.metadata["tags"] = ["parameters"]
    cells = [nbformat.v4.new_markdown_cell("the qubit in the opening"), parameters]
    cells += [nbformat.v4.new_markdown_cell(text) for text in markdown]
    return nbformat.v4.new_notebook(cells=cells)


def glossary(tmp_path, *lines):
    path = tmp_path / "glossary.md"
    path.write_text("\n".join(["# Glossary", "", *lines]), encoding="utf-8")
    return read_glossary(path)


def test_an_entry_has_a_fixed_form(tmp_path):
    found = glossary(tmp_path, "- **ansatz** (05; ansätze, the ansatz): A part.", "", "no entry")
    assert found == [Entry("ansatz", "05", ("ansätze", "the ansatz"), "A part.")]
    assert glossary(tmp_path, "- **split** (00): A part.") == [Entry("split", "00", (), "A part.")]
    for wrong in ("- ansatz (05): A part.", "- **ansatz** (5): A part.", "- **ansatz** (05):"):
        with pytest.raises(ValueError, match="not an entry"):
            glossary(tmp_path, wrong)


def test_prose_is_what_is_said_between_opening_and_references():
    text = prose(
        a_page(
            "## 1 · A heading\n\nSaid `not_said` and $hidden$.\n\n```python\nqubit = 1\n```",
            "A [link](qubit.ipynb).\n\n$$\nformula\n$$\n\n## References\n\n- A title",
            "said after the references",
        )
    )
    for word in ("Said", "link", "A heading"):
        assert word in text
    for word in ("opening", "not_said", "hidden", "qubit", "formula", "title", "after"):
        assert word not in text


QUBIT = Entry("qubit", "04", ("qubits",), "A bit.")
STATE = Entry("state, quantum", "04", (), "Amplitudes.")


@pytest.mark.parametrize(
    ("text", "early"),
    [
        ("A qubit is used.", True),
        ("Two **Qubits** are used.", True),
        ("A qubit-like thing, and subqubit.", False),
        ("Notebook 04 explains what a qubit is.", False),
        ("What a qubit is explains [04 · Qubits].", False),
        ("Notebook 04 explains it. A qubit is small.", True),
        ("We state the state of things.", False),
        ("The quantum state is a list.", True),
    ],
)
def test_early_use_is_found(text, early):
    found = used_too_early([QUBIT, STATE], {"01": text})
    assert bool(found) == early
    assert used_too_early([QUBIT, STATE], {"04": text, "05": text}) == []


def test_the_message_names_word_and_notebooks():
    found = used_too_early([QUBIT], {"01": "qubit", "02": "none"})
    assert found == ["01 uses 'qubit', which 04 introduces"]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("## A qubit\n\nThis is a **qubit**, its **state**. A qubit.", []),
        ("A qubit. This is a **qubit** in a **state**.", ["qubit"]),
        ("Some **more qubits** in a **quantum state**.", []),
        ("Nothing, **state**.", ["qubit"]),
        ("We state: a **qubit**.", ["state, quantum"]),
        ("We state: a **qubit** has a **state**.", []),
    ],
)
def test_words_that_are_not_bold_are_found(text, missing):
    assert not_bold([QUBIT, STATE], "04", text) == missing
    assert not_bold([QUBIT, STATE], "05", text) == []
