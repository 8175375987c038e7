"""The kinds of answers: a number, a choice, a function, a paragraph.

Each grader returns a ``Verdict``. A usual wrong answer is met with a word of its own; any other
wrong answer is told what was expected. The truth is never printed.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from hqnn_utils.exercises.exercise import OPEN_MESSAGE, Verdict

PLAIN_HINT = "look at the definition once more, or ask hint(...)"


def number(
    answer,
    truth: float,
    right: str,
    wrong: Iterable[tuple[float, str]] = (),
    *,
    share: bool = False,
    whole: bool = False,
    tolerance: float | None = None,
) -> Verdict:
    """Grade one number, tolerant of honest rounding.

    An answer is right if it is the truth rounded to as many decimals as were written, and to two
    significant digits at least: 0.73 and 0.731 for 0.7308, but neither 0.7 nor 0.7346.

    Parameters
    ----------
    answer : what the student wrote.
    truth : the right value.
    right : the message for a right answer.
    wrong : pairs (usual wrong value, what to say to it). The first that fits is said.
    share : the truth is a share; 73.1 is taken for 73.1 per cent.
    whole : the truth is a count: nothing is rounded.
    tolerance : what else counts as equal, in the units of the truth; default ``1e-3 * abs(truth)``,
        for a value that two correct programs may compute differently.
    """
    value = one_number(answer)
    if isinstance(value, Verdict):
        return value
    if tolerance is None:
        tolerance = 1e-3 * abs(truth)
    decimals = decimals_of(answer)

    def fits(target: float) -> bool:
        allowed = 1e-9 if whole else max(tolerance, half_a_unit(target, decimals))
        return abs(value - target) <= allowed

    def fits_in_per_cent(target: float) -> bool:
        allowed = max(tolerance, half_a_unit(target, decimals + 2))
        return share and abs(value / 100 - target) <= allowed

    if fits(truth):
        return Verdict(True, right)
    if fits_in_per_cent(truth):
        return Verdict(True, f"{right} (you gave per cent; as a share it is {value / 100:.4g})")
    for target, word in wrong:
        if fits(target) or fits_in_per_cent(target):
            return Verdict(False, word)
    if not whole and abs(value - truth) <= 0.5 * 10.0**-decimals:
        return Verdict(False, f"{value:g} is rounded too far: give at least two digits")
    return Verdict(False, f"{value:.4g} is not it; {PLAIN_HINT}")


def one_number(answer) -> float | Verdict:
    """The answer as a finite number, or what is wrong with it."""
    if isinstance(answer, (bool, np.bool_)):
        return Verdict(False, "expected one number, got True or False")
    try:
        value = float(answer)
    except (TypeError, ValueError):
        return Verdict(False, f"expected one number, got {type(answer).__name__}")
    if not math.isfinite(value):
        return Verdict(False, f"expected one finite number, got {value}")
    return value


def decimals_of(answer) -> int:
    """Digits behind the point, as the answer was written: 0.73 has two."""
    try:
        exponent = Decimal(str(answer)).normalize().as_tuple().exponent
    except InvalidOperation:  # a tensor or an array of one number: as exact as a float
        exponent = Decimal(str(float(answer))).normalize().as_tuple().exponent
    return max(0, -exponent)


def half_a_unit(target: float, decimals: int) -> float:
    """Half a unit of the last digit written, or of the second significant digit of the target."""
    if target == 0:
        return 0.5 * 10.0**-decimals
    second_digit = 1 - math.floor(math.log10(abs(target)))
    return 0.5 * 10.0 ** -max(decimals, second_digit) * (1 + 1e-9)


def choice(
    answer,
    truth: str,
    right: str,
    wrong: Mapping[str, str],
) -> Verdict:
    """Grade one of several words.

    Parameters
    ----------
    answer : the student's word; case, spaces and a final full stop do not matter.
    truth : the right word.
    right : the message for the right word.
    wrong : each other word that may be chosen, and what to say to it.
    """
    options = [truth, *wrong]
    if not isinstance(answer, str):
        return Verdict(False, f"expected a text, one of {listed(options)}")
    said = plain(answer)
    if said == plain(truth):
        return Verdict(True, right)
    for option, word in wrong.items():
        if said == plain(option):
            return Verdict(False, word)
    return Verdict(False, f"{answer!r} is none of the words: choose one of {listed(options)}")


def plain(text: str) -> str:
    """The text without case, full stop and extra spaces."""
    return " ".join(text.casefold().strip().rstrip(".").split())


def listed(options: Iterable[str]) -> str:
    """The options in alphabetical order, so that the order does not tell the right one."""
    return ", ".join(repr(option) for option in sorted(options))


def function(
    answer,
    truth: Callable[..., Any],
    inputs: Sequence[tuple],
    right: str,
    wrong: Iterable[tuple[Callable[..., Any], str]] = (),
    *,
    tolerance: float = 1e-6,
    names: Sequence[str] = (),
) -> Verdict:
    """Grade a function by trying it on inputs that the student has not seen.

    The first input on which it differs is shown, with both results: a counterexample.

    Parameters
    ----------
    answer : the student's function.
    truth : a function that is right.
    inputs : the argument tuples; each call gets copies of its own.
    right : the message for a right function.
    wrong : pairs (a function with a usual fault, what to say about the fault). A fault is named if
        the answer agrees with it on every input.
    tolerance : numbers that differ by at most this, absolutely or relatively, are equal.
    names : what the arguments are called in the counterexample.
    """
    if answer is ...:
        return Verdict(None, OPEN_MESSAGE)
    if not callable(answer):
        return Verdict(
            False,
            f"expected a function, got {type(answer).__name__}: "
            "give its name, without brackets behind it",
        )
    results = []
    for arguments in inputs:
        result = outcome_of(answer, arguments, names)
        if isinstance(result, Verdict):
            return result
        results.append(result)
    expected = [truth(*copy.deepcopy(arguments)) for arguments in inputs]
    agree = [same(r, e, tolerance) for r, e in zip(results, expected, strict=True)]
    if all(agree):
        return Verdict(True, right)
    first = agree.index(False)
    counterexample = (
        f"with {show_arguments(inputs[first], names)} it gives {show(results[first])}, "
        f"expected {show(expected[first])}"
    )
    for faulty, word in wrong:
        known = [faulty(*copy.deepcopy(arguments)) for arguments in inputs]
        if same(results, known, tolerance):
            return Verdict(False, f"{word} ({counterexample})")
    return Verdict(False, counterexample)


def outcome_of(answer: Callable[..., Any], arguments: tuple, names: Sequence[str]) -> Any:
    """What a student's function returns, or a ``Verdict`` if it does not get that far."""
    given = copy.deepcopy(arguments)
    try:
        result = answer(*given)
    except Exception as error:
        shown = show_arguments(arguments, names)
        return Verdict(False, f"with {shown} it stops: {type(error).__name__}: {error}")
    if result is ...:
        return Verdict(None, OPEN_MESSAGE)
    if result is None:
        return Verdict(False, "it returns nothing: is there a `return` at its end?")
    if not same(given, arguments, 0.0):
        shown = show_arguments(arguments, names)
        return Verdict(False, f"it changes what it is given ({shown}): work on a copy")
    return result


