"""Answers as values: what number was written, whether two results agree, how one is shown.

Students hand over Python numbers, NumPy scalars, tensors, arrays, texts, tables; a check must treat
0.73 the same in each of these forms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

NUMBERS = "biufc"  # kinds of NumPy arrays that hold numbers


def as_array(value) -> np.ndarray:
    """Any number, array, tensor or list as a NumPy array; other objects become arrays of one."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":  # NumPy has no such type
            value = value.float()
        value = value.numpy()
    return np.asarray(value)


# ---------------------------------------------------------------- one number


@dataclass(frozen=True)
class Written:
    """A number as it was written.

    Attributes
    ----------
    value : the number.
    decimals : digits behind the point, zeros at the end not counted: 0.73 has two, 1200 has -2.
    per_cent : whether it was written as, or is to be read as, per cent; then the value is divided
        by 100 already, and the decimals are those of the share.
    """

    value: float
    decimals: int
    per_cent: bool = False

    def as_per_cent(self) -> Written:
        """The same digits, read as per cent: 73.1 is 0.731."""
        return Written(self.value / 100, self.decimals + 2, per_cent=True)

    def allowed(self, target: float) -> float:
        """How far it may lie from ``target`` and still be its honest rounding.

        Half a unit of the last digit written, but never more than half a unit of the second
        significant digit of the target.
        """
        decimals = self.decimals
        if target != 0:
            decimals = max(decimals, 1 - math.floor(math.log10(abs(target))))
        return half_a_unit(decimals)


def half_a_unit(decimals: int) -> float:
    """Half a unit of the last digit, and a hair more for what floating point loses."""
    return 0.5 * 10.0**-decimals * (1 + 1e-9)


def read_number(answer) -> Written | str:
    """The number that an answer is, or a text that says what it is instead."""
    if callable(answer):
        return "a function: call it, with brackets behind its name"
    per_cent = False
    if isinstance(answer, str):
        text, per_cent = answer.strip().removesuffix("%").strip(), answer.strip().endswith("%")
    else:
        item = _only_item(answer)
        if isinstance(item, str):
            return item
        text = str(item[0])
    try:
        value = float(text)
    except ValueError:
        return f"the text {answer!r}" if isinstance(answer, str) else _kind(answer)
    if not math.isfinite(value):
        return f"{value}, which is not finite"
    exponent = Decimal(text.replace("_", "")).normalize().as_tuple().exponent
    written = Written(value, -exponent)
    return written.as_per_cent() if per_cent else written


def _only_item(answer) -> tuple[Any] | str:
    """The one number that something holds, in a tuple, or what it holds instead."""
    try:
        array = as_array(answer)
    except (TypeError, ValueError, RuntimeError):
        return _kind(answer)
    if array.size != 1:
        point = " (the decimal sign is a point)" if isinstance(answer, tuple) else ""
        return f"{array.size} of them{point}"
    item = array.reshape(())[()]
    if isinstance(item, (bool, np.bool_)):
        return "True or False"
    if array.dtype.kind not in NUMBERS and hasattr(item, "__float__"):
        item = float(item)  # a fraction, a decimal
    return (item,)


def _kind(answer) -> str:
    return "None" if answer is None else f"a value of type {type(answer).__name__}"


# ---------------------------------------------------------------- two results


def same(a, b, tolerance: float) -> bool:
    """True if two results agree: numbers and arrays within the tolerance, the rest exactly.

    The tolerance is absolute or relative, whichever is larger. Numbers of low precision (float32)
    get what their arithmetic needs, unless the tolerance is 0.
    """
    if a is b:
        return True
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key], tolerance) for key in b)
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and a == b
    if a is None or b is None:
        return False
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b, strict=True))
    try:
        return _same_arrays(as_array(a), as_array(b), tolerance)
    except (TypeError, ValueError, RuntimeError):
        return False


def _same_arrays(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype.kind not in NUMBERS or b.dtype.kind not in NUMBERS:
        if a.ndim == 0:
            return bool(a[()] == b[()])
        return all(same(x, y, tolerance) for x, y in zip(a.ravel(), b.ravel(), strict=True))
    if tolerance > 0:
        inexact = [array.dtype for array in (a, b) if array.dtype.kind in "fc"]
        tolerance = max([tolerance, *(100 * float(np.finfo(dtype).eps) for dtype in inexact)])
    return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))


def changed(before, after) -> bool:
    """Whether an argument is another one after a call.

    Of objects that hold no plain values (a random generator, a model) nothing is said.
    """
    if isinstance(before, Mapping):
        return before.keys() != after.keys() or any(changed(before[k], after[k]) for k in before)
    if isinstance(before, (tuple, list)):
        return len(before) != len(after) or any(map(changed, before, after))
    plain_value = isinstance(before, (str, bytes, set, int, float, complex))
    if not plain_value and not hasattr(before, "__array__"):
        return False
    return not same(before, after, 0.0)


def holds_open(value) -> bool:
    """Whether a ``...`` is the value, or one of its parts."""
    if isinstance(value, Mapping):
        return any(map(holds_open, value.values()))
    if isinstance(value, (tuple, list)):
        return any(map(holds_open, value))
    return value is ...


# ---------------------------------------------------------------- shown


def show(value, digits: int = 4) -> str:
    """A value in few characters: four digits, long arrays shortened."""
    if callable(value):
        return "a function"
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.{digits}g}"
    text = _show_container(value, digits)
    if text is not None and len(text) <= 60:
        return text
    try:
        array = as_array(value)
        text = np.array2string(array, precision=digits, threshold=8, edgeitems=3, separator=", ")
    except (TypeError, ValueError, RuntimeError):
        return type(value).__name__
    if array.dtype == object and array.ndim == 0 and value is not None:
        return type(value).__name__
    text = " ".join(text.split())
    return text if len(text) <= 100 else f"an array of shape {array.shape}"


def _show_container(value, digits: int) -> str | None:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{show(k)}: {show(v, digits)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, (tuple, list)):
        inner = ", ".join(show(item, digits) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return None


def show_both(a, b) -> tuple[str, str]:
    """Two values, in as many digits as it takes to tell them apart."""
    for digits in (4, 8, 16):
        shown = show(a, digits), show(b, digits)
        if shown[0] != shown[1]:
            return shown
    return f"{shown[0]} ({type(a).__name__})", f"{shown[1]} ({type(b).__name__})"


def show_arguments(arguments: tuple, names: Sequence[str]) -> str:
    """The arguments of a call as a reader would write them."""
    if names:
        return ", ".join(f"{n} = {show(a)}" for n, a in zip(names, arguments, strict=True))
    return ", ".join(show(argument) for argument in arguments)


def plain(text: str) -> str:
    """The text without case, full stop and extra spaces."""
    return " ".join(text.casefold().strip().rstrip(".").split())


def listed(options: Iterable[str]) -> str:
    """The options in alphabetical order, so that the order does not tell the right one."""
    return ", ".join(repr(option) for option in sorted(options))
