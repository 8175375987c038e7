"""What an invented paper is: a text, the numbers that it states, and the records behind them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hqnn_utils.records import (
    Record,
    RecordError,
    load_family,
    load_json,
    save_family,
    write_json_atomically,
)
from hqnn_utils.runtime.files import whole_file

MODELS = ("hybrid", "control")
TABLES = ("images", "tuning", "tests")


@dataclass(frozen=True)
class Paper:
    """An invented paper.

    Attributes
    ----------
    number : from which it was made.
    text : Markdown, two pages.
    claims : what it states, as numbers: ``runs``, ``auc`` and ``accuracy`` of both models,
        ``threshold``, ``sensitivity`` and ``specificity`` of the hybrid, ``interval`` of the
        difference of AUC (low, high), ``significant``, a list of tests.
    records : one a run of a model: settings ``model`` and ``seed``; predictions of "val", "test".
    images : pandas table, a row an image: ``id, part, label, patient, fingerprint``. Images with
        one fingerprint are copies.
    tuning : what was tried: ``model, learning_rate, weight_decay, val_auc``.
    tests : what was tested: ``test, p``.
    """

    number: int
    text: str
    claims: dict[str, Any]
    records: tuple[Record, ...]
    images: Any
    tuning: Any
    tests: Any

    def runs(self, model: str, part: str = "test"):
        """``(y, p)``, y (N,) and p (runs, N), of a model on "val" or "test"."""
        import numpy as np

        found = [r.predictions[part] for r in self.records if r.settings["model"] == model]
        return np.array(found[0]["labels"]), np.array([run["probabilities"] for run in found])

    def __repr__(self) -> str:
        return f"Paper({self.number}): INVENTED, {len(self.records)} runs of two models"


def write_paper(paper: Paper, folder: str | Path) -> Path:
    """The paper as files: ``paper.md``, ``claims.json``, ``records.json`` and three tables.

    ``claims.json`` also holds the digests of what carries none itself.
    """
    folder = Path(folder)
    tables = {
        f"{n}.csv": getattr(paper, n).to_csv(index=False, lineterminator="\n") for n in TABLES
    }
    texts = {"paper.md": paper.text, **tables}
    for name, text in texts.items():
        with whole_file(folder / name) as stream:
            stream.write(text.encode())
    save_family(list(paper.records), folder / "records.json")
    digests = {name: _digest(text.encode()) for name, text in texts.items()}
    claims = {"number": paper.number, **paper.claims, "files": digests}
    write_json_atomically(folder / "claims.json", claims)
    return folder


def read_paper(folder: str | Path) -> Paper:
    """A paper from its files.

    Raises
    ------
    RecordError : a file that is missing or was changed after it was written; it is named.
    """
    import pandas as pd

    folder = Path(folder)
    claims = load_json(folder / "claims.json")
    digests = claims.pop("files", {})
    names = ("paper.md", *(f"{name}.csv" for name in TABLES))
    texts = {name: _text(folder / name, digests.get(name)) for name in names}
    tables = {name: pd.read_csv(io.StringIO(texts[f"{name}.csv"])) for name in TABLES}
    return Paper(
        number=claims.pop("number"),
        text=texts["paper.md"],
        claims={**claims, "interval": tuple(claims["interval"])},
        records=tuple(load_family(folder / "records.json")),
        **tables,
    )


def _text(path: Path, digest: str) -> str:
    try:
        content = path.read_bytes().replace(b"\r\n", b"\n")  # git on Windows ends lines so
    except OSError as error:
        raise RecordError(
            f"{path} cannot be read ({error.strerror}): write the paper again"
        ) from None
    if _digest(content) != digest:
        raise RecordError(f"{path} was changed after it was written: write the paper again")
    return content.decode("utf-8")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
