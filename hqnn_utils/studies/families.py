"""Many records in one compact file, and where the course keeps those it was shipped with.

A family file stores what runs share (images, labels, data, versions) once. ``unpack`` gives back the records that went in.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

from hqnn_utils.studies.records import (
    REQUIRED_KEYS,
    SCHEMA,
    RecordError,
    load_record,
    plain,
    write_json_atomically,
)

SHARED = ("data", "provenance")


def _key(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def pack(records: list[dict]) -> dict:
    """A family from records: one entry a run, what they share once. Two records of one name are a RecordError."""
    shared, runs = {}, {}
    for record in map(plain, records):
        if missing := REQUIRED_KEYS - record.keys():
            raise RecordError(
                f"record {record.get('name')!r} lacks {sorted(missing)}: build it with make_record()"
            )
        if record["name"] in runs:
            raise RecordError(
                f"two records are called {record['name']!r}: names within a family must differ"
            )
        run = {k: v for k, v in record.items() if k not in ("schema", "name")}
        for name in SHARED:
            shared[_key(run[name])] = run[name]
            run[name] = _key(run[name])
        run["predictions"] = {}
        for split, part in record["predictions"].items():
            images = {"ids": part["ids"], "labels": part["labels"]}
            shared[_key(images)] = images
            run["predictions"][split] = {
                "images": _key(images),
                "probabilities": part["probabilities"],
            }
        epochs = record["history"]
        alike = len({tuple(sorted(e)) for e in epochs}) == 1
        run["history"] = (
            {k: [e[k] for e in epochs] for k in epochs[0]} if alike else epochs
        )  # columns: each name once
        runs[record["name"]] = run
    return {"schema": SCHEMA, "family": True, "shared": shared, "runs": runs}


def unpack(family: dict) -> list[dict]:
    """The records of a family, ordered as they were packed."""
    found, shared = [], family["shared"]
    for name, run in family["runs"].items():
        record = {
            "schema": family["schema"],
            "name": name,
            **run,
            **{k: dict(shared[run[k]]) for k in SHARED},
        }
        record["predictions"] = {
            split: {
                **{k: list(v) for k, v in shared[part["images"]].items()},
                "probabilities": part["probabilities"],
            }
            for split, part in run["predictions"].items()
        }
        if isinstance(run["history"], dict):
            record["history"] = [
                dict(zip(run["history"], row)) for row in zip(*run["history"].values())
            ]
        found.append(record)
    return found


def save_family(records: list[dict], path: str | Path) -> Path:
    """Write records as one family file, atomically."""
    return write_json_atomically(path, pack(records), compact=True)


def load_family(path: str | Path) -> list[dict]:
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
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{path} is no family of records, or damaged ({type(error).__name__}: {error}): restore it from git, or delete it"
        ) from None
    if newer:
        raise RecordError(
            f"{path} has schema {family['schema']}, this hqnn_utils reads up to {SCHEMA}: update hqnn_utils"
        )
    return records


def load_all(folder: str | Path) -> list[dict]:
    """All records of a folder, those in family files included, ordered by file name."""
    found = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            is_family = json.loads(path.read_text(encoding="utf-8")).get("family", False)
        except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
            is_family = False  # load_record says what is wrong with it
        found += load_family(path) if is_family else [load_record(path)]
    return found


def measured_dir() -> Path:
    """The folder of the course's own measured families: in a checkout ``notebooks/results/measured``, else inside the installed package."""
    checkout = Path(__file__).resolve().parent.parent / "notebooks" / "results" / "measured"
    return checkout if checkout.is_dir() else Path(str(resources.files("hqnn_utils") / "measured"))


def measured(name: str) -> list[dict]:
    """Records of a family that was measured for the course, e.g. ``measured("heads_28px")``; RecordError names the known ones."""
    path = measured_dir() / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in measured_dir().glob("*.json"))) or "none"
        raise RecordError(f"no measured family {name!r}; known: {known}")
    return load_family(path)
