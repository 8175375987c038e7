"""The kinds of answers: a number, a choice, a function, lines of a program, a paragraph.

Each grader returns a ``Verdict``. A usual wrong answer is met with a word of its own; any other
wrong answer is told what was expected. Of a number and a choice the truth is never printed; a
function is shown one input on which it is wrong.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hqnn_utils.exercises.exercise import OPEN_MESSAGE, Verdict
from hqnn_utils.exercises.values import (
    Written,
    changed,
    half_a_unit,
    holds_open,
    listed,
    plain,
    read_number,
    same,
    show,
    show_arguments,
    show_both,
)

__all__ = [
    "choice",
    "faulty_lines",
    "function",
    "number",
    "outcome_of",
    "paragraph",
    "same",
    "show",
    "together",
]

PLAIN_HINT = "look at the definition once more, or ask hint(...)"
OPEN = Verdict(None, OPEN_MESSAGE)


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
    answer : what the student wrote: a number in any form, also as a text, with or without ``%``.
    truth : the right value.
    right : the message for a right answer.
    wrong : pairs (usual wrong value, what to say to it). The first that fits is said.
    share : the truth is a share; 73.1 is taken for 73.1 per cent.
    whole : the truth is a count: nothing is rounded.
    tolerance : what else counts as equal, in the units of the truth; default ``1e-3 * abs(truth)``,
        for a value that two correct programs may compute differently. A truth that is zero up to
        rounding errors needs one.
    """
    if answer is ...:
        return OPEN
    said = read_number(answer)
    if isinstance(said, str):
        return Verdict(False, f"expected one number, got {said}")
    readings = _readings(said, share)
    if tolerance is None:
        tolerance = 1e-3 * abs(truth)
    for reading in readings:
        if _fits(reading, truth, whole, tolerance):
            as_share = f" (you gave per cent; as a share it is {reading.value:.4g})"
            return Verdict(True, right + (as_share if reading.per_cent else ""))
    relative = tolerance / abs(truth) if truth else None  # a wrong value may be much smaller
    for target, word in wrong:
        close = tolerance if relative is None else relative * abs(target)
        if any(_fits(reading, target, whole, close) for reading in readings):
            return Verdict(False, word)
    shown = str(answer).strip()
    if len(shown) > 12:
        shown = f"{said.value:.6g}"
    return Verdict(False, _what_is_off(shown, readings, truth, whole, tolerance))


def _readings(said: Written, share: bool) -> list[Written]:
    """A share may be meant as it stands or as per cent."""
    return [said, said.as_per_cent()] if share and not said.per_cent else [said]


def _fits(said: Written, target: float, whole: bool, tolerance: float) -> bool:
    if not math.isfinite(target):
        return False
    exact = whole and float(target).is_integer()
    allowed = 1e-9 if exact else max(tolerance, said.allowed(target))
    return abs(said.value - target) <= allowed


def _what_is_off(
    shown: str, readings: list[Written], truth: float, whole: bool, tolerance: float
) -> str:
    """What to say to a number that nobody foresaw."""
    for said in readings:
        turned = Written(-said.value, said.decimals, said.per_cent)
        if truth != 0 and _fits(turned, truth, whole, tolerance):
            return f"{shown} has the right size and the wrong sign"
        if whole:
            continue
        if abs(said.value - truth) <= half_a_unit(said.decimals):
            return f"{shown} is rounded too far: give at least two digits"
        missing = math.copysign(1, truth) * (truth - said.value)
        if said.value * truth > 0 and 0 < missing <= 2 * said.allowed(truth):
            return f"{shown} is cut off: round it, or give more digits"
    return f"{shown} is not it; {PLAIN_HINT}"


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
    if answer is ...:
        return OPEN
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
        return OPEN
    results = results_of(answer, inputs, names)
    if isinstance(results, Verdict):
        return results
    expected = [truth(*copy.deepcopy(arguments)) for arguments in inputs]
    agree = [same(r, e, tolerance) for r, e in zip(results, expected, strict=True)]
    if all(agree):
        return Verdict(True, right)
    first = agree.index(False)
    gives, wanted = show_both(results[first], expected[first])
    counterexample = (
        f"with {show_arguments(inputs[first], names)} it gives {gives}, expected {wanted}"
    )
    for faulty, word in wrong:
        if _has_fault(results, faulty, inputs, tolerance):
            return Verdict(False, f"{word} ({counterexample})")
    return Verdict(False, counterexample)


def _has_fault(results: list, faulty: Callable[..., Any], inputs, tolerance: float) -> bool:
    """Whether the results are those of a function with a known fault."""
    for result, arguments in zip(results, inputs, strict=True):
        try:
            known = faulty(*copy.deepcopy(arguments))
        except Exception:  # a fault may stop where the student's function went on
            return False
        if not same(result, known, tolerance):
            return False
    return True


def results_of(answer, inputs: Sequence[tuple], names: Sequence[str] = ()) -> list | Verdict:
    """What a student's function returns for each input, or what is wrong with it."""
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
    return results


