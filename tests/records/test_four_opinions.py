"""The records of tests/benchmarks/four_opinions.py and the table made from them belong together."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hqnn_utils.records import measured, measured_dir

TABLE = json.loads((measured_dir().parent / "benchmarks" / "four_opinions.json").read_text())
RECORDS = measured("four_opinions")
HEADS = ("linear", "dressed", "mixing", "matched", "mlp", "identity", "frozen", "shuffled")


def test_each_head_ran_with_the_same_seeds_on_the_official_test_images():
    runs = [(r.settings["files"], r.settings["head"], r.settings["seed"]) for r in RECORDS]
    assert sorted(runs) == sorted(
        (files, head, seed) for files in ("large", "28px") for head in HEADS for seed in range(10)
    )
    ids = [f"test/{i}" for i in range(156)]
    assert all(r.predictions["test"]["ids"] == ids for r in RECORDS)
    training = {json.dumps({k: r.settings[k] for k in TABLE["training"]}) for r in RECORDS}
    assert training == {json.dumps(TABLE["training"])}, "one setting for all"


@pytest.mark.parametrize("files", ["large", "28px"])
@pytest.mark.parametrize("head", HEADS)
def test_the_table_is_made_from_the_records(files, head):
    runs = [
        r.predictions["test"]
        for r in RECORDS
        if (r.settings["files"], r.settings["head"]) == (files, head)
    ]
    aucs = [roc_auc_score(t["labels"], t["probabilities"]) for t in runs]
    correct = [np.mean((np.array(t["probabilities"]) > 0.5) == t["labels"]) for t in runs]
    row = TABLE["results"][files]["heads"][head]["all"]
    for name, values in (("auc", aucs), ("accuracy", correct)):
        assert row[name] == pytest.approx([np.mean(values), np.std(values, ddof=1)], abs=2e-4)
