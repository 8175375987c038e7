"""Many records in one compact file, and where the course keeps those it was shipped with.

A family file stores what runs share (images, labels, data, versions) once. ``unpack`` gives back
the records that went in.

A study that is under way appends each record to a second file beside the family,
``<family>.json.new``, one a line: that costs the same for the first and the thousandth, and several
processes can do it. Whoever reads the family reads both; the end of the study folds them into one.
"""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path

from hqnn_utils.records.record import (
    SCHEMA,
    NoDigestError,
    Record,
    RecordError,
    cannot_write,
    digest_of,
    load_record,
    need_digest,
    unsealed,
    with_digest,
    write_json_atomically,
)
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import cause, locked, read_bytes, read_json

SHARED = ("data", "provenance")
PATIENCE = 60  # seconds to wait for another process that writes the same family


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
    key = _key(value)
    shared[key] = value
    return key


def _key(value) -> str:
    return digest_of(value)[:10]


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
    """The records of a family, ordered as they were packed.

    RecordError, which names the run, where something does not fit its images.
    """
    changed = {key for key, value in family["shared"].items() if _key(value) != key}
    for name, run in family["runs"].items():
        parts = [run[part] for part in SHARED]
        parts += [part["images"] for part in run["predictions"].values()]
        if wrong := changed.intersection(parts):
            raise RecordError(f"record {name!r}: shared part {wrong.pop()} was changed")
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
    """Write records as one family file, atomically. StorageError where that cannot be done."""
    content = pack(records)
    runs = content.pop("runs")  # they stay last, one a line; the digest gets the place before them
    return write_json_atomically(path, {**content, "digest": None, "runs": runs}, compact=True)


def appended(path: str | Path) -> Path:
    """The file beside a family that takes the records of a study that is under way."""
    path = Path(path)
    return path.with_name(path.name + ".new")


def append_record(record: Record, path: str | Path) -> None:
    """Add a record to a family, whatever its length, beside other processes.

    StorageError where it cannot be written.
    """
    path = appended(path)
    line = json.dumps(with_digest(record.plain()), allow_nan=False) + "\n"
    with locked(path, PATIENCE, "end the process that holds it"):
        try:
            with open(path, "a+b") as stream:
                _cut_torn_line(stream)
                stream.write(line.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise cannot_write(path, error) from None


def _cut_torn_line(stream) -> None:
    """A process that was killed, or a full disk, may leave half a line: its record was not kept."""
    end = stream.seek(0, os.SEEK_END)
    if end == 0:
        return
    stream.seek(end - 1)
    if stream.read(1) != b"\n":
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)
    stream.seek(0, os.SEEK_END)


def fold(path: str | Path) -> None:
    """Bring what was appended to a family into its file; nothing else is lost on the way."""
    path = Path(path)
    if not appended(path).exists():
        return
    with locked(appended(path), PATIENCE, "end the process that holds it"):
        if appended(path).exists():  # or another process was here before
            save_family(load_family(path), path)
            appended(path).unlink()


def load_family(path: str | Path) -> list[Record]:
    """Records of a family file, and those that were appended to it.

    Raises RecordError for a missing, damaged or newer-schema file.
    """
    path = Path(path)
    more = _load_appended(path)
    if not path.exists() and appended(path).exists():
        return _joined([], more, path)
    return _joined(_load_file(path), more, path)


def replace_record(record: Record, path: str | Path) -> None:
    """Put a record in the place of one of its name that was made with other settings or data."""
    path = Path(path)
    with locked(appended(path), PATIENCE, "end the process that holds it"):
        others = [one for one in load_family(path) if one.name != record.name]
        save_family([*others, record], path)
        appended(path).unlink(missing_ok=True)


