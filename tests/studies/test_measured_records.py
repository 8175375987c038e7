"""Nothing measured is lost: every committed record is what it was before the rooms were built.

``records_before.json`` was written by the code of commit 656a947 from the records of that commit:
for each one the fingerprint, the digest of its predictions, and three scores that were recomputed.
"""

import hashlib
import json
from pathlib import Path

import pytest

from hqnn_utils.evaluation.metrics import scores
from hqnn_utils.records import load_family, measured_dir
from hqnn_utils.runtime import data_dir
from hqnn_utils.studies import as_setting, load_all, load_plan, measured
from hqnn_utils.studies.plans import known_plans
from hqnn_utils.studies.settings import with_defaults

BEFORE = json.loads((Path(__file__).parent / "records_before.json").read_text())
FAMILIES = sorted(BEFORE["measured"])
NOTEBOOKS = sorted(BEFORE["notebooks"])
EARLIER_PAGES = measured_dir().parent / "earlier_pages" / "pages_2026-11-23.json"


def digest(predictions):
    text = json.dumps(predictions, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def recomputed(record):
    test = record.predictions["test"]
    found = scores(test["labels"], test["probabilities"])
    return {name: round(found[name], 9) for name in ("accuracy", "auc", "brier")}


@pytest.mark.parametrize("family", FAMILIES)
def test_measured_families_are_unchanged(family):
    before = BEFORE["measured"][family]
    records = measured(family)
    assert [r.name for r in records] == list(before)
    for record in records:
        was = before[record.name]
        assert record.fingerprint()[:16] == was["fingerprint"], record.name
        assert digest(record.predictions) == was["predictions"], record.name
        now = recomputed(record)
        assert now == pytest.approx({name: was[name] for name in now}, abs=1e-9), record.name


def test_753_runs_are_compared():
    assert sum(len(runs) for runs in BEFORE["measured"].values()) == 753


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_its_plan(family):
    """A stored record has the settings of its plan, with the defaults of keys that came later."""
    planned = {s.name: s.stored() for s in map(as_setting, load_plan(family))}
    there = {r.name: with_defaults(r.settings) for r in measured(family)}
    assert there == planned


LATER = [plan for plan in known_plans() if plan not in FAMILIES]


def test_each_plan_of_that_time_has_its_family():
    assert set(FAMILIES) < set(known_plans())


@pytest.mark.parametrize("family", LATER)
def test_later_families_are_their_plan(family):
    """Those of plan v2 may still be growing: every record is one of the plan's."""
    if not (measured_dir() / f"{family}.json").exists():
        pytest.skip("planned, not yet run")
    planned = {s.name: s.stored() for s in map(as_setting, load_plan(family))}
    records = measured(family)
    for record in records:
        assert with_defaults(record.settings) == planned[record.name]
        now, p = recomputed(record), record.predictions["test"]["probabilities"]
        assert now["accuracy"] == pytest.approx(record.scores["test"]["accuracy"], abs=1e-6)
        # A network that collapsed gives all images nearly one value; seven digits make ties of it.
        if len(set(p)) > 0.95 * len(p):
            assert now["auc"] == pytest.approx(record.scores["test"]["auc"], abs=1e-3)
        assert record.scores["fit"]["moved"].keys() >= {"head"}
    if family.startswith("search"):
        assert len(records) == len(planned)


def test_records_of_the_earlier_pages_are_kept():
    """A page's own records are made again with it, and training differs between processors.

    Those of the first wave are kept in one family, under the notebooks' final numbers.
    """
    kept = {r.name: r for r in load_family(EARLIER_PAGES)}
    before = {name: was for runs in BEFORE["notebooks"].values() for name, was in runs.items()}
    assert kept.keys() == before.keys()
    assert len(kept) == 109
    for name, was in before.items():
        test = kept[name].predictions["test"]
        assert digest([test["ids"], test["labels"]]) == was["images"], name
        now = recomputed(kept[name])
        assert now == pytest.approx({k: was[k] for k in now}, abs=1e-9), name


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_records_of_the_pages_are_of_the_same_images(notebook):
    """A record that a page still makes has the images and labels that it had before.

    Pages may keep fewer runs than they did, or others: the earlier ones are in ``EARLIER_PAGES``.
    """
    before = BEFORE["notebooks"][notebook]
    records = {r.name: r for r in load_all(measured_dir().parent / notebook)}
    assert records, f"the stored page {notebook} made records"
    for name in records.keys() & before.keys():
        test = records[name].predictions["test"]
        assert digest([test["ids"], test["labels"]]) == before[name]["images"], name


@pytest.mark.skipif(
    not (data_dir() / "breastmnist.npz").exists(), reason="needs the official BreastMNIST file"
)
def test_the_logistic_family_can_be_made_again():
    """Notebook 02 judges it. It is no plan's family: scikit-learn trains it, in three lines."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from hqnn_utils.data import load_breastmnist

    (record,) = measured("logistic_28px")
    seed, strength = record.settings["seed"], record.settings["C"]
    assert record.settings["backbone"] == "pca50"
    data = load_breastmnist(28, "medmnist")
    assert record.data == data.describe()
    pixels = {s: data.part(s).images.reshape(len(data.part(s)), -1) for s in ("train", "test")}
    model = make_pipeline(
        StandardScaler(), PCA(50, random_state=seed), LogisticRegression(C=strength, max_iter=2000)
    ).fit(pixels["train"], data.part("train").labels)
    stored = record.predictions["test"]["probabilities"]
    assert model.predict_proba(pixels["test"])[:, 1] == pytest.approx(stored, abs=1e-4)
    cnn = measured("heads_28px")[0]
    assert record.predictions["test"]["ids"] == cnn.predictions["test"]["ids"]
    assert record.predictions["val"]["labels"] == cnn.predictions["val"]["labels"]
