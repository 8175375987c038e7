"""Choosing settings: as many for every head, judged on inner splits, never on the test part.

A search is a table like any other, whose protocol is ``inner`` (see ``data.splits``), carried out
with ``python -m hqnn_utils.studies search_frozen``. Seventy-eight validation images hardly choose;
the ten inner splits of two repetitions judge each setting on all 624 images of training and
validation part, twice. ``python -m hqnn_utils.studies.search search_frozen`` shows what was chosen.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from hqnn_utils.records import Record, measured
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.studies.settings import with_defaults
from hqnn_utils.studies.tables import condition, head_and_circuit

# What a search may vary. Each head with its circuit is a contestant and has a budget of its own.
VARIED = ("lr", "weight_decay")


def search_table(records: list[Record], varied=VARIED):
    """pandas table, one row a setting that was tried.

    Contestant, what was varied, the number of inner splits, the mean test AUC over them and its
    standard deviation, and whether it was chosen: the best mean of its contestant, of equals the
    first.

    Raises
    ------
    ValueError : records that are not of inner splits, or contestants with unequal budgets.
    """
    import pandas as pd

    rows: dict[str, dict] = {}
    for record in records:
        whole = with_defaults(record.settings)
        if whole["protocol"]["kind"] != "inner":
            raise ValueError(
                f"record {record.name!r} was judged on {whole['protocol']['kind']!r}: settings are "
                "chosen on protocol 'inner' only"
            )
        row = rows.setdefault(
            condition(whole),
            {
                "contestant": head_and_circuit(whole),
                **{key: json.dumps(whole[key]) for key in varied},
                "aucs": [],
            },
        )
        row["aucs"].append(record.scores["test"]["auc"])
    table = pd.DataFrame(list(rows.values()))
    table["splits"] = table["aucs"].map(len)
    table["auc"] = table["aucs"].map(np.mean)
    table["sd"] = table.pop("aucs").map(lambda v: np.std(v, ddof=1) if len(v) > 1 else np.nan)
    _check_budgets(table)
    best = table.groupby("contestant")["auc"].idxmax()
    table["chosen"] = table.index.isin(best)
    return table


def _check_budgets(table) -> None:
    settings = table.groupby("contestant").size()
    if settings.nunique() > 1 or table["splits"].nunique() > 1:
        raise ValueError(
            f"unequal budgets: settings {settings.to_dict()}, "
            f"inner splits {sorted(table['splits'].unique().tolist())}"
        )


def chosen(records: list[Record], varied=VARIED) -> dict[str, dict]:
    """Contestant -> what was chosen for it, e.g. ``{"lr": {"head": 0.003, "circuit": 0.03}, ...}``.

    Errors as in :func:`search_table`.
    """
    table = search_table(records, varied)
    best = table[table["chosen"]]
    return {
        row["contestant"]: {key: json.loads(row[key]) for key in varied}
        for _, row in best.iterrows()
    }


def main(arguments: list[str] | None = None) -> None:
    """Print the table of a search that was measured."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("family", help="name of a measured family of inner splits")
    given = parser.parse_args(arguments)
    print(search_table(measured(given.family)).to_string(float_format="{:.4f}".format))


checked(__name__)


if __name__ == "__main__":
    main()
