"""Arguments of functions: types follow from the annotations, ranges from rules. One mechanism.

The last line of a module, ``checked(__name__)``, lets all its public functions, and the classes
that are made by calling them, look at what they are given before they begin. What a parameter may
be stands in its annotation already; where only some numbers or words make sense, a rule says so.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import PurePath
from typing import Any

from hqnn_utils.runtime.words import (
    Rule,
    a_function,
    a_number,
    a_place,
    a_text,
    a_whole_number,
    shown,
    truth,
)


def checked(module: str, rules: Mapping[str, Rule] | None = None) -> None:
    """Let what is public in a module check its arguments before any work is done.

    Parameters
    ----------
    module : its ``__name__``.
    rules : name of a parameter -> its rule, in all functions of the module that have it. It takes
        the place of what the annotation says.
    """
    names = vars(sys.modules[module])
    for name, thing in list(names.items()):
        if name.startswith("_") or getattr(thing, "__module__", None) != module:
            continue
        if inspect.isfunction(thing):
            names[name] = _with_checks(thing, rules or {})
        elif inspect.isclass(thing) and "__init__" in vars(thing) and not is_dataclass(thing):
            thing.__init__ = _with_checks(thing.__init__, rules or {})


def _with_checks(function: Callable, rules: Mapping[str, Rule]) -> Callable:
    signature = inspect.signature(function)

    @functools.cache
    def known() -> dict[str, Rule]:
        return _rules_of(function, signature, rules)

    @functools.wraps(function)
    def call(*args, **kwargs):
        __tracebackhide__ = True  # notebooks leave this step out of what they show
        given = signature.bind(*args, **kwargs).arguments
        for name, rule in known().items():
            if name in given:
                rule(name, given[name])
        return function(*args, **kwargs)

    return call


def _rules_of(
    function: Callable, signature: inspect.Signature, rules: Mapping[str, Rule]
) -> dict[str, Rule]:
    """Name of a parameter -> its rule; none for what has no annotation."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [p for p in signature.parameters.values() if p.kind not in several]
    annotated = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    # Annotations are texts, and are read where the function stands, not where its decorator does.
    hints = typing.get_type_hints(
        types.SimpleNamespace(__annotations__=annotated),
        getattr(inspect.unwrap(function), "__globals__", {}),
    )
    found = {name: rule for name, hint in hints.items() if (rule := rule_of(hint)) is not None}
    return found | {p.name: rules[p.name] for p in parameters if p.name in rules}


def numbers(name: str, values):
    """Values as an array of floats; a ValueError, which names them, for what holds no numbers."""
    import numpy as np

    try:
        found = np.asarray(values)
        if np.ma.is_masked(values):  # as an array the mask is lost, and what it hides counts
            raise TypeError("some are masked: leave them out")
        if found.dtype.kind in "USMmcV":
            raise TypeError(f"they are of type {found.dtype}")
        return found.astype(float)
    except (TypeError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"{name} must be numbers, got {shown(values)} ({first})") from None


def rule_of(hint: Any) -> Rule | None:
    """The rule of an annotation; ``None`` where it allows everything."""
    if hint is Any:
        return None

    takes_paths = "path" in words(hint)

    def rule(name: str, value):
        if takes_paths and isinstance(value, (str, os.PathLike)) and os.fspath(value):
            a_place(name, value)  # also where a text is allowed as well
        if not fits(hint, value):
            raise ValueError(f"{name} must be {words(hint)}, got {shown(value)}")
        return value

    return rule


# Annotation -> the rule of one value, and what it is in words.
SIMPLE = {
    int: (a_whole_number, "a whole number"),
    float: (a_number, "a number"),
    bool: (truth, "True or False"),
    str: (a_text, "a text"),
    os.PathLike: (a_place, "a path"),
    types.NoneType: (None, "None"),
}


def fits(hint: Any, value) -> bool:
    """Whether a value is of the kind that an annotation says."""
    kind, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return any(fits(one, value) for one in inner)
    if kind in (Any, ...):
        return True
    if kind is types.NoneType or value is None:
        return kind is types.NoneType and value is None
    if kind in SIMPLE:
        return _follows(SIMPLE[kind][0], value)
    if kind is Callable:
        return _follows(a_function, value)
    if not inspect.isclass(kind):  # a variable type, for instance
        return True
    return _fits_class(kind, inner, value)


def _fits_class(kind: type, inner: tuple, value) -> bool:
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping) and _items_fit(inner[-1:], list(value.values()))
    if _is_array(kind):
        return _is_listed(value) or (hasattr(value, "__array__") and value.ndim > 0)
    if _is_list(kind):
        return _is_listed(value) and _items_fit(inner, value)
    if issubclass(kind, PurePath):
        return _follows(a_place, value)
    return isinstance(value, kind)


def _items_fit(inner: tuple, values) -> bool:
    """Whether what is in a list fits; arrays and what can be read only once are left alone."""
    kinds = [one for one in inner if one is not ...]
    if not kinds or not isinstance(values, (list, tuple)):
        return True
    if len(kinds) > 1:
        return len(kinds) == len(values) and all(map(_item_fits, kinds, values))
    return all(_item_fits(kinds[0], value) for value in values)


def _item_fits(kind: Any, value) -> bool:
    """In a list of numbers any is let through: an undefined score, a truth, one inside a tensor."""
    if kind in (int, float):
        return hasattr(value, "__float__")
    return fits(kind, value)


def _is_array(kind: type) -> bool:
    return kind.__module__ == "numpy" and kind.__name__ == "ndarray"


def _is_list(kind: type) -> bool:
    if kind.__module__ == "collections.abc":
        return issubclass(kind, Iterable)
    return kind in (list, tuple, set, frozenset)


def _is_listed(value) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes, Mapping))


def _follows(rule: Rule, value) -> bool:
    try:
        rule("", value)
    except ValueError:
        return False
    return True


def words(hint: Any) -> str:
    """What an annotation says, as a message says it."""
    kind, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(words(one) for one in inner))
    if kind in SIMPLE:
        return SIMPLE[kind][1]
    if kind is Callable:
        return "a function"
    if inspect.isclass(kind) and issubclass(kind, Mapping):
        return f"a dict of {words(inner[-1])}" if inner else "a dict"
    if inspect.isclass(kind) and _is_array(kind):
        return "an array"
    if inspect.isclass(kind) and issubclass(kind, PurePath):
        return "a path"
    if inspect.isclass(kind) and _is_list(kind):
        kinds = [words(one) for one in inner if one is not ...]
        return f"a list of {' and '.join(kinds)}" if kinds else "a list"
    name = getattr(kind, "__name__", str(kind))
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"
