"""Quizzes: six questions each, one right answer, a word for every answer, no give-away."""

import json
import re
from collections import Counter

import pytest
from bs4 import BeautifulSoup

from hqnn_utils.exercises import quiz
from hqnn_utils.exercises.quiz import QUIZZES, known_quizzes, to_html

each = pytest.mark.parametrize("number", known_quizzes())


@each
def test_six_questions_with_a_word_for_each_answer(number):
    questions = quiz(number).questions
    assert len(questions) == 6
    assert len({q["question"] for q in questions}) == 6
    for question in questions:
        answers = question["answers"]
        assert 3 <= len(answers) <= 4
        assert [a.get("right", False) for a in answers].count(True) == 1, question["question"]
        assert len({a["text"] for a in answers}) == len(answers)
        assert all(len(a["say"]) >= 15 for a in answers), question["question"]


def test_the_right_answer_is_neither_always_the_longest_nor_always_in_one_place():
    questions = [q for number in known_quizzes() for q in quiz(number).questions]
    places, longest = Counter(), 0
    for question in questions:
        lengths = [len(a["text"]) for a in question["answers"]]
        (place,) = [i for i, a in enumerate(question["answers"]) if a.get("right")]
        places[place] += 1
        others = [length for i, length in enumerate(lengths) if i != place]
        longest += lengths[place] > 1.25 * max(others) + 4
    assert longest <= 0.2 * len(questions)
    assert max(places.values()) <= 0.5 * len(questions), places


@each
def test_the_page_shows_what_is_said_only_to_the_chosen_answer(number):
    soup = BeautifulSoup(quiz(number)._repr_html_(), "html.parser")
    assert len(soup.find_all("fieldset")) == 6
    for choice in soup.find_all("input"):
        label = soup.find("label", attrs={"for": choice["id"]})
        assert label.get_text().strip()
        assert "say" in choice.find_next_sibling("div")["class"]
    assert "script" not in {tag.name for tag in soup.find_all()}
    assert re.search(r"\.say \{[^}]*display: none", soup.style.get_text())
    assert "input:checked ~ .say { display: block; }" in soup.style.get_text()


def test_what_is_written_is_no_markup_and_code_is_code():
    answers = [{"text": "a < b", "say": "x `1 < 2` y", "right": True}, {"text": "<b>", "say": "z"}]
    page = to_html([{"question": "Is `a` < b?", "answers": answers}], "k")
    assert "Is <code>a</code> &lt; b?" in page
    assert "<code>1 &lt; 2</code>" in page
    assert "&lt;b&gt;" in page


def test_a_quiz_can_be_read_without_a_page_and_tells_no_answer():
    text = repr(quiz("04"))
    assert text.splitlines()[0].startswith("1. ")
    assert "a) " in text
    assert quiz("04").questions[0]["answers"][0]["say"] not in text


def test_an_unknown_quiz_is_named():
    with pytest.raises(ValueError, match="no quiz '99'; known: 00, 01"):
        quiz("99")


def test_files_are_json_lists():
    for number in known_quizzes():
        assert isinstance(json.loads((QUIZZES / f"{number}.json").read_text("utf-8")), list)