def outcome_of(answer: Callable[..., Any], arguments: tuple, names: Sequence[str] = ()) -> Any:
    """What a student's function returns, or a ``Verdict`` if it does not get that far."""
    given = copy.deepcopy(arguments)
    try:
        result = answer(*given)
    except Exception as error:
        shown = show_arguments(arguments, names)
        return Verdict(False, f"with {shown} it stops: {type(error).__name__}: {error}")
    if holds_open(result):
        return OPEN
    if result is None:
        return Verdict(False, "it returns nothing: is there a `return` at its end?")
    if changed(arguments, given):
        shown = show_arguments(arguments, names)
        return Verdict(False, f"it changes what it is given ({shown}): work on a copy")
    return result


def faulty_lines(
    answer,
    *,
    n_lines: int,
    faults: Mapping[str, tuple[tuple[int, ...], str]],
    in_order: Mapping[int, str],
    right: str,
) -> Verdict:
    """Grade a list of line numbers: the faults of a program that is shown with numbered lines.

    Parameters
    ----------
    answer : line numbers, one for each fault; a single number counts as a list of one.
    n_lines : lines of the program.
    faults : name -> the lines at which it may be named, and what is said while nobody has.
    in_order : what is said to a line that has no fault.
    right : the message when all faults are found.
    """
    if answer is ...:
        return OPEN
    if isinstance(answer, (int, np.integer)) and not isinstance(answer, bool):
        answer = [answer]
    try:
        lines = sorted({int(line) for line in answer})
    except (TypeError, ValueError):
        return Verdict(False, "expected a list of line numbers, e.g. [4, 9, 12]")
    if not lines or lines[0] < 1 or lines[-1] > n_lines:
        return Verdict(False, f"expected line numbers from 1 to {n_lines}")
    for line in lines:
        if line in in_order:
            return Verdict(False, in_order[line])
    found = [name for name, (where, _) in faults.items() if set(where) & set(lines)]
    for name, (_, word) in faults.items():
        if name not in found:
            return Verdict(False, f"{len(found)} of {len(faults)} found; {word}")
    return Verdict(True, right)


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
    if answer is ...:
        return OPEN
    if not isinstance(answer, str):
        return Verdict(False, f"expected a text in quotes, got {type(answer).__name__}")
    if len(answer.split()) < words:
        return Verdict(False, f"{len(answer.split())} words: argue in {words} words or more")
    for pattern, word in points:
        if not re.search(pattern, answer, re.IGNORECASE | re.DOTALL):
            return Verdict(False, word)
    return Verdict(True, right)


# Words that sentences cannot do without, and lists of key words can.
SMALL_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a an and are as at be because been both but by can could did do does for from had has have i
        if in into is it its more no not of on one only or our should so some than that the their
        them then there these they this those to until was we were what when where whether which
        while who whose why will with without would you your
        """,
    )
)
FEWEST_SMALL_WORDS = 0.25  # of all words; running text has about 0.4


def argument(
    answer,
    steps: Iterable[tuple[Sequence[str], str]],
    right: str,
    *,
    words: int = 25,
    never: Iterable[tuple[str, str]] = (),
) -> Verdict:
    """Grade a paragraph that has to argue: things must be said *of each other*, in sentences.

    A step is a few patterns that must all match in one sentence, or in two that follow each other.
    So a list of key words is refused, and so are the right words in sentences that do not connect
    them. Whether the argument is sound is still for a reader to say.

    Parameters
    ----------
    answer : the student's text.
    steps : pairs (regular expressions, what to say where no two sentences hold all of them).
    right, words : as for ``paragraph``.
    never : pairs (regular expression, what to say where a sentence matches it); a sentence with
        "not", "no", "never", "without" or "instead of" is taken to reject what it names.
    """
    verdict = paragraph(answer, (), right, words=words)
    if not verdict:
        return verdict
    said = re.findall(r"[a-z']+", answer.lower())
    if sum(word in SMALL_WORDS for word in said) < FEWEST_SMALL_WORDS * len(said):
        return Verdict(False, "these are key words: write sentences that connect them")
    sentences = [s for s in re.split(r"(?<=[.!?;])\s+", answer.strip()) if s]
    for pattern, word in never:
        if any(_matches(pattern, s) and not _matches(REJECTS, s) for s in sentences):
            return Verdict(False, word)
    windows = [f"{a} {b}" for a, b in zip(sentences, [*sentences[1:], ""], strict=True)]
    for patterns, word in steps:
        if not any(all(_matches(p, w) for p in patterns) for w in windows):
            return Verdict(False, word)
    return verdict


REJECTS = r"\b(not|no|never|nor|without|instead|rather|would be wrong|n't)\b|n't\b"


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None


def together(verdicts: Iterable[Verdict], right: str) -> Verdict:
    """Grade an answer of several parts: the first part that is not right speaks.

    ``verdicts`` may be a generator: parts behind the first wrong one are then not looked at.
    """
    for verdict in verdicts:
        if not verdict:
            return verdict
    return Verdict(True, right)
