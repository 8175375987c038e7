"""The graders: honest rounding is accepted and nothing else; faults are named; nothing crashes."""

import math
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hqnn_utils.exercises import Verdict
from hqnn_utils.exercises.exercise import OPEN_MESSAGE, Exercise
from hqnn_utils.exercises.grading import (
    OPEN,
    PLAIN_HINT,
    argument,
    choice,
    faulty_lines,
    function,
    number,
    paragraph,
    together,
)
from hqnn_utils.exercises.values import same, show, show_both

TRUTHS = st.builds(
    lambda mantissa, exponent, sign: sign * mantissa * 10.0**exponent,
    st.floats(1.0, 9.999999),
    st.integers(-12, 8),
    st.sampled_from((-1, 1)),
)


def rounded(value, digits):
    """A number rounded to some significant digits: exact decimal arithmetic."""
    exact = Decimal(value)
    unit = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    return exact.quantize(unit, rounding=ROUND_HALF_EVEN)


def is_right(answer, truth, **options):
    return number(answer, truth, "right", tolerance=0.0, **options).ok is True


# ---------------------------------------------------------------- a number: rounding


@given(truth=TRUTHS, digits=st.integers(2, 12))
@example(truth=1234.4, digits=2)
@example(truth=1.2345e-5, digits=2)
@example(truth=-0.7049, digits=2)
@example(truth=9.96, digits=2)
def test_every_honest_rounding_is_accepted(truth, digits):
    value = rounded(truth, digits)
    forms = [float(value), np.float64(value), str(value), f"{float(value):.12g}", f"{value:e}"]
    forms += [torch.tensor(float(value), dtype=torch.float64), np.array([float(value)]), value]
    for form in forms:
        assert is_right(form, truth), (form, truth)


@given(truth=TRUTHS, digits=st.integers(1, 8), steps=st.integers(1, 500), up=st.booleans())
def test_what_lies_further_than_a_rounding_is_not(truth, digits, steps, up):
    unit = Decimal(1).scaleb(Decimal(truth).adjusted() - digits + 1)
    value = rounded(truth, digits) + (steps if up else -steps) * unit
    assume(value != 0)
    # Digits that end in zeros say less: 0.70 is 0.7, and then the second digit decides.
    written = value.normalize().as_tuple().exponent
    second = Decimal(truth).adjusted() - 1
    allowed = Decimal("0.5") * Decimal(10) ** min(written, second)
    assume(abs(value - Decimal(truth)) > allowed * (1 + Decimal("1e-6")))
    verdict = number(float(value), truth, "right", tolerance=0.0)
    assert verdict.ok is False, (value, truth)


@given(truth=TRUTHS)
def test_one_digit_is_too_few_unless_it_is_exact(truth):
    value = rounded(truth, 1)
    two = rounded(truth, 2)
    off = abs(value - Decimal(truth))
    assume(off > Decimal("0.50001") * Decimal(1).scaleb(two.as_tuple().exponent))
    assume(Decimal(truth).adjusted() == value.adjusted())
    said = number(float(value), truth, "right", tolerance=0.0).message
    assert said.endswith("is rounded too far: give at least two digits")


@pytest.mark.parametrize("value", [0.7308, 0.731, 0.73, "0.73", 0.7307692, "7.3e-1"])
def test_a_share_as_a_share(value):
    assert number(value, 0.73077, "right", share=True) == Verdict(True, "right")


@pytest.mark.parametrize("value", [73.1, 73, 73.08, "73 %", "73.1%", np.float32(73.1), "7.31e1"])
def test_a_share_in_per_cent(value):
    said = number(value, 0.73077, "right", share=True)
    assert said.ok is True
    assert said.message.startswith("right (you gave per cent; as a share it is 0.73")
    plain = number(value, 0.73077, "right")
    assert plain.ok is ("%" in str(value))


@pytest.mark.parametrize("value", [0.7, 0.7346, 0.74, 7.3, 72.4, 730.8, 0.0073, "0.74 %", -0.73])
def test_what_is_no_rounding_of_a_share(value):
    assert number(value, 0.73077, "right", share=True).ok is False


@given(truth=st.floats(0.01, 0.999), digits=st.integers(2, 6))
def test_per_cent_is_the_same_rounding(truth, digits):
    value = rounded(100 * truth, digits)
    assert number(float(value), truth, "right", share=True).ok is True
    assert number(f"{value} %", truth, "right", share=True).ok is True


