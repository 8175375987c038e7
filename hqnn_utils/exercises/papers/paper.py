"""What an invented paper is: a text, the numbers that it states, and the records behind them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hqnn_utils.records import Record, load_family, save_family, write_json_atomically
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
    """The paper as files: ``paper.md``, ``claims.json``, ``records.json`` and three tables."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / "paper.md") as stream:
        stream.write(paper.text.encode())
    write_json_atomically(folder / "claims.json", {"number": paper.number, **paper.claims})
    save_family(list(paper.records), folder / "records.json")
    for name in TABLES:
        with whole_file(folder / f"{name}.csv") as stream:
            stream.write(getattr(paper, name).to_csv(index=False, lineterminator="\n").encode())
    return folder


def read_paper(folder: str | Path) -> Paper:
    """A paper from its files. FileNotFoundError names the one that is missing."""
    import pandas as pd

    folder = Path(folder)
    claims = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
    tables = {name: pd.read_csv(folder / f"{name}.csv") for name in TABLES}
    return Paper(
        number=claims.pop("number"),
        text=(folder / "paper.md").read_text(encoding="utf-8"),
        claims={**claims, "interval": tuple(claims["interval"])},
        records=tuple(load_family(folder / "records.json")),
        **tables,
    )
