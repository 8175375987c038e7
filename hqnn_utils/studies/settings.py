"""What defines a run. A setting is a dict; a table is a list of settings."""

from __future__ import annotations

import itertools
from pathlib import Path

from hqnn_utils.data.splits.protocols import check_protocol
from hqnn_utils.models import BACKBONES, HEADS
from hqnn_utils.quantum.circuits import CircuitSpec
from hqnn_utils.runtime import choose
from hqnn_utils.studies.records import plain

# Every key of a setting with its default. ``spec`` holds arguments of CircuitSpec, ``protocol`` a kind and its options.
DEFAULTS = dict(
    source="medmnist",
    size=28,
    protocol={"kind": "official"},
    labels="true",
    backbone="small_cnn",
    weights=None,
    fine_tune="full",
    head="linear",
    spec={},
    engine="fused",
    seed=0,
    epochs=40,
    lr=2e-3,
    batch_size=32,
    weight_decay=1e-4,
    patience=15,
    balance=None,
    augment="flip",
    warmup=0,
    max_train=None,
    test_flips=False,
)
TRAINING = (
    "epochs",
    "lr",
    "batch_size",
    "weight_decay",
    "patience",
    "balance",
    "augment",
    "warmup",
    "seed",
)


class StudyError(ValueError):
    """A table or a record that does not fit; the message names the run and the remedy. Nothing has been trained."""


def grid(**options) -> list[dict]:
    """Settings for every combination: a list or range varies, anything else is the same for all. ``seed`` varies fastest.

    >>> [s["head"] for s in grid(head=["linear", "dressed"], seed=range(2))]
    ['linear', 'linear', 'dressed', 'dressed']
    """
    names = sorted(options, key=lambda name: name == "seed")
    values = [
        list(options[n]) if isinstance(options[n], (list, tuple, range)) else [options[n]]
        for n in names
    ]
    return [dict(zip(names, row)) for row in itertools.product(*values)]


def complete(setting: dict) -> dict:
    """A setting with all keys, its defaults filled in and its name made from what differs from them.

    Raises StudyError for an unknown key, head, protocol or circuit; the message names the known ones.
    """
    try:
        for key in setting:
            choose("key in a setting", key, ("name", *DEFAULTS))
        full = {**DEFAULTS, **setting}
        choose("labels", full["labels"], ("true", "shuffled"))
        CircuitSpec(**full["spec"])
        check_protocol(**full["protocol"])
        choose("head", full["head"], HEADS)
        choose("backbone", full["backbone"], BACKBONES)
    except (ValueError, TypeError) as error:
        raise StudyError(f"setting {setting}: {error}") from None
    full["name"] = setting.get("name") or _name(full)
    return full


def _name(full: dict) -> str:
    """Backbone, size, head, what differs from the defaults, seed."""
    parts = [full["backbone"], f"{full['size']}px", full["head"]]
    for key in DEFAULTS:
        if key in ("backbone", "size", "head", "seed", "source") or full[key] == DEFAULTS[key]:
            continue
        value = full[key]
        if isinstance(value, dict):
            value = "-".join(str(v) if k == "kind" else f"{k}{v}" for k, v in value.items())
        parts.append(
            str(value)
            if key in ("protocol", "spec")
            else f"{key}-{Path(str(value)).stem}"
            if key == "weights"
            else f"{key}-{value}"
        )
    text = "-".join([*parts, f"s{full['seed']}"])
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)


def stored(full: dict) -> dict:
    """A setting as a record holds it: no paths, no name."""
    changes = {
        k: Path(full[k]).name if str(full[k]).endswith((".npz", ".pt", ".pth")) else full[k]
        for k in ("source", "weights")
    }
    return plain({k: v for k, v in {**full, **changes}.items() if k != "name"})