def test_the_usual_tolerance_is_a_thousandth():
    assert number(0.73004, 0.73077, "right").ok is True
    assert number(0.73003, 0.73077, "right").ok is False
    assert number(-0.73004, -0.73077, "right").ok is True
    assert number(0.738, 0.73077, "right", tolerance=0.01).ok is True
    assert number(0.742, 0.73077, "right", tolerance=0.01).ok is False


def test_counts_are_exact():
    for value in (13, 13.0, "13", np.int64(13), torch.tensor(13), 1.3e1, True + 12):
        assert number(value, 13, "right", whole=True).ok is True
    for value in (13.01, 12, 14, 12.5, 10, 1e1):
        assert number(value, 13, "right", whole=True).ok is False
    assert number(1200, 1234, "right", whole=True).ok is False
    assert number(1200, 1234, "right").ok is True
    assert number(16_777_217, 2**24, "right", whole=True).ok is False


def test_zero():
    assert number(0, 0.0, "right").ok is True
    assert number(-0.0, 0, "right", whole=True).ok is True
    for value in (0.4, 0.04, 1e-9, -1):
        assert number(value, 0.0, "right").ok is False
    assert number(0, 1e-17, "right", tolerance=1e-9).ok is True
    assert number(0, 0.3, "right").ok is False


# ---------------------------------------------------------------- a number: what is said


WRONG = [(0.26923, "the share of the others"), (0.5, "a coin"), (float("nan"), "never")]


@pytest.mark.parametrize("value", [0.269, 0.27, 26.9, "27 %", np.float64(0.2692)])
def test_usual_wrong_values_are_met_with_their_word(value):
    assert number(value, 0.73077, "right", WRONG, share=True) == (
        Verdict(False, "the share of the others")
    )


def test_the_first_word_that_fits_is_said():
    wrong = [(0.5, "first"), (0.501, "second")]
    assert number(0.5, 0.9, "right", wrong).message == "first"
    assert number(0.9, 0.9, "right", [(0.9, "never")]).ok is True


def test_the_tolerance_of_a_wrong_value_is_relative():
    wrong = [(16.8, "in millions"), (24.0, "the exponent"), (100 * 2**24, "too much")]
    for value, word in ((16.8, wrong[0][1]), (24, wrong[1][1]), (1.6777e9, wrong[2][1])):
        assert number(value, 2**24, "right", wrong).message == word
    assert number(18, 2**24, "right", wrong).message.startswith("18 is not it")
    assert number(5.1, 0.0, "right", [(5, "five")], tolerance=0.2).message == "five"


def test_words_for_undefined_values_do_no_harm():
    undefined = [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (0.0, "nothing")]
    assert number(0, 0.3, "right", undefined).message == "nothing"
    assert number(0.2, 0.3, "right", undefined).message == f"0.2 is not it; {PLAIN_HINT}"
    assert number(0.2, math.nan, "right").ok is False, "an undefined truth is reached by nobody"


def test_wrong_values_beside_a_count_may_be_rounded():
    wrong = [(2.6493, "per cent points"), (5, "another count")]
    assert number(2.65, 4, "right", wrong, whole=True).message == "per cent points"
    assert number(5, 4, "right", wrong, whole=True).message == "another count"
    assert number(4.9, 4, "right", wrong, whole=True).message.startswith("4.9 is not it")


@pytest.mark.parametrize(
    ("value", "truth", "said"),
    [
        (0.7, 0.7308, "0.7 is rounded too far: give at least two digits"),
        (1000, 1234, "1000 is rounded too far: give at least two digits"),
        (0.73, 0.7389, "0.73 is cut off: round it, or give more digits"),
        (1.2e-5, 1.28e-5, "1.2e-05 is cut off: round it, or give more digits"),
        (-0.73, -0.7389, "-0.73 is cut off: round it, or give more digits"),
        (-0.73, 0.7308, "-0.73 has the right size and the wrong sign"),
        (0.731, -0.7308, "0.731 has the right size and the wrong sign"),
        (0.75, 0.7308, f"0.75 is not it; {PLAIN_HINT}"),
        (0.33333333333333, 0.7308, f"0.333333 is not it; {PLAIN_HINT}"),
        ("1e3", 0.7308, f"1e3 is not it; {PLAIN_HINT}"),
    ],
)
def test_what_is_said_to_a_number_that_nobody_foresaw(value, truth, said):
    assert number(value, truth, "right") == Verdict(False, said)