def same(a, b, tolerance: float) -> bool:
    """True if two results agree: numbers and arrays within the tolerance, the rest exactly."""
    if a is b:
        return True
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key], tolerance) for key in b)
    if isinstance(a, str) or isinstance(b, str) or b is None:
        return type(a) is type(b) and a == b
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
    try:
        a, b = np.asarray(a), np.asarray(b)
        return a.shape == b.shape and bool(
            np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
        )
    except (TypeError, ValueError):
        return False


def show_arguments(arguments: tuple, names: Sequence[str]) -> str:
    """The arguments of a call as a reader would write them."""
    if names:
        return ", ".join(f"{n} = {show(a)}" for n, a in zip(names, arguments, strict=True))
    return ", ".join(show(argument) for argument in arguments)


def show(value) -> str:
    """A value in few characters: four digits, long arrays shortened."""
    if callable(value):
        return "a function"
    if isinstance(value, (bool, np.bool_, str)):
        return repr(value)
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}"
    if isinstance(value, (tuple, list, dict)) and len(str(value)) <= 60:
        return str(value)
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
        text = np.array2string(array, precision=4, threshold=8, edgeitems=3, separator=", ")
    except (TypeError, ValueError):
        return type(value).__name__
    text = " ".join(text.split())
    return text if len(text) <= 100 else f"an array of shape {array.shape}"


def paragraph(
    answer,
    points: Iterable[tuple[str, str]],
    right: str,
    *,
    words: int = 25,
) -> Verdict:
    """Grade a paragraph as far as a machine can: length, and the points that it must touch.

    Whether it argues well is for a reader to say; the rubric of the exercise helps.

    Parameters
    ----------
    answer : the student's text.
    points : pairs (regular expression that a text touching the point matches, what to say where it
        does not). Case does not matter.
    right : the message for a text that touches every point.
    words : how many words it needs at least.
    """
    if not isinstance(answer, str):
        return Verdict(False, f"expected a text in quotes, got {type(answer).__name__}")
    if len(answer.split()) < words:
        return Verdict(False, f"{len(answer.split())} words: argue in {words} words or more")
    for pattern, word in points:
        if not re.search(pattern, answer, re.IGNORECASE | re.DOTALL):
            return Verdict(False, word)
    return Verdict(True, right)


def together(verdicts: Iterable[Verdict], right: str) -> Verdict:
    """Grade an answer of several parts: the first part that is not right speaks.

    ``verdicts`` may be a generator: parts behind the first wrong one are then not looked at.
    """
    for verdict in verdicts:
        if not verdict:
            return verdict
    return Verdict(True, right)
