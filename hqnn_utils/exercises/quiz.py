"""Six questions a notebook, with a word for each answer: ``quiz("04")``.

The questions lie in ``quizzes/NN.json``. The page needs no script: what is to be said about an
answer is shown by the style sheet when the answer is chosen. It looks the same in a notebook, in
Colab and in the book, which calls ``to_html`` too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from hqnn_utils.runtime.arguments import checked

QUIZZES = Path(__file__).resolve().parent / "quizzes"
STYLE = """\
<style>
.hqnn-quiz fieldset { border: 1px solid #8888; border-radius: 4px; margin: 1em 0; padding: 0.6em 1em; }
.hqnn-quiz legend { float: left; font-size: 1em; font-weight: bold; margin: 0 0 0.4em; width: 100%; }
.hqnn-quiz .answer { clear: both; display: grid; grid-template-columns: 1.6em 1fr; padding: 0.2em 0; }
.hqnn-quiz input { margin: 0.4em 0 0; }
.hqnn-quiz label { cursor: pointer; margin: 0; }
.hqnn-quiz .say { border-left: 3px solid; display: none; grid-column: 2; margin: 0.2em 0 0.4em; padding-left: 0.6em; }
.hqnn-quiz .right { border-color: #009e73; }
.hqnn-quiz .wrong { border-color: #d55e00; }
.hqnn-quiz input:checked ~ .say { display: block; }
</style>"""  # noqa: E501
QUESTION = Template("<fieldset>\n<legend>$number. $question</legend>\n$answers\n</fieldset>")
ANSWER = Template(
    '<div class="answer"><input type="radio" name="$name" id="$id"><label for="$id">$text</label>'
    '<div class="say $kind" role="status"><b>$verdict</b> $say</div></div>'
)


@dataclass(frozen=True)
class Quiz:
    """The questions of one notebook, as a notebook shows them.

    Attributes
    ----------
    number : two digits.
    questions : each a dict of ``question`` and ``answers``; an answer has ``text``, ``say`` and,
        if it is the right one, ``right``.
    """

    number: str
    questions: tuple[dict, ...]

    def _repr_html_(self) -> str:
        return to_html(self.questions, f"quiz{self.number}")

    def __repr__(self) -> str:
        lines = []
        for number, question in enumerate(self.questions, 1):
            lines.append(f"{number}. {question['question']}")
            letters = zip("abcdef", question["answers"], strict=False)
            lines += [f"   {letter}) {answer['text']}" for letter, answer in letters]
        return "\n".join(lines)


def known_quizzes() -> list[str]:
    """Numbers of the notebooks that have a quiz."""
    return sorted(path.stem for path in QUIZZES.glob("*.json"))


def quiz(number: str) -> Quiz:
    """The quiz of a notebook.

    Raises
    ------
    ValueError : a notebook that has none; the message names those that have one.
    """
    if number not in known_quizzes():
        raise ValueError(f"no quiz {number!r}; known: {', '.join(known_quizzes())}")
    text = (QUIZZES / f"{number}.json").read_text(encoding="utf-8")
    return Quiz(number, tuple(json.loads(text)))


def to_html(questions, key: str) -> str:
    """A piece of a page. ``key`` makes its names unlike those of other quizzes on the page."""
    parts = [STYLE, '<div class="hqnn-quiz">']
    for number, question in enumerate(questions, 1):
        name = f"{key}-{number}"
        answers = "\n".join(
            ANSWER.substitute(
                name=name,
                id=f"{name}-{index}",
                text=_marked(answer["text"]),
                kind="right" if answer.get("right") else "wrong",
                verdict="Right." if answer.get("right") else "Not yet.",
                say=_marked(answer["say"]),
            )
            for index, answer in enumerate(question["answers"], 1)
        )
        parts.append(
            QUESTION.substitute(
                number=number, question=_marked(question["question"]), answers=answers
            )
        )
    return "\n".join([*parts, "</div>"])


def _marked(text: str) -> str:
    """HTML of a text in which `code` stands between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


checked(__name__)
