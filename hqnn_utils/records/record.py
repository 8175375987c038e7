"""One JSON record a run, so that every number in the course can be traced and recomputed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import unicodedata
from collections.abc import Hashable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import StorageError, cause, is_reserved, read_json, whole_file

SCHEMA = 1
# Parts that differ between two identical runs: when it ran, how long it took, on what.
VOLATILE = ("provenance", "timing")
REQUIRED_KEYS = {"schema", "name", "settings", "data", "scores", "predictions"}
PER_IMAGE = ("ids", "labels", "probabilities")
LONGEST = 240  # bytes of a name: file systems take 255, ".json" included
REMEDY = "choose another folder, or set HQNN_RESULTS to one of yours"


class RecordError(ValueError):
    """A record that cannot be read or written; the message names the file and the remedy."""


class NoDigestError(RecordError):
    """A file of ours without a digest: of an earlier version, or written by hand."""


@dataclass
class Record:
    """One run: what was chosen, on what data, and what came out.

    Attributes
    ----------
    name : file name without ``.json``; letters, digits, ``-``, ``_`` and ``.`` only.
    settings : everything that was chosen before the run (backbone, head, seed, epochs, ...).
    data : ``describe()`` of the dataset: name, source, digest, size, phantom yes or no.
    scores : numbers per split, e.g. ``{"test": {"accuracy": 0.87, ...}}``.
    predictions : per split ``{"ids": [...], "labels": [...], "probabilities": [...]}``, one entry
        per image.
    history : one dict per epoch.
    timing : seconds.
    provenance : ``runtime.provenance()``.

    Raises
    ------
    RecordError : a name with other characters or one that is too long, or predictions that do not
        fit their images: lists of different length, an image twice, labels other than 0 and 1,
        probabilities outside 0 to 1.
    """

    name: str
    settings: dict
    data: dict
    scores: dict
    predictions: dict
    history: list = field(default_factory=list)
    timing: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self):
        check_name(self.name)
        for part in ("settings", "data", "scores", "predictions"):
            if not isinstance(getattr(self, part), dict):
                raise RecordError(f"record {self.name!r}: {part} must be a dict")
        for split, part in self.predictions.items():
            if wrong := _what_is_wrong(part):
                raise RecordError(f"record {self.name!r}: predictions of {split!r} {wrong}")

    @classmethod
    def from_dict(cls, content: dict) -> Record:
        """A record from its JSON.

        RecordError where a part is missing or unknown, or where its digest does not fit. Without a
        digest it is taken as it is: what is read from a file goes through ``need_digest`` before.
        """
        content = dict(content)
        missing = REQUIRED_KEYS - content.keys()
        if missing:
            raise RecordError(f"lacks {sorted(missing)}")
        digest = content.pop("digest", None)
        try:
            record = cls(**content)
        except (TypeError, KeyError, AttributeError) as error:
            raise RecordError(f"is no record ({type(error).__name__}: {error})") from None
        check_digest(content, digest)
        return record

    def test_only(self) -> Record:
        """A third of the size: no history, of predictions and scores only those of the test part.

        What was said about the fit stays. Every score of the test part can be computed again.
        """
        return replace(
            self,
            scores={name: self.scores[name] for name in ("test", "fit") if name in self.scores},
            predictions={"test": self.predictions["test"]},
            history=[],
        )

    def plain(self) -> dict:
        """The record as JSON holds it."""
        try:
            return plain(asdict(self))
        except RecursionError:
            raise RecordError(
                f"record {self.name!r} holds itself, or is nested too deeply"
            ) from None

    def fingerprint(self) -> str:
        """SHA-256 of what two identical runs must share: everything but time and machine."""
        stable = {k: v for k, v in self.plain().items() if k not in VOLATILE}
        return digest_of(stable)


def check_name(name: str) -> None:
    """RecordError for a name that no record or family can have, on any file system."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
        raise RecordError(f"record name {name!r} may hold letters, digits, '-', '_' and '.' only")
    if is_reserved(name):
        raise RecordError(f"record name {name!r} is that of a device on Windows: choose another")
    length = len(name.encode())
    if length > LONGEST or name.startswith("."):
        raise RecordError(
            f"record name {name[:40]!r}... must not begin with '.' and have {LONGEST} bytes at "
            f"most, it has {length}: give the setting a name of its own"
        )


def _is_listed(value) -> bool:
    return isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) == 1


def _what_is_wrong(part) -> str | None:
    """Why this cannot be the predictions for a part of the split, in words; ``None`` if it can."""
    if not isinstance(part, dict) or not all(_is_listed(part.get(key)) for key in PER_IMAGE):
        return f"must be a dict that lists {', '.join(PER_IMAGE)}, one entry an image"
    lengths = {key: len(part[key]) for key in PER_IMAGE}
    if len(set(lengths.values())) != 1:
        return f"differ in length: {lengths}"
    if not all(isinstance(one, Hashable) for one in part["ids"]):
        return "hold names of images that are lists or dicts"
    if len(set(part["ids"])) != len(part["ids"]):
        return "hold an image twice"
    if not all(label in (0, 1) for label in part["labels"]):
        return "hold labels other than 0 and 1"
    if not all(isinstance(p, (int, float)) and 0 <= p <= 1 for p in part["probabilities"]):
        return "hold probabilities that are missing or not between 0 and 1"
    return None


def with_digest(content: dict) -> dict:
    """JSON content together with its SHA-256, so that a flipped bit is noticed when it is read.

    A digest that is there already is made anew, in its place.
    """
    content = plain(content)
    rest = {key: value for key, value in content.items() if key != "digest"}
    return {**content, "digest": digest_of(rest)}


