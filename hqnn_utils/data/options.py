"""Types and ranges of what loaders and protocols may be told: checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from hqnn_utils.runtime.words import a_text, check, or_none, truth, whole

SEED = whole(0, most=2**32 - 1)


def _threshold(name: str, value) -> None:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 < value <= 1:
        raise ValueError(f"{name} is a correlation above 0 and at most 1, got {value!r}")


RULES = {
    "size": whole(1),
    "seed": SEED,
    "threshold": _threshold,
    "pixels": or_none(whole(1)),
    "n": whole(1),
    "by_original": truth,
    "flag": a_text,
    "workers": or_none(whole(1)),
    "bits": or_none(whole(9, most=16)),
}


def check_options(options: Mapping[str, Any]) -> None:
    """ValueError for an option of the wrong type or out of its range; it is named."""
    check(RULES, options)
    check_folds(options.get("folds", 5), options.get("fold"))


def check_folds(folds: int, fold: int | None) -> None:
    """ValueError unless there are 3 folds or more, and ``fold`` is one of them or not chosen."""
    try:
        whole(3)("folds", folds)
        or_none(whole(0, most=folds - 1))("fold", fold)
    except ValueError:
        raise ValueError(
            "need at least 3 folds and a fold from 0 to folds - 1, "
            f"got folds={folds!r}, fold={fold!r}"
        ) from None