class Follower:
    """A family that other studies write to as well.

    What has been added is read, and not all of it again: a look costs the same for the first and
    the thousandth record.

    Attributes
    ----------
    records : by name, as of the last look.
    """

    def __init__(self, path: str | Path):
        self.path, self.records = Path(path), {}
        self._seen, self._read = None, 0

    def look(self) -> dict[str, Record]:
        """See what is there now. RecordError as in ``load_family``."""
        seen, length = self._identity()
        if seen != self._seen or length < self._read:
            there = self.path.exists() or appended(self.path).exists()
            found = load_family(self.path) if there else []
            self.records = {record.name: record for record in found}
            length = 0  # what the second file holds is read once more the next time
        elif length > self._read:
            with open(appended(self.path), "rb") as stream:
                stream.seek(self._read)
                lines = stream.read(length - self._read)
            length = self._read + lines.rfind(b"\n") + 1  # behind it: half a line
            more = _records_of(lines, self.path)
            found = _joined(list(self.records.values()), more, self.path)
            self.records = {record.name: record for record in found}
        self._seen, self._read = seen, length
        return self.records

    def _identity(self) -> tuple[tuple, int]:
        """Which files these are, and the length of the one that grows."""
        family, journal = (_about(path) for path in (self.path, appended(self.path)))
        return (family, journal[:1]), journal[1] if journal else 0


def _about(path: Path) -> tuple:
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _joined(records: list[Record], more: list[Record], path: Path) -> list[Record]:
    """All records; of two of one name the later, if both are of the same settings and data."""
    found = {record.name: record for record in records}
    for record in more:
        there = found.get(record.name, record)
        if (there.settings, there.data) != (record.settings, record.data):
            raise RecordError(
                f"record {record.name!r} of {path} is there twice, with other settings or data: "
                f"two studies wrote under one name. Remove its line from {appended(path).name}"
            )
        found[record.name] = record
    return list(found.values())


def _load_appended(path: Path) -> list[Record]:
    try:
        lines = read_bytes(appended(path))
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = cause(error, path)
        raise RecordError(f"{appended(path)} cannot be read ({reason})") from None
    return _records_of(lines, path)


def _records_of(lines: bytes, path: Path) -> list[Record]:
    records = []
    for number, line in enumerate(lines.split(b"\n")[:-1], 1):  # behind the last: half a line
        try:
            content = json.loads(line)
            records.append(Record.from_dict(content))
            need_digest(content, f"line {number} of {appended(path)}")
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise RecordError(
                f"line {number} of {appended(path)} is damaged ({error}): remove it and run the "
                "study again"
            ) from None
    return records


def _load_file(path: Path) -> list[Record]:
    try:
        family = read_json(path)
        newer = family["schema"] > SCHEMA
        records = [] if newer else _checked(family, path)
    except NoDigestError:
        raise
    except FileNotFoundError:
        raise RecordError(
            f"no family of records at {path}: run the command that makes it, or check the name"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{path} is no family of records, or damaged ({type(error).__name__}: {error}): "
            "restore it from git, or delete it"
        ) from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({cause(error, path)})") from None
    if newer:
        raise RecordError(
            f"{path} has schema {family['schema']}, this hqnn_utils reads up to {SCHEMA}: "
            "update hqnn_utils"
        )
    return records


FAMILY_KEYS = {"schema", "family", "shared", "runs", "digest"}


def _checked(family: dict, path: Path) -> list[Record]:
    """The records of a family whose digest is there and fits."""
    if unknown := family.keys() - FAMILY_KEYS:
        raise RecordError(f"unknown parts {sorted(unknown)}")
    records = unpack(family)
    unsealed(family, path)
    return records


def load_all(folder: str | Path) -> list[Record]:
    """All records of a folder, those in family files included, ordered by file name.

    None where there is no such folder. RecordError for one that cannot be read, or a file.
    """
    found, folder = [], Path(folder)
    if folder.is_file():
        raise RecordError(f"{folder} is a file: load_record or load_family reads it")
    under_way = {p.with_suffix("") for p in folder.glob("*.json.new")}
    for path in sorted({*folder.glob("*.json"), *under_way}):
        is_family = path in under_way or _is_family(path)
        found += load_family(path) if is_family else [load_record(path)]
    return found


def _is_family(path: Path) -> bool:
    try:
        return read_json(path).get("family", False)
    except (ValueError, AttributeError, OSError):
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
    if not path.exists() and not appended(path).exists():
        known = ", ".join(sorted(p.stem for p in measured_dir().glob("*.json"))) or "none"
        raise RecordError(f"no measured family {name!r}; known: {known}")
    return load_family(path)


checked(__name__)
