"""Words and numbers that may be chosen, and the error that names the thing and the remedy."""

from __future__ import annotations

import math
from numbers import Integral, Real


class DataError(RuntimeError):
    """Data that cannot be had or trusted; the message names the file and the remedy."""


def choose(kind: str, value, known):
    """Return ``value`` if it is one of ``known``; else a ValueError that names the known ones."""
    known = list(known)
    if value not in known:
        raise ValueError(f"unknown {kind} {value!r}; known: {', '.join(map(str, known))}")
    return value


def whole_number(name: str, value, least: int, why: str = ""):
    """Return ``value`` if it is a whole number of at least ``least``; else a ValueError.

    ``why`` is said behind the message: a reason or a remedy.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(
            f"{name} must be a whole number of at least {least}, got {value!r}{_behind(why)}"
        )
    return value


def real_number(name: str, value, least: float, why: str = ""):
    """Return ``value`` if it is a finite number of at least ``least``; else a ValueError."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < least:
        raise ValueError(
            f"{name} must be a finite number of at least {least:g}, got {value!r}{_behind(why)}"
        )
    return value


def _behind(why: str) -> str:
    return f": {why}" if why else ""