def test_a_share_that_is_cut_off():
    said = number(73, 0.7389, "right", share=True).message
    assert said == "73 is cut off: round it, or give more digits"
    assert number(13, 14, "right", whole=True).message.startswith("13 is not it")
    assert number(-13, 13, "right", whole=True).message == (
        "-13 has the right size and the wrong sign"
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "None"),
        ("many", "the text 'many'"),
        ("", "the text ''"),
        ("0,73", "the text '0,73'"),
        ([1, 2], "2 of them"),
        ((0, 73), "2 of them (the decimal sign is a point)"),
        (np.zeros((2, 2)), "4 of them"),
        (torch.zeros(3), "3 of them"),
        ([], "0 of them"),
        ([[1], [2, 3]], "a value of type list"),
        ({}, "a value of type dict"),
        (1 + 2j, "a value of type complex"),
        (True, "True or False"),
        (np.bool_(False), "True or False"),
        (torch.tensor(True), "True or False"),
        (float("nan"), "nan, which is not finite"),
        ("inf", "inf, which is not finite"),
        (np.float64("-inf"), "-inf, which is not finite"),
        (math.sqrt, "a function: call it, with brackets behind its name"),
        (Exercise, "a function: call it, with brackets behind its name"),
    ],
)
def test_what_is_no_number(value, found):
    assert number(value, 1.0, "right") == Verdict(False, f"expected one number, got {found}")


@pytest.mark.parametrize(
    "form",
    [
        float,
        str,
        np.float64,
        np.float32,
        np.float16,
        Decimal,
        Fraction,
        torch.tensor,
        pd.Series,
        lambda v: torch.tensor(v, dtype=torch.float64),
        lambda v: torch.tensor([[v]], requires_grad=True) * 1,
        lambda v: np.array(v),
        lambda v: [v],
    ],
)
def test_a_number_counts_in_every_form(form):
    """0.73 is two digits, also in float32, where it is 0.7300000190734863."""
    value = form("0.73") if form in (Decimal, Fraction) else form(0.73)
    if form is pd.Series:
        value = form([0.73])
    assert number(value, 0.7308, "right", tolerance=0.0).ok is True
    assert number(value, 0.79, "right").ok is False


def test_bfloat16_is_read_although_numpy_lacks_it():
    """It holds two digits: 0.73 is stored as 0.7305."""
    assert number(torch.tensor(0.73, dtype=torch.bfloat16), 0.7308, "right").ok is True


def test_a_number_left_open():
    assert number(..., 1.0, "right") == OPEN == Verdict(None, OPEN_MESSAGE)


# ---------------------------------------------------------------- a choice


OTHERS = {"falls": "look at the last epochs", "neither": "one of them does"}


@pytest.mark.parametrize("answer", ["rises", " Rises. ", "RISES", np.str_("rises")])
def test_the_right_word(answer):
    assert choice(answer, "rises", "right", OTHERS) == Verdict(True, "right")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Falls", "look at the last epochs"),
        ("neither.", "one of them does"),
        (
            "goes up",
            "'goes up' is none of the words: choose one of 'falls', 'neither', 'rises'",
        ),
        (1, "expected a text, one of 'falls', 'neither', 'rises'"),
        (None, "expected a text, one of 'falls', 'neither', 'rises'"),
    ],
)
def test_other_words(answer, said):
    assert choice(answer, "rises", "right", OTHERS) == Verdict(False, said)
    assert choice(..., "rises", "right", OTHERS) == OPEN


# ---------------------------------------------------------------- a function


def mean_square(values):
    return float(np.mean(np.asarray(values) ** 2))


SQUARES = [([1.0, 2.0],), ([0.0, -3.0, 1.0],), (np.array([2.0, 2.0]),)]
FAULTS = [
    (lambda v: float(np.mean(v) ** 2), "square first, then average"),
    (lambda v: float(np.sum(np.asarray(v) ** 2)), "divide by their number"),
]


def grade(answer, **options):
    return function(answer, mean_square, SQUARES, "right", FAULTS, **options)


