"""Words that may be chosen, and the error that names the thing and the remedy."""

from __future__ import annotations


class DataError(RuntimeError):
    """Data that cannot be had or trusted; the message names the file and the remedy."""


def choose(kind: str, value, known):
    """Return ``value`` if it is one of ``known``; else a ValueError that names the known ones."""
    known = list(known)
    if value not in known:
        raise ValueError(f"unknown {kind} {value!r}; known: {', '.join(map(str, known))}")
    return value
