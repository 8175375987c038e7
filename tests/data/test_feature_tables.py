"""Tables of features: the Wisconsin data against scikit-learn's own, and tables of one's own."""

import hashlib
import re

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from hqnn_utils.data import CLASS_NAMES, load_wisconsin, make_table
from hqnn_utils.data.splits.parts import stratified_parts

ROWS = np.random.default_rng(0).normal(0, 1, (50, 3))
LABELS = np.arange(50) % 2


def test_wisconsin_is_scikit_learns_with_malignant_one():
    data, theirs = load_wisconsin(), load_breast_cancer()
    assert data.measured.shape == (569, 30)
    np.testing.assert_array_equal(data.measured, theirs.data)
    is_malignant = theirs.target_names[theirs.target] == "malignant"
    np.testing.assert_array_equal(data.labels == 1, is_malignant)
    assert data.labels.sum() == 212
    assert data.feature_names == tuple(theirs.feature_names)
    assert (data.name, data.source) == ("wisconsin-s0", "scikit-learn")
    assert data.class_names == ("benign", "malignant")
    assert data.banner == ""
    assert (data.ids[0], data.ids[-1], len(set(data.ids))) == ("row/0", "row/568", 569)


def test_wisconsins_split_and_digest_are_what_they_were():
    data = load_wisconsin()
    assert [(data.split == part).sum() for part in ("train", "val", "test")] == [398, 57, 114]
    shares = [data.part(part).labels.mean() for part in ("train", "val", "test")]
    assert max(shares) - min(shares) < 0.01
    content = data.measured.tobytes() + data.labels.tobytes()
    assert data.digest == hashlib.sha256(content).hexdigest()
    assert data.digest[:16] == "3019c221882c9c75"
    assert hashlib.sha256("".join(data.split).encode()).hexdigest()[:16] == "e4b7084bf7b843b2"


def test_the_seed_is_of_the_split_alone():
    first, other = load_wisconsin(), load_wisconsin(seed=5)
    assert other.name == "wisconsin-s5"
    assert other.digest == first.digest
    assert (other.split != first.split).any()
    np.testing.assert_array_equal(other.split, stratified_parts(first.labels, 5, 0.1, 0.2))


def test_a_table_of_ones_own():
    data = make_table(ROWS.tolist(), LABELS.tolist(), name="mine", seed=2)
    assert data.name == "mine-s2"
    assert data.source == "arrays"
    assert data.class_names == CLASS_NAMES
    assert data.feature_names == ("feature 0", "feature 1", "feature 2")
    np.testing.assert_array_equal(data.split, stratified_parts(LABELS, 2, 0.1, 0.2))
    assert [(data.split == part).sum() for part in ("train", "val", "test")] == [35, 5, 10]
    assert data.labels.dtype == np.int64
    assert make_table(ROWS, LABELS).name == "table-s0"


def test_every_argument_arrives():
    data = make_table(
        ROWS, LABELS == 1, feature_names=["x", "y", "z"], source="clinic", class_names=("no", "yes")
    )
    assert data.feature_names == ("x", "y", "z")
    assert data.source == "clinic"
    assert data.class_names == ("no", "yes")
    assert data.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("measured", "labels", "options", "message"),
    [
        (
            ROWS[:, 0],
            LABELS,
            {},
            "a table needs measured (N, d) and labels (N,), got (50,) and (50,)",
        ),
        (
            ROWS,
            LABELS[:-1],
            {},
            "a table needs measured (N, d) and labels (N,), got (50, 3) and (49,)",
        ),
        (
            np.where(ROWS > 2, np.nan, ROWS),
            LABELS,
            {},
            "measured holds values that are not finite: fill or drop them first",
        ),
        (ROWS, LABELS + 1, {}, "labels hold [2], expected 0 and 1 (malignant) only"),
        (
            ROWS,
            LABELS,
            {"feature_names": ["x"]},
            "1 feature_names for 3 features: give one each",
        ),
    ],
)
def test_bad_tables(measured, labels, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_table(measured, labels, **options)