@pytest.mark.parametrize(
    "answer",
    [
        mean_square,
        lambda v: sum(x * x for x in v) / len(v),
        lambda v: np.float32(np.mean(np.square(v))),
        lambda v: torch.tensor(v, dtype=torch.float32).square().mean(),
        lambda v: torch.tensor(v, requires_grad=True).square().mean(),
        lambda v: mean_square(v) * (1 + 1e-9),
    ],
)
def test_a_right_function_in_every_form(answer):
    assert grade(answer) == Verdict(True, "right")


def test_a_counterexample_is_shown():
    said = grade(lambda v: float(np.mean(np.abs(v))), names=["values"])
    assert said == Verdict(False, "with values = [1, 2] it gives 1.5, expected 2.5")
    second = grade(lambda v: 2.5 if len(v) == 2 and v[0] == 1 else 7)
    assert second.message == "with [0, -3, 1] it gives 7, expected 3.333"


def test_a_counterexample_shows_enough_digits():
    def nearly(v):
        return mean_square(v) + 1e-5

    assert grade(nearly).message == "with [1, 2] it gives 2.50001, expected 2.5"
    texts = function(lambda v: "1", lambda v: 1, [(0,)], "right")
    assert texts.message == "with 0 it gives '1', expected 1"
    shape = function(lambda: [True], lambda: np.array([1.5]), [()], "right")
    assert shape.message == "with  it gives [True], expected [1.5]"


def test_known_faults_are_named_with_a_counterexample():
    said = grade(lambda v: float(np.mean(v)) ** 2)
    assert said.message == "square first, then average (with [1, 2] it gives 2.25, expected 2.5)"
    assert grade(lambda v: 2.25).message == "with [1, 2] it gives 2.25, expected 2.5", (
        "one input does not make a fault"
    )
    assert grade(lambda v: float(np.square(v).sum())).message.startswith("divide by their number")


def test_a_fault_that_stops_is_not_the_students():
    def stops(v):
        raise ZeroDivisionError

    said = function(lambda v: 0.0, mean_square, SQUARES, "right", [(stops, "never")])
    assert said.message == "with [1, 2] it gives 0, expected 2.5"


def test_a_stub_is_open():
    assert grade(...) == OPEN
    assert grade(lambda v: ...) == OPEN
    two = function(lambda v: (1.0, ...), lambda v: (1.0, 2.0), [(0,)], "right")
    assert two == OPEN
    assert function(lambda v: {"low": ...}, lambda v: {"low": 1}, [(0,)], "right") == OPEN


def test_a_function_that_returns_nothing():
    assert grade(lambda v: None).message == "it returns nothing: is there a `return` at its end?"


@pytest.mark.parametrize("answer", [2.5, "mean_square", None, [mean_square]])
def test_what_is_no_function(answer):
    said = grade(answer)
    assert said.ok is False
    assert said.message.startswith(f"expected a function, got {type(answer).__name__}: give its")


def test_exceptions_are_shown():
    said = grade(lambda v: v.mean(), names=("values",))
    assert said.message == (
        "with values = [1, 2] it stops: AttributeError: 'list' object has no attribute 'mean'"
    )
    said = grade(lambda: 1)
    assert "with [1, 2] it stops: TypeError: " in said.message


def test_arguments_must_stay_as_they_are():
    def sorts(values):
        values.sort()
        return values[0]

    for values in ([3, 1], np.array([3, 1]), torch.tensor([3.0, 1.0])):
        if isinstance(values, torch.Tensor):

            def answer(t):
                t.mul_(2)
                return 1.0
        else:
            answer = sorts
        said = function(answer, lambda v: 1.0, [(values,)], "right", names=("values",))
        assert said.ok is False
        assert said.message.startswith("it changes what it is given (values = [3")
        assert said.message.endswith("): work on a copy")
        assert float(values[0]) == 3, "each call gets a copy"
    for before, change in [
        ({"a": 1}, lambda d: d.update(a=2)),
        ({"a": 1}, lambda d: d.clear()),
        ([[1], 2], lambda x: x[0].append(3)),
        ({1, 2}, lambda s: s.clear()),
        (pd.DataFrame({"a": [1, 2]}), lambda t: t.insert(0, "b", 0)),
        (np.array(["x", "y"]), lambda a: a.sort() or a.put(0, "z")),
    ]:
        said = function(lambda v, do=change: do(v) or 1, lambda v: 1, [(before,)], "right")
        assert "work on a copy" in said.message, before


