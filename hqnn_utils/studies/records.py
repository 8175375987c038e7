"""One JSON record a run, so that every number in the course can be traced and recomputed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

SCHEMA = 1
# Parts that differ between two identical runs: when it ran, how long it took, on what.
VOLATILE = ("provenance", "timing")
REQUIRED_KEYS = {"schema", "name", "settings", "data", "scores", "predictions"}


class RecordError(ValueError):
    """A record that cannot be read or written; the message names the file and the remedy."""


def make_record(
    name: str,
    *,
    settings: dict,
    data: dict,
    scores: dict,
    predictions: dict,
    history: list | None = None,
    timing: dict | None = None,
    provenance: dict | None = None,
) -> dict:
    """Assemble a record.

    Parameters
    ----------
    name : file name without ``.json``; letters, digits, ``-``, ``_`` and ``.`` only.
    settings : everything that was chosen before the run (backbone, head, seed, epochs, ...).
    data : ``ImageData.describe()``: name, source, digest, size, phantom yes or no.
    scores : numbers per split, e.g. ``{"test": {"accuracy": 0.87, ...}}``.
    predictions : per split ``{"ids": [...], "labels": [...], "probabilities": [...]}``, one entry per image.
    history : one dict per epoch. timing : seconds. provenance : ``runtime.provenance()``.
    """
    if not name or not all(c.isalnum() or c in "-_." for c in name):
        raise RecordError(f"record name {name!r} may hold letters, digits, '-', '_' and '.' only")
    for split, part in predictions.items():
        lengths = {key: len(part[key]) for key in ("ids", "labels", "probabilities")}
        if len(set(lengths.values())) != 1:
            raise RecordError(
                f"record {name!r}: predictions of {split!r} differ in length: {lengths}"
            )
    return {
        "schema": SCHEMA,
        "name": name,
        "settings": settings,
        "data": data,
        "scores": scores,
        "predictions": predictions,
        "history": history or [],
        "timing": timing or {},
        "provenance": provenance or {},
    }


def plain(value):
    """A value as JSON holds it: numpy and torch scalars and arrays as plain Python; NaN becomes null, because JSON has no NaN."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        # Seven significant digits hold all that float32 knows and keep the files small and diffs short.
        return float(f"{value:.7g}") if value == value and abs(value) != float("inf") else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    raise RecordError(f"a record cannot hold a {type(value).__name__}: {value!r}")


def write_json_atomically(path: str | os.PathLike, content, compact: bool = False) -> Path:
    """Write JSON so that a reader sees the old file or the new one, never half of one. ``compact``: no indentation, order kept."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            text = json.dumps(
                plain(content),
                indent=None if compact else 1,
                sort_keys=not compact,
                allow_nan=False,
            )
            if compact:  # one run a line, so that a diff shows which run changed
                text = re.sub(r'(?<=[{}]), (?="[^"]+": \{"settings")', ",\n", text)
            # A list of numbers or words on one line: shorter files and diffs. JSON strings hold no line ends, so this is safe.
            stream.write(
                re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\n\s*", " ", m[0]), text) + "\n"
            )
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def save_record(record: dict, folder: str | os.PathLike) -> Path:
    """Write ``record`` atomically to ``folder/<name>.json`` and return the path."""
    missing = REQUIRED_KEYS - record.keys()
    if missing:
        raise RecordError(f"record lacks {sorted(missing)}: build it with make_record()")
    return write_json_atomically(Path(folder) / f"{record['name']}.json", record)


def load_record(path: str | os.PathLike) -> dict:
    """Read a record. Raises RecordError for a missing, damaged or newer-schema file."""
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(
            f"no record at {path}: run the notebook that makes it, or check the name"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(
            f"record {path} is damaged ({error}): delete it and run its notebook again"
        ) from None
    if not isinstance(record, dict) or "schema" not in record:
        raise RecordError(
            f"{path} is JSON but not a record (no 'schema'): delete it or move it elsewhere"
        )
    schema = record["schema"]
    if not isinstance(schema, int) or schema > SCHEMA:
        raise RecordError(
            f"record {path} has schema {schema}, this hqnn_utils reads up to {SCHEMA}: update hqnn_utils"
        )
    missing = REQUIRED_KEYS - record.keys()
    if missing:
        raise RecordError(
            f"record {path} is damaged (lacks {sorted(missing)}): delete it and run its notebook again"
        )
    return record


def fingerprint(record: dict) -> str:
    """SHA-256 of what two identical runs must share: everything but time and machine."""
    stable = {k: v for k, v in plain(record).items() if k not in VOLATILE}
    return hashlib.sha256(json.dumps(stable, sort_keys=True).encode()).hexdigest()
