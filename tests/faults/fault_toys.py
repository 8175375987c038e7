"""Small helpers of the fault suite."""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def reply(handler, status=200, body=b"", kind="application/octet-stream", length=None):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def until(condition, seconds=20.0):
    """Wait until something is so; an error where it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def left_in(folder: Path) -> list[str]:
    """Names of what lies in a folder; on Windows without locks, which stay there while empty."""
    names = sorted(path.name for path in folder.iterdir())
    return [n for n in names if sys.platform != "win32" or not n.endswith(".lock")]


def flip(path: Path, place: int) -> None:
    """Flip one bit of a file; a negative place counts from the end."""
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def share_of_flips_noticed(path: Path, load, error, step: int = 1) -> float:
    """Flip a bit of every ``step``-th byte, one after the other: an error, or nothing is changed.

    Returns the share of errors among all bytes of the file.
    """
    whole, wanted = path.read_bytes(), load(path)
    noticed = 0
    for place in range(0, len(whole), step):
        flip(path, place)
        try:
            assert load(path) == wanted, "only white space"
        except error:
            noticed += 1
        path.write_bytes(whole)
    return noticed / len(whole)