def check_digest(content: dict, digest: Any) -> None:
    """RecordError where content, without its digest, is not what the digest was made of."""
    if digest is not None and digest != digest_of(content):
        raise RecordError("its digest does not fit: it was changed after it was written")


def unsealed(content: dict, path: str | os.PathLike) -> dict:
    """What was read from ``path`` without its digest, which must be there and fit.

    NoDigestError or RecordError where it does not.
    """
    need_digest(content, path)
    rest = {key: value for key, value in content.items() if key != "digest"}
    check_digest(rest, content["digest"])
    return rest


def need_digest(content: dict, path: str | os.PathLike) -> None:
    """NoDigestError for what was read from ``path`` and carries no digest."""
    if content.get("digest") is None:
        raise NoDigestError(
            f"{path} carries no digest, so nobody can tell whether it was changed since it was "
            "written: restore it from git, or make it anew. If an earlier version of hqnn_utils "
            f'wrote it, and you trust it: python -m hqnn_utils.records seal "{path}"'
        )


def digest_of(content) -> str:
    """SHA-256 of JSON content, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def plain(value):
    """A value as JSON holds it: numpy and torch scalars and arrays as plain Python.

    Floats keep seven significant digits, all that float32 knows: files stay small and diffs short.
    NaN and infinity become null, because JSON has neither. RecordError for anything else, and for
    two keys of one text, of which one would be lost.
    """
    if isinstance(value, dict):
        if len({str(k) for k in value}) != len(value):
            raise RecordError(f"two keys of a record are one text: {list(value)[:9]}")
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, int) and value.bit_length() > 1024:  # no float, and JSON cannot read it
        raise RecordError(f"a record cannot hold a whole number of {value.bit_length()} bits")
    if value is None or isinstance(value, (str, int, bool)):
        return value
    raise RecordError(f"a record cannot hold a {type(value).__name__}: {value!r}")


def write_json_atomically(path: str | os.PathLike, content, compact: bool = False) -> Path:
    """Write JSON so that a reader sees the old file or the new one, never half of one.

    A dict gets the key ``"digest"``, its SHA-256; ``load_json`` compares it. ``compact`` writes no
    indentation, keeps the order of keys, and puts one run on a line. StorageError where the folder
    cannot be written or is full.
    """
    path = Path(path)
    if isinstance(content, dict):
        content = with_digest(content)
    text = _compact_json(content) if compact else _indented_json(content)
    try:
        with whole_file(path) as stream:
            stream.write((text + "\n").encode())
    except OSError as error:
        raise cannot_write(path, error) from None
    return path


def cannot_write(path: Path, error: OSError) -> StorageError:
    """The error that is said where a record or a family cannot be kept."""
    return StorageError(f"{path} cannot be written ({cause(error, path)}): {REMEDY}")


def _indented_json(content) -> str:
    text = json.dumps(plain(content), indent=1, sort_keys=True, allow_nan=False)
    # A list of numbers or words on one line: shorter files and diffs. JSON strings hold no line
    # ends, so this is safe.
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\n\s*", " ", found[0]), text)


def _compact_json(content) -> str:
    text = json.dumps(plain(content), allow_nan=False)
    # One run a line, so that a diff shows which run changed.
    return re.sub(r'(?<=[{}]), (?="[^"]+": \{"settings")', ",\n", text)


def save_record(record: Record, folder: str | os.PathLike) -> Path:
    """Write ``record`` atomically to ``folder/<name>.json`` and return the path."""
    return write_json_atomically(Path(folder) / f"{record.name}.json", record.plain())


def load_json(path: str | os.PathLike) -> dict:
    """What ``write_json_atomically`` wrote, or ``seal`` has sealed; without its digest.

    Raises
    ------
    RecordError : a file that is missing, damaged, or carries no digest; the message names it.
    """
    path = Path(path)
    restore = "restore it from git, or make it anew"
    try:
        content = read_json(path)
        if not isinstance(content, dict):
            raise RecordError("it holds no dict")
        return unsealed(content, path)
    except NoDigestError:
        raise
    except FileNotFoundError:
        raise RecordError(f"no file {path}: check the name, or {restore}") from None
    except ValueError as error:
        raise RecordError(f"{path} cannot be trusted ({error}): {restore}") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({cause(error, path)})") from None


def load_record(path: str | os.PathLike) -> Record:
    """Read a record. Raises RecordError for a missing, damaged or newer-schema file."""
    path = Path(path)
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise RecordError(
            f"no record at {path}: run the notebook that makes it, or check the name"
        ) from None
    except ValueError as error:
        raise RecordError(
            f"record {path} is damaged ({error}): delete it and run its notebook again"
        ) from None
    except OSError as error:
        raise RecordError(f"record {path} cannot be read ({cause(error, path)})") from None
    if not isinstance(content, dict) or "schema" not in content:
        raise RecordError(
            f"{path} is JSON but not a record (no 'schema'): delete it or move it elsewhere"
        )
    schema = content["schema"]
    if type(schema) is not int or schema > SCHEMA:
        raise RecordError(
            f"record {path} has schema {schema}, this hqnn_utils reads up to {SCHEMA}: "
            "update hqnn_utils"
        )
    try:
        record = Record.from_dict(content)
    except RecordError as error:
        raise RecordError(
            f"record {path} is damaged ({error}): delete it and run its notebook again"
        ) from None
    need_digest(content, path)
    # some file systems store accented letters taken apart
    if unicodedata.normalize("NFC", record.name) != unicodedata.normalize("NFC", path.stem):
        raise RecordError(
            f"{path} holds the record {record.name!r}: a copy under another name would count "
            "twice. Delete it, or give it its own name again"
        )
    return record


checked(__name__)
