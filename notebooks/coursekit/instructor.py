"""Pages for those who teach the course, made from what the notebooks and their checks hold.

Goals, sections, exercises and predictions come from a notebook; the answers to its predictions from
its stored outputs; usual mistakes and rubrics from the source of its checks, which is read and not
run. What an author adds (questions for a discussion, what to skip) stands in
``notebooks/book/teaching.yml``.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from coursekit.files import Tree, read, tags
from coursekit.quizzes import TAG as QUIZ
from coursekit.quizzes import quiz_path, to_html
from coursekit.slides import count_slides

# Minutes: how long a student takes. Measured on nobody yet: a teacher's estimate.
WORDS_A_MINUTE = 130
CODE_LINES_A_MINUTE = 15
MINUTES = {"read": 3, "write": 8, "fault": 6, "judge": 8, "predict": 1, "quiz": 6}
EXERCISE = re.compile(r"^### Exercise (?P<number>\d+) \((?P<rung>\w+)\): (?P<title>.*)$", re.M)
SECTION = re.compile(r"^## (?P<title>.*)$", re.M)
NO_SECTION = {"References"}
MARKUP = re.compile(r"([\\*_<>|$\[\]{}])")


@dataclass
class Section:
    """A section of a notebook.

    Attributes
    ----------
    title : of its heading.
    words, lines, predictions, quizzes : how much there is to read and to answer.
    exercises : of each, its number, its rung and its title.
    """

    title: str
    words: int = 0
    lines: int = 0
    predictions: int = 0
    quizzes: int = 0
    exercises: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def reading(self) -> float:
        """Minutes without exercises."""
        reading = self.words / WORDS_A_MINUTE + self.lines / CODE_LINES_A_MINUTE
        answering = self.predictions * MINUTES["predict"] + self.quizzes * MINUTES["quiz"]
        return reading + answering

    @property
    def practice(self) -> int:
        """Minutes for the exercises."""
        return sum(MINUTES.get(rung, 5) for _, rung, _ in self.exercises)


@dataclass(frozen=True)
class Check:
    """What the source of a check says.

    Attributes
    ----------
    mistakes : what a student is told who makes a usual mistake.
    rubric : what to look for in a paragraph; empty for other exercises.
    """

    mistakes: tuple[str, ...]
    rubric: str


def sections(notebook) -> list[Section]:
    """Return the sections of a notebook, the opening first."""
    found = [Section("Opening")]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for part in re.split(r"(?m)^(?=## )", cell.source):
                if heading := SECTION.match(part):
                    found.append(Section(heading["title"]))
                found[-1].words += len(part.split())
                found[-1].predictions += part.count("**Predict.**")
                exercises = [m.group("number", "rung", "title") for m in EXERCISE.finditer(part)]
                found[-1].exercises += exercises
        elif QUIZ in tags(cell):
            found[-1].quizzes += 1
        elif not {"solution", "hide-input", "bootstrap"} & set(tags(cell)):
            found[-1].lines += len(cell.source.splitlines())
    return [section for section in found if section.title not in NO_SECTION]


def predictions(notebook) -> list[tuple[str, str]]:
    """Return each prediction of a notebook: the question, and what was seen in the stored run."""
    questions, seen = {}, {}
    asked = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if match := re.search(r"\*\*Predict\.\*\*\s*(.*?)(?:\n\n|\Z)", cell.source, re.S):
                asked = " ".join(match[1].split())
            continue
        for call, name in re.findall(r"\b(predict|reveal)\(\s*\"([\w.]+)\"", cell.source):
            if call == "predict":
                questions[name], asked = asked, ""
            elif text := _seen(cell):
                seen[name] = text
    return [(question, seen.get(name, "")) for name, question in questions.items() if question]


def _seen(cell) -> str:
    shown = "\n".join(
        o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in cell.outputs
    )
    match = re.search(r"Seen: (.*)", shown)
    return match[1].strip() if match else ""


def checks(source: str) -> dict[str, Check]:
    """Read the source of ``hqnn_utils/exercises/nbNN.py``: what each check says."""
    module = _Module(ast.parse(source))
    found = {}
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.Dict) and _is_exercises(node)):
            continue
        for key, call in zip(node.keys, node.values, strict=True):
            rubric = next((k.value for k in call.keywords if k.arg == "rubric"), None)
            words = [text for part in module.used_by(call.args[0]) for text in module.words(part)]
            rubric = module.text(rubric).strip() if rubric else ""
            found[key.value] = Check(tuple(dict.fromkeys(words)), rubric)
    return found


def _is_exercises(node: ast.Dict) -> bool:
    """True for the table ``EXERCISES``: names, and calls of ``Exercise``."""
    return bool(node.values) and all(
        isinstance(v, ast.Call) and ast.unparse(v.func) == "Exercise" for v in node.values
    )


class _Module:
    """The source of a module: what its names stand for, and the texts in it."""

    def __init__(self, tree: ast.Module):
        self.tree = tree
        self.made = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
        self.made |= _assigned(tree.body)

    def used_by(self, node) -> list:
        """The node, and what it uses of the module, directly or not; each once."""
        found, waiting = [], [node]
        while waiting:
            part = waiting.pop(0)
            if part in found:
                continue
            found.append(part)
            names = [n.id for n in ast.walk(part) if isinstance(n, ast.Name)]
            waiting += [self.made[name] for name in names if name in self.made]
        return found

    def words(self, node):
        """Yield the second half of pairs (what is wrong, the word for it), values of tables."""
        local = _assigned(node.body) if isinstance(node, ast.FunctionDef) else {}
        for part in ast.walk(node):
            if isinstance(part, ast.Tuple) and len(part.elts) == 2:
                found = [part.elts[1]]
            elif isinstance(part, ast.Dict):
                found = part.values
            else:
                continue
            for word in found:
                text = self.text(word, local)
                if len(text.split()) >= 4:
                    yield text

    def text(self, node, local: dict | None = None) -> str:
        """A text as it stands in the source; what is computed later is an ellipsis."""
        local = local or {}
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text(part, local) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self.text(node.value, local) or "…"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.text(node.left, local) + self.text(node.right, local)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return self.text(node.func.value, local)  # "...".strip()
        if isinstance(node, ast.Name):
            known = local.get(node.id) or self.made.get(node.id)
            return self.text(known) if known is not None else ""
        return ""


def _assigned(body) -> dict:
    """What single names are set to in a body of statements."""
    return {
        target.id: statement.value
        for statement in body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def page_names(tree: Tree, course: dict) -> list[str]:
    """Names of the pages in their order."""
    pages = ["teaching"]
    for entry in course["notebooks"]:
        pages.append(f"teach_{entry['name'][:2]}")
    return [*pages, "quizzes"]


def write_pages(tree: Tree, course: dict, out: Path) -> None:
    """Write the pages into the sources of the book."""
    notes_file = tree.notebooks / "book" / "teaching.yml"
    notes = yaml.safe_load(notes_file.read_text(encoding="utf-8"))
    for entry in course["notebooks"]:
        text = page(tree, entry, notes.get(entry["name"][:2], {}))
        (out / f"teach_{entry['name'][:2]}.md").write_text(text, encoding="utf-8")
    (out / "quizzes.md").write_text(quizzes(tree, course), encoding="utf-8")


def page(tree: Tree, entry: dict, notes: dict) -> str:
    """Return the page about one notebook."""
    number, notebook = entry["name"][:2], read(tree.path_of(entry))
    source = tree.root / "hqnn_utils" / "exercises" / f"nb{number}.py"
    known = checks(source.read_text(encoding="utf-8")) if source.exists() else {}
    links = [f"[The notebook]({entry['name']}.ipynb)"]
    if slides := count_slides(notebook):
        links.append(f'<a href="slides/{entry["name"]}.html">{slides} slides</a>')
    if quiz_path(tree, number).exists():
        links.append(f"[quiz](#quiz-{number})")
    parts = [
        f"# Teaching {number} · {entry['title']}",
        f"**{entry['question']}**",
        " · ".join(links),
        _goals(notebook),
        _timing(sections(notebook)),
        _answers(predictions(notebook)),
        _usual_mistakes(notebook, known),
        _listed("Questions for a discussion", notes.get("discuss")),
        _rubrics(known, notebook),
        _listed("If time is short", notes.get("skip")),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _goals(notebook) -> str:
    goals = [
        line
        for cell in notebook.cells[:6]
        for line in cell.source.splitlines()
        if re.match(r"- \*\*\w+\*\*", line)
    ]
    return "\n".join(["## Goals", "", *goals]) if goals else ""


def _timing(parts: list[Section]) -> str:
    rows = ["| section | reading and running | exercises |", "|---|---|---|"]
    for section in parts:
        names = ", ".join(number for number, _, _ in section.exercises)
        practice = f"{section.practice} min (exercise {names})" if names else ""
        rows.append(f"| {_cell(section.title)} | {section.reading:.0f} min | {practice} |")
    reading = sum(section.reading for section in parts)
    practice = sum(section.practice for section in parts)
    total = f"| **together** | **{reading:.0f} min** | **{practice} min** |"
    about = (
        "Estimated from the words, the lines of code and the exercises, not measured in a class. "
        "The machine's own time stands on the page [Measured times](times.md)."
    )
    return "\n".join(["## Timing", "", *rows, total, "", about])


def _answers(found: list[tuple[str, str]]) -> str:
    if not found:
        return ""
    rows = ["| question | seen in the stored run |", "|---|---|"]
    rows += [f"| {_cell(q)} | {_one_line(a) or 'see the notebook'} |" for q, a in found]
    return "\n".join(["## Predictions and what was seen", "", *rows])


def _usual_mistakes(notebook, known: dict[str, Check]) -> str:
    """By exercise, in the order of the notebook: what the check says to usual wrong answers."""
    lines = []
    for number, rung, title, name in _exercises(notebook):
        words = known[name].mistakes if name in known else ()
        if words:
            lines += ["", f"**Exercise {number} ({rung}): {title}**", ""]
            lines += [f"- {_one_line(word)}" for word in words]
    about = (
        "The checks know these answers and meet them with these words. Reading them before the "
        "lesson shows what to expect."
    )
    return _section("What students get wrong", about, lines)


def _exercises(notebook) -> list[tuple[str, str, str, str]]:
    """Number, rung, title and name of each exercise."""
    found, heading = [], None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            matches = list(EXERCISE.finditer(cell.source))
            heading = matches[-1].groups() if matches else heading
        elif "exercise" in tags(cell) and heading:
            if name := re.search(r'check\(\s*"([\w.]+)"', cell.source):
                found.append((*heading, name[1]))
            heading = None
    return found


def _rubrics(known: dict[str, Check], notebook) -> str:
    lines = []
    for number, _, title, name in _exercises(notebook):
        if name in known and known[name].rubric:
            lines += ["", f"**Exercise {number}: {title}**", "", _plain(known[name].rubric)]
    about = (
        "The check of a paragraph sees whether the words that matter are there. "
        "Whether they make sense together, a person has to judge."
    )
    return _section("Rubric for the written exercises", about, lines)


def _section(title: str, about: str, lines: list[str]) -> str:
    """A section of the page; nothing where there are no lines to show."""
    return "\n".join([f"## {title}", "", about, *lines]) if lines else ""


def _plain(text: str) -> str:
    """A text of several lines: lists stay lists, a list begins behind an empty line."""
    lines = [MARKUP.sub(r"\\\1", line.rstrip()) for line in text.strip().splitlines()]
    made = []
    for line in lines:
        if line.startswith("- ") and made and not made[-1].startswith(("- ", "  ")):
            made.append("")
        made.append(line)
    return "\n".join(made)


def _listed(heading: str, items: list[str] | None) -> str:
    return "\n".join([f"## {heading}", "", *(f"- {item}" for item in items)]) if items else ""


def _one_line(text: str) -> str:
    """A text of the source as Markdown shows it: nothing in it is markup."""
    return MARKUP.sub(r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    """A text inside a table."""
    return " ".join(text.split()).replace("|", r"\|")


def quizzes(tree: Tree, course: dict) -> str:
    """Return the page of all quizzes."""
    lines = [
        "# Quizzes",
        "",
        "Six questions a notebook, for the end of a lesson or before the next one. Choose an "
        "answer, and you read what is to be said about it. Nothing is recorded. Each notebook has "
        "its questions near its end too.",
    ]
    for entry in course["notebooks"]:
        number = entry["name"][:2]
        if quiz_path(tree, number).exists():
            lines += ["", f"(quiz-{number})=", f"## {number} · {entry['title']}", ""]
            lines += ["```{raw} html", to_html(tree, number), "```"]
    return "\n".join(lines) + "\n"
