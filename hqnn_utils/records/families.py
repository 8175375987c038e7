"""Many records in one compact file, and where the course keeps those it was shipped with.

A family file stores what runs share (images, labels, data, versions) once. ``unpack`` gives back
the records that went in.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

from hqnn_utils.records.record import (
    SCHEMA,
    Record,
    RecordError,
    load_record,
    write_json_atomically,
)

SHARED = ("data", "provenance")


def pack(records: list[Record]) -> dict:
    """A family from records: one entry a run, what they share once.

    RecordError for two records of one name.
    """
    shared, runs = {}, {}
    for record in records:
        if record.name in runs:
            raise RecordError(
                f"two records are called {record.name!r}: names within a family must differ"
            )
        runs[record.name] = _pack_run(record, shared)
    return {"schema": SCHEMA, "family": True, "shared": shared, "runs": runs}


def _pack_run(record: Record, shared: dict) -> dict:
    """One run; what others may share goes into ``shared``, and its key stays in the run."""
    run = record.plain()
    del run["schema"], run["name"]
    for name in SHARED:
        run[name] = _share(run[name], shared)
    for split, part in run["predictions"].items():
        images = {"ids": part["ids"], "labels": part["labels"]}
        run["predictions"][split] = {
            "images": _share(images, shared),
            "probabilities": part["probabilities"],
        }
    run["history"] = _as_columns(run["history"])
    return run


def _share(value, shared: dict) -> str:
    text = json.dumps(value, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:10]
    shared[key] = value
    return key


def _as_columns(history: list[dict]) -> dict | list:
    """Columns instead of rows, so that each name stands once, where all epochs have the same."""
    if not history or any(epoch.keys() != history[0].keys() for epoch in history):
        return history
    return {name: [epoch[name] for epoch in history] for name in history[0]}


def _as_rows(history: dict | list) -> list[dict]:
    if isinstance(history, list):
        return history
    rows = zip(*history.values(), strict=True)
    return [dict(zip(history, row, strict=True)) for row in rows]


def unpack(family: dict) -> list[Record]:
    """The records of a family, ordered as they were packed."""
    return [_unpack_run(name, run, family) for name, run in family["runs"].items()]


def _unpack_run(name: str, run: dict, family: dict) -> Record:
    shared = family["shared"]
    predictions = {}
    for split, part in run["predictions"].items():
        images = shared[part["images"]]
        predictions[split] = {
            "ids": list(images["ids"]),
            "labels": list(images["labels"]),
            "probabilities": part["probabilities"],
        }
    content = {
        **run,
        "schema": family["schema"],
        "name": name,
        "predictions": predictions,
        "history": _as_rows(run["history"]),
    }
    for key in SHARED:
        content[key] = dict(shared[run[key]])
    return Record.from_dict(content)


def save_family(records: list[Record], path: str | Path) -> Path:
    """Write records as one family file, atomically."""
    return write_json_atomically(path, pack(records), compact=True)


def load_family(path: str | Path) -> list[Record]:
    """Records of a family file. Raises RecordError for a missing, damaged or newer-schema file."""
    path = Path(path)
    try:
        family = json.loads(path.read_text(encoding="utf-8"))
        newer = family["schema"] > SCHEMA
        records = [] if newer else unpack(family)
    except FileNotFoundError:
        raise RecordError(
            f"no family of records at {path}: run the command that makes it, or check the name"
        ) from None
    except (
        json.JSONDecodeError,
        UnicodeDecodeError,
        RecordError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise RecordError(
            f"{path} is no family of records, or damaged ({type(error).__name__}: {error}): "
            "restore it from git, or delete it"
        ) from None
    if newer:
        raise RecordError(
            f"{path} has schema {family['schema']}, this hqnn_utils reads up to {SCHEMA}: "
            "update hqnn_utils"
        )
    return records


def load_all(folder: str | Path) -> list[Record]:
    """All records of a folder, those in family files included, ordered by file name."""
    found = []
    for path in sorted(Path(folder).glob("*.json")):
        found += load_family(path) if _is_family(path) else [load_record(path)]
    return found


def _is_family(path: Path) -> bool:
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("family", False)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
        return False  # load_record says what is wrong with it


def measured_dir() -> Path:
    """The folder of the course's own measured families.

    ``notebooks/results/measured`` in a checkout, else inside the installed package.
    """
    checkout = Path(__file__).resolve().parents[2] / "notebooks" / "results" / "measured"
    return checkout if checkout.is_dir() else Path(str(resources.files("hqnn_utils") / "measured"))


def measured(name: str) -> list[Record]:
    """Records of a family that was measured for the course, e.g. ``measured("heads_28px")``.

    RecordError names the known ones.
    """
    path = measured_dir() / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in measured_dir().glob("*.json"))) or "none"
        raise RecordError(f"no measured family {name!r}; known: {known}")
    return load_family(path)