def test_arguments_of_every_kind_may_be_given():
    """Texts, masks, tables, random generators, functions, tensors with gradients."""
    kinds = [
        np.array(["a", "b"]),
        np.array([True, False]),
        np.array([1.0, np.nan]),
        pd.DataFrame({"name": ["x", "y"], "value": [1.0, np.nan]}),
        pd.Series([1, 2]),
        {"a": [1, 2], "b": {"c": None}},
        {1, 2},
        np.random.default_rng(0),
        torch.nn.Linear(1, 1),
        torch.tensor([1.0], requires_grad=True),
        math.cos,
        ("text", None, ...),
        object(),
    ]
    for kind in kinds:
        said = function(lambda v: 1, lambda v: 1, [(kind,)], "right")
        assert said.ok is True, (kind, said)
    draws = function(lambda g: g.random(), lambda g: g.random(), [(np.random.default_rng(1),)], "r")
    assert draws.ok is True, "a generator that has drawn is not changed data"


# ---------------------------------------------------------------- same and show


SAME = [
    (1, 1.0),
    (True, np.bool_(True)),
    (float("nan"), np.nan),
    ("a", np.str_("a")),
    (np.array(["a", "b"]), np.array(["a", "b"])),
    (np.array(["a", "b"]), ["a", "b"]),
    ((1, 2), [1.0, 2.0]),
    ([1, 2], np.array([1, 2])),
    ({"x": (1, 2)}, {"x": np.array([1, 2])}),
    (torch.tensor([1.0, 2.0]), np.array([1.0, 2.0])),
    (np.float32(1 / 3), 1 / 3),
    (torch.tensor(1 / 3), 1 / 3),
    (1j, 1j * (1 + 1e-9)),
    ({1, 2}, {2, 1}),
    (None, None),
    (1e10, 1e10 + 1),
    (pd.Series([1, 2]), [1, 2]),
]
DIFFERENT = [
    (1, 1.001),
    (1, "1"),
    (0, None),
    (None, 0),
    (float("nan"), 1.0),
    ([1, 2], [1, 2, 3]),
    ([1, 2], [[1, 2]]),
    (np.array([1.0]), 1.0),
    ({"x": 1}, {"y": 1}),
    ({"x": 1}, {"x": 1, "y": 2}),
    (np.array(["a", "b"]), np.array(["a", "c"])),
    ("a", ["a"]),
    ({1, 2}, {1, 3}),
    ([[1], [2, 3]], np.array([1, 2])),
    (np.float32(0.33335), 1 / 3),
    (1, 1j),
    (1e-3, 1.1e-3),
    (object(), object()),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_same(a, b):
    assert same(a, b, 1e-6)
    assert same(b, a, 1e-6)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a, b):
    assert not same(a, b, 1e-6)
    assert not same(b, a, 1e-6)


def test_without_tolerance_every_digit_counts():
    assert not same(1.0, 1.0 + 1e-12, 0.0)
    assert not same(np.float32(1), np.float32(1.0000002), 0.0)
    assert same(np.array([np.nan]), np.array([np.nan]), 0.0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "True"),
        (np.bool_(False), "False"),
        ("a", "'a'"),
        (np.str_("a"), "'a'"),
        (12345678, "12345678"),
        (np.int64(3), "3"),
        (np.float64(0.123456), "0.1235"),
        (1e-7, "1e-07"),
        ((np.float64(0.5), 1), "(0.5, 1)"),
        ([np.float64(1 / 3)], "[0.3333]"),
        ({"a": np.float64(1 / 3), 2: "x"}, "{'a': 0.3333, 2: 'x'}"),
        (None, "None"),
        (torch.tensor([1 / 3, 1.0], requires_grad=True), "[0.3333, 1. ]"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (np.arange(100), "[ 0, 1, 2, ..., 97, 98, 99]"),
        (np.zeros((9, 9, 9)), "an array of shape (9, 9, 9)"),
        (list(range(40)), "[ 0, 1, 2, ..., 37, 38, 39]"),
        (math.cos, "a function"),
        (object(), "object"),
        (np.random.default_rng(0), "Generator"),
        ({"k" * 40: "v" * 40}, "dict"),
    ],
)
def test_shown(value, shown):
    assert show(value) == shown


