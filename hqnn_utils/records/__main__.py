"""Give files of earlier versions the digest that they lack: ``python -m hqnn_utils.records seal``.

What is written carries a digest, and what carries none is not read: a flipped bit in it would be a
different result without a word. Whoever trusts old files says so once, with this command.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from hqnn_utils.records.families import unpack
from hqnn_utils.records.record import (
    REQUIRED_KEYS,
    SCHEMA,
    Record,
    RecordError,
    cannot_write,
    check_digest,
    digest_of,
)
from hqnn_utils.runtime.files import StorageError, cause, read_json, whole_file


def seal(path: str | Path) -> bool:
    """Give a record, a family, a plan or another JSON file the digest that it lacks.

    Nothing else in the file changes. True if it got one, False if it has one that fits.

    Raises
    ------
    RecordError : no JSON, a digest that does not fit, or predictions that do not fit their images.
    StorageError : it cannot be written.
    """
    path = Path(path)
    try:
        content = read_json(path)
        if not isinstance(content, dict):
            raise RecordError("it holds no dict")
        if "digest" in content:
            check_digest(content, content.pop("digest") or "none")
            return False
        _check(content)
        text = path.read_bytes().decode("utf-8")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path} is not sealed ({error}): restore it, or make it anew") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({cause(error, path)})") from None
    line = f'"digest": "{digest_of(content)}"' + (", " if content else "")
    gap, rest = re.match(r"\s*{(\s*)(.*)", text, re.DOTALL).groups()
    try:
        with whole_file(path) as stream:
            stream.write(f"{{{gap}{line.rstrip() if gap else line}{gap}{rest}".encode())
    except OSError as error:
        raise cannot_write(path, error) from None
    return True


def _check(content: dict) -> None:
    """What can be known of a record or family without a digest."""
    if content.get("schema", 0) > SCHEMA:
        raise RecordError(f"it has schema {content['schema']}: update hqnn_utils")
    if content.get("family"):
        unpack(content)
    elif "predictions" in content:
        Record.from_dict(content)


def files_of(places: Sequence[Path]) -> list[Path]:
    """Files that are named, and the records and families in folders, however deep.

    What else lies there may be anybody's: the settings of an editor, for instance.
    """
    found = []
    for place in places:
        found += filter(_is_ours, sorted(place.rglob("*.json"))) if place.is_dir() else [place]
    return found


def _is_ours(path: Path) -> bool:
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and (content.get("family") or content.keys() >= REQUIRED_KEYS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Seal what is named; SystemExit with what could not be, after all the others."""
    parser = argparse.ArgumentParser(prog="python -m hqnn_utils.records", description=__doc__)
    parser.add_argument("do", choices=["seal"])
    parser.add_argument("places", nargs="+", type=Path, help="files, or folders of them")
    given = parser.parse_args(arguments)
    sealed, left = 0, []
    for path in files_of(given.places):
        try:
            sealed += seal(path)
        except (RecordError, StorageError) as error:
            left.append(str(error))
    print(f"{sealed} sealed: what they hold now counts as right from here on")
    if left:
        raise SystemExit("\n".join(left))


if __name__ == "__main__":
    main()
