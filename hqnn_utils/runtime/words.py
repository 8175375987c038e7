"""Words and numbers that may be chosen, and the error that names the thing and the remedy."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any


class DataError(RuntimeError):
    """Data that cannot be had or trusted; the message names the file and the remedy."""


def choose(kind: str, value, known):
    """Return ``value`` if it is one of ``known``; else a ValueError that names the known ones."""
    known = list(known)
    if isinstance(value, (bool, dict, list)) or value not in known:
        raise ValueError(f"unknown {kind} {shown(value)}; known: {', '.join(map(str, known))}")
    return value


def shown(value) -> str:
    """A value as a message shows it: on one line, and not more than fits there."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 120 else f"{text[:120]}..."


def whole_number(name: str, value, least: int, why: str = "", most: int | None = None):
    """Return ``value`` if it is a whole number of at least ``least``; else a ValueError.

    ``why`` is said behind the message: a reason or a remedy.
    """
    if not _is_whole(value) or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {span}, got {shown(value)}{_behind(why)}")
    return value


def real_number(name: str, value, least: float, why: str = "", above: bool = False):
    """Return ``value`` if it is a finite number of at least ``least``; else a ValueError.

    ``above``: ``least`` itself is too little.
    """
    is_finite = _is_number(value) and math.isfinite(value)
    if not is_finite or value < least or (above and value == least):
        span = f"above {least:g}" if above else f"of at least {least:g}"
        raise ValueError(f"{name} must be a finite number {span}, got {shown(value)}{_behind(why)}")
    return value


def _is_whole(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return not math.isnan(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _behind(why: str) -> str:
    return f": {why}" if why else ""


# ------------------------------------------------------------------- tables of what may be given

# What is done with a name and a value: nothing, or a ValueError that names both.
Rule = Callable[[str, Any], Any]


def of_kind(words: str, fits: Callable[[Any], bool]) -> Rule:
    """The rule of one kind of value; ``words`` name it in the error: ``"a text"``."""

    def rule(name: str, value):
        if not fits(value):
            raise ValueError(f"{name} must be {words}, got {shown(value)}")
        return value

    return rule


def _is_truth(value) -> bool:
    """True or False, also NumPy's; ``"no"`` would count as True."""
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _has_text_keys(value) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


truth = of_kind("True or False", _is_truth)
a_text = of_kind("a text", lambda value: isinstance(value, str))
a_dict = of_kind("a dict with texts as keys", _has_text_keys)
a_whole_number = of_kind("a whole number", _is_whole)
a_number = of_kind("a number", _is_number)  # infinity included
a_function = of_kind("a function", callable)


def is_address(text: str) -> bool:
    """Whether a text begins as an address does: ``https://``, ``s3://``; a drive has one letter."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:/", text) is not None


def a_place(name: str, value):
    """Return ``value`` if it can be the path of a file or folder; else a ValueError."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise ValueError(f"{name} must be a path, got {shown(value)}")
    if is_address(os.fspath(value)):
        raise ValueError(f"{name} must be a path of this machine, got an address: {shown(value)}")
    if "\0" in os.fspath(value):
        raise ValueError(f"{name} must be a path, and none holds a zero byte: {shown(value)}")
    return value


def whole(least: int, why: str = "", most: int | None = None) -> Rule:
    """The rule of a whole number."""
    return lambda name, value: whole_number(name, value, least, why, most)


def real(least: float, why: str = "", above: bool = False) -> Rule:
    """The rule of a finite number."""
    return lambda name, value: real_number(name, value, least, why, above)


def between(low: float, high: float, why: str = "", ends: bool = True) -> Rule:
    """The rule of a number from ``low`` to ``high``; without ``ends`` neither of them is one."""

    def rule(name: str, value):
        fits = _is_number(value) and (low <= value <= high if ends else low < value < high)
        if not fits:
            span = f"from {low:g} to {high:g}" if ends else f"between {low:g} and {high:g}"
            raise ValueError(f"{name} must be a number {span}, got {shown(value)}{_behind(why)}")
        return value

    return rule


def one_of(kind: str, known: Iterable) -> Rule:
    """The rule of a word out of some."""
    return lambda name, value: choose(kind, value, known)


def or_none(rule: Rule) -> Rule:
    """The rule of something that may also be ``None``."""
    return lambda name, value: None if value is None else rule(name, value)


def a(kind: type, *others: type, why: str = "") -> Rule:
    """The rule of an object of one class, or of one of several."""
    words = " or ".join(one.__name__ for one in (kind, *others))

    def rule(name: str, value):
        if not isinstance(value, (kind, *others)):
            raise ValueError(f"{name} must be of type {words}, got {shown(value)}{_behind(why)}")
        return value

    return rule


def several(rule: Rule, least: int = 0) -> Rule:
    """The rule of a list (or tuple, array, ...) whose items all follow a rule."""

    def checked(name: str, values):
        is_list = hasattr(values, "__iter__") and not isinstance(values, (str, bytes, Mapping))
        if not is_list:
            raise ValueError(f"{name} must be a list, got {shown(values)}")
        found = [rule(f"{name}[{i}]", value) for i, value in enumerate(values)]
        if len(found) < least:
            raise ValueError(f"{name} must hold {least} or more, got {shown(values)}")
        return values

    return checked


def by_name(rule: Rule, least: int = 0) -> Rule:
    """The rule of a dict of names whose values all follow a rule."""

    def checked(name: str, values):
        if not isinstance(values, Mapping):
            raise ValueError(f"{name} must be a dict, got {shown(values)}")
        for key, value in values.items():
            rule(f"{name}[{key!r}]", value)
        if len(values) < least:
            raise ValueError(f"{name} must hold {least} or more, got {shown(values)}")
        return values

    return checked


SEED = whole(0, most=2**32 - 1)


def check(rules: Mapping[str, Rule], values: Mapping[str, Any]) -> None:
    """Check every value that has a rule: types and ranges, before any work is done.

    Raises
    ------
    ValueError : the first value that does not fit; it names the argument, the value, the range.
    """
    for name, rule in rules.items():
        if name in values:
            rule(name, values[name])
