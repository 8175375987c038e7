"""What a split lets through, counted; judged by what was put there."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_toys import pair_at

from hqnn_utils.data import load_breakhis, load_breastmnist, load_wisconsin, make_table
from hqnn_utils.data.splits import apply_protocol, audit_split, near_duplicates
from hqnn_utils.data.splits.duplicates import shrunk

ROWS = ["copies", "near-duplicates", "of these with the opposite label", "patients"]


@pytest.fixture(scope="module")
def images():
    return load_breastmnist(28, "phantom")


def counts(data, **options):
    return audit_split(data, **options)["test examples"].to_dict()


def with_copies(images, n, turned=()):
    """The first n test images exchanged for training images; some with the other label."""
    test, train = (np.flatnonzero(images.split == part) for part in ("test", "train"))
    changed, labels = images.images.copy(), images.labels.copy()
    changed[test[:n]], labels[test[:n]] = changed[train[:n]], labels[train[:n]]
    labels[test[list(turned)]] = 1 - labels[test[list(turned)]]
    return replace(images, images=changed, labels=labels)


def test_phantoms_are_apart(images):
    found = audit_split(images)
    assert list(found.index) == ROWS
    assert found.loc["copies", "test examples"] == 0
    assert "not known" in found.loc["patients", "about"]
    assert np.isnan(found.loc["patients", "test examples"])
    assert found.attrs == {"test": 156, "others": 624}


def test_the_table_says_what_was_counted_and_its_share(images):
    found = audit_split(with_copies(images, 6))
    assert list(found.columns) == ["test examples", "share", "about"]
    assert found.loc["copies", "share"] == pytest.approx(6 / 156)
    assert found["about"].tolist() == [
        "equal in every value to a training example",
        "correlation of 0.95 or more at 28 pixels at most",
        "a model that knows one misses the other",
        "not known: the data do not name patients, and nothing here can tell",
    ]


@settings(max_examples=8, deadline=None)
@given(n=st.integers(0, 20), turned=st.integers(0, 3))
def test_copies_are_counted_and_those_with_the_other_label_too(images, n, turned):
    turned = min(turned, n)
    after = counts(with_copies(images, n, range(turned)))
    assert after["copies"] == n
    assert after["near-duplicates"] >= n
    assert after["of these with the opposite label"] >= turned


def test_the_opposite_label_is_that_of_the_near_duplicate(images):
    """No phantom resembles another, so that the copies are the only near-duplicates."""
    found = counts(with_copies(images, 12, turned=(0, 5, 7)), threshold=0.99)
    assert found["near-duplicates"] == 12
    assert found["of these with the opposite label"] == 3
    assert counts(images)["of these with the opposite label"] == 0


def test_near_duplicates_are_those_of_the_other_tool(images):
    """Judged by ``near_duplicates``, which holds the whole table of correlations."""
    some = with_copies(images, 7)
    pairs = near_duplicates(some, 0.9)[["a", "b"]].to_numpy()
    part = dict(zip(some.ids, some.split, strict=True))
    both_ways = [*pairs, *pairs[:, ::-1]]
    concerned = {a for a, b in both_ways if part[a] == "test" and part[b] != "test"}
    assert counts(some, threshold=0.9)["near-duplicates"] == len(concerned) >= 7


def test_many_test_images_are_compared_in_pieces(images, monkeypatch):
    from hqnn_utils.data.splits import audit

    whole = counts(with_copies(images, 9, [2]))
    monkeypatch.setattr(audit, "AT_ONCE", 10)
    assert counts(with_copies(images, 9, [2])) | {"patients": 0} == whole | {"patients": 0}


def test_larger_images_are_compared_small():
    small, large = (load_breastmnist(size, "phantom") for size in (28, 56))
    found = counts(with_copies(large, 5))
    assert found["copies"] == 5
    assert found["near-duplicates"] >= 5
    assert counts(small)["copies"] == 0


def test_what_differs_only_in_its_fine_grain_is_a_near_duplicate():
    """Blocks of 2 x 2 with noise in them: at full size nothing is alike, at 28 pixels all is."""
    rng = np.random.default_rng(0)
    large = load_breastmnist(56, "phantom")
    test, train = (np.flatnonzero(large.split == part)[:4] for part in ("test", "train"))
    changed = large.images.copy()
    grain = 60 * np.kron(np.ones((28, 28)), [[1, -1], [-1, 1]])
    plain = np.kron(rng.integers(80, 170, (4, 28, 28)), np.ones((1, 2, 2)))
    changed[train], changed[test] = plain + grain, plain - grain
    data = replace(large, images=changed)
    at_full_size = near_duplicates(data, 0.95)
    ids = set(large.ids[test])
    assert not ids & {*at_full_size.a, *at_full_size.b}
    assert counts(data)["near-duplicates"] == counts(large)["near-duplicates"] + 4
    assert shrunk(changed[test], 28).shape == (4, 28, 28)


def test_smaller_images_are_compared_as_they_are_and_the_threshold_counts():
    """Stretched to 28 pixels their edges would weigh more or less than the rest."""
    data = pair_at(0.9)
    exactly = float(np.corrcoef(data.images.reshape(3, -1))[0, 1])
    found = [
        counts(data, threshold=threshold)["near-duplicates"]
        for threshold in (exactly - 1e-5, exactly, exactly + 1e-5)
    ]
    assert found == [1, 1, 0]


def test_images_of_one_colour_are_near_nothing(images):
    flat = images.images.copy()
    test, train = (np.flatnonzero(images.split == part)[:3] for part in ("test", "train"))
    flat[test], flat[train] = 7, 200
    assert counts(replace(images, images=flat))["near-duplicates"] == 0


def test_rows_of_a_table():
    data = load_wisconsin()
    assert counts(data)["copies"] == 0
    test, train = (np.flatnonzero(data.split == part) for part in ("test", "train"))
    measured = data.measured.copy()
    measured[test[:4]] = measured[train[:4]]
    measured[test[4]] = measured[train[4]] + 0.01 * measured[train].std(axis=0)
    changed = replace(data, measured=measured, features=None)
    found = counts(changed)
    assert found["copies"] == 4
    assert found["near-duplicates"] == 5


def test_rows_of_a_table_with_the_opposite_label():
    """Judged by the distances of all rows to all others."""
    data = load_wisconsin()
    test, train = (np.flatnonzero(data.split == part) for part in ("test", "train"))
    measured, labels = data.measured.copy(), data.labels.copy()
    measured[test[:4]], labels[test[:4]] = measured[train[:4]], labels[train[:4]]
    labels[test[:3]] = 1 - labels[test[:3]]
    changed = replace(data, measured=measured, labels=labels, features=None)
    others = np.flatnonzero(changed.split != "test")
    apart = changed.features[test][:, None] - changed.features[others]
    alike = np.sqrt((apart**2).mean(axis=-1)) <= 0.1
    opposite = alike & (labels[test][:, None] != labels[others])
    found = counts(changed)
    assert found["near-duplicates"] == alike.any(axis=1).sum() == 4
    assert found["of these with the opposite label"] == opposite.any(axis=1).sum() == 3


def test_patients_on_both_sides():
    data = load_breakhis("phantom", size=16)
    assert counts(data)["patients"] == 0
    leaky = apply_protocol(data, "by_image")
    test = leaky.part("test").patients
    others = set(leaky.patients[leaky.split != "test"])
    found = audit_split(leaky).loc["patients"]
    assert found["test examples"] == sum(p in others for p in test) > 0
    assert found["about"] == "of a patient with examples in training or validation"


def test_what_cannot_be_audited_is_said():
    rng = np.random.default_rng(0)
    table = make_table(rng.normal(size=(40, 3)), np.arange(40) % 2)
    with pytest.raises(ValueError, match="no test part"):
        audit_split(table.with_split(np.full(40, "train"), "all"))
    with pytest.raises(ValueError, match="threshold"):
        audit_split(table, threshold=1.5)