def test_two_values_are_told_apart():
    assert show_both(0.5, 0.25) == ("0.5", "0.25")
    assert show_both(0.12345678, 0.12345679) == ("0.12345678", "0.12345679")
    assert show_both(1 / 3, 1 / 3 + 1e-14) == ("0.3333333333333333", "0.3333333333333433")
    assert show_both(1, np.int64(1)) == ("1 (int)", "1 (int64)")


# ---------------------------------------------------------------- a paragraph, several parts


POINTS = [(r"patient|women", "who are the images of?"), (r"test.*validation", "which part?")]


def test_a_paragraph_must_be_long_enough_and_touch_each_point():
    good = "Every Patient counts once here, and the TEST set\nis scored after validation only."
    assert paragraph(good, POINTS, "right", words=10) == Verdict(True, "right")
    assert paragraph(good, POINTS, "right").message == "14 words: argue in 25 words or more"
    assert paragraph("one " * 25, POINTS, "right").message == "who are the images of?"
    assert paragraph("women " * 24 + "validation", POINTS, "right").message == "which part?"
    assert paragraph("women " * 24, POINTS, "right").message.startswith("24 words")
    assert paragraph(3, POINTS, "right").message == "expected a text in quotes, got int"
    assert paragraph(..., POINTS, "right") == OPEN


def test_parts_together():
    good, bad = Verdict(True, "good"), Verdict(False, "bad")
    assert together([good, good], "all") == Verdict(True, "all")
    assert together([good, bad, OPEN], "all") == bad
    assert together([OPEN, bad], "all") == OPEN
    seen = []

    def parts():
        for part in (good, bad, good):
            seen.append(part)
            yield part

    assert together(parts(), "all") == bad
    assert seen == [good, bad], "what comes behind the first wrong part is not looked at"


STEPS = [((r"\bcats?\b", r"\bpurrs?\b"), "what does a cat do?"), ((r"\bdogs?\b",), "and dogs?")]
NEVER = [(r"\bkick\w*\b.*\bdog", "do not kick")]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("When it is at home the cat purrs, and so would the dog if it could.", None),
        ("It is a cat that we have at home. It purrs when it is warm. The dog does not.", None),
        (
            "It purrs at home, which is warm. We like it so much. The cat is with the dog.",
            "a cat do",
        ),
        ("The cat purrs at home when it is warm, and that is all there is to say.", "and dogs?"),
        (
            "Cat, purrs, dog, home, warm, fur, milk, sofa, evening, window, bowl, basket.",
            "key words",
        ),
        ("The cat purrs when it is at home. Then I would kick the dog out of it.", "do not kick"),
        ("The cat purrs when it is at home. Nobody should kick the dog, not at all.", None),
        ("The cat purrs, the dog does not.", "argue in 12 words"),
        (7, "expected a text"),
    ],
)
def test_an_argument_says_things_of_each_other(text, word):
    verdict = argument(text, STEPS, "right", words=12, never=NEVER)
    assert verdict.ok is (word is None)
    assert (word or "right") in verdict.message


def test_an_argument_not_tried_yet():
    assert argument(..., STEPS, "right") == OPEN


# ---------------------------------------------------------------- lines of a program

SCRIPT = dict(
    n_lines=6,
    faults={"one": ((1, 2), "look at the start"), "two": ((5,), "look at the end")},
    in_order={3: "line 3 is in order", 4: "so is line 4", 6: "and line 6"},
    right="both found",
)


@pytest.mark.parametrize("lines", [[1, 5], (5, 2), {1, 2, 5}, np.array([2, 5])])
def test_every_fault_named_once_or_more(lines):
    assert faulty_lines(lines, **SCRIPT) == Verdict(True, "both found")


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (5, "1 of 2 found; look at the start"),
        ([1], "1 of 2 found; look at the end"),
        ([1, 3, 5], "line 3 is in order"),
        ([0, 5], "expected line numbers from 1 to 6"),
        ([7], "expected line numbers from 1 to 6"),
        ([], "expected line numbers from 1 to 6"),
        ("abc", "expected a list of line numbers"),
        (True, "expected a list of line numbers"),
        (None, "expected a list of line numbers"),
    ],
)
def test_lines_that_are_not_the_faults(lines, word):
    found = faulty_lines(lines, **SCRIPT)
    assert found.ok is False
    assert word in found.message


def test_lines_not_tried_yet():
    assert faulty_lines(..., **SCRIPT) is OPEN
