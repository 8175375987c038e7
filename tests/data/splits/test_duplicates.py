"""The split audit: planted copies are found, groups never straddle, counts on the official file equal a second way of counting."""

import numpy as np
import pytest

from hqnn_utils.data import ImageData, load_breastmnist
from hqnn_utils.data.splits import apply_protocol, clean_test, groups_of, near_duplicates
from hqnn_utils.data.splits import duplicates as audit
from hqnn_utils.runtime import data_dir

OFFICIAL = data_dir() / "breastmnist.npz"


def planted(seed=0, n=60):
    """Random images; image 40 is a brighter copy of 3 (other split, other label), 50 a noisy copy of 40, 1 a copy of 0."""
    rng = np.random.default_rng(seed)
    images = rng.integers(20, 180, (n, 16, 16)).astype(np.uint8)
    images[40] = np.round(images[3] * 1.2 + 10)
    images[50] = np.clip(images[40] + rng.normal(0, 4, (16, 16)), 0, 255)
    images[1] = images[0]
    split = np.repeat(["train", "val", "test"], [36, 6, n - 42])
    labels = np.arange(n) % 3 == 0
    ids = np.concatenate(
        [[f"{s}/{i}" for i in range((split == s).sum())] for s in ("train", "val", "test")]
    )
    return ImageData(
        images=images,
        labels=labels.astype(np.int64),
        split=split,
        ids=ids,
        name="planted",
        source="file",
        digest="0" * 64,
    )


def test_correlation_is_numpys():
    images = planted().images
    np.testing.assert_allclose(
        audit.correlations(images), np.corrcoef(images.reshape(60, -1)), atol=1e-12
    )
    mirrored = audit.correlations(images, "mirror")
    assert mirrored[2, 7] == pytest.approx(
        np.corrcoef(images[2].ravel(), images[7][:, ::-1].ravel())[0, 1]
    )
    flat = np.concatenate([images[:2], np.full((1, 16, 16), 7, np.uint8)])
    assert np.all(audit.correlations(flat)[2] == 0), (
        "an image of one colour resembles nothing, and there is no NaN"
    )
    assert audit.correlations(np.stack([images] * 3, axis=-1)).shape == (60, 60)


def test_detail_ignores_a_shared_layout():
    rng = np.random.default_rng(0)
    layout = np.linspace(0, 120, 28)[:, None] * np.ones(28)
    images = np.stack([layout + rng.integers(0, 40, (28, 28)) for _ in range(4)]).astype(np.uint8)
    assert (
        audit.correlations(images)[0, 1]
        > 0.8
        > 0.3
        > abs(audit.correlations(images, "detail")[0, 1])
    )


def test_planted_pairs_are_found_and_named():
    data = planted()
    pairs = near_duplicates(data, 0.95)
    assert {frozenset(p) for p in zip(pairs.a, pairs.b)} == {
        frozenset(("train/0", "train/1")),
        frozenset(("train/3", "val/4")),
        frozenset(("train/3", "test/8")),
        frozenset(("val/4", "test/8")),
    }
    assert pairs.correlation.is_monotonic_decreasing
    assert pairs.iloc[0].correlation == pytest.approx(1)
    assert dict(zip(zip(pairs.a, pairs.b), zip(pairs.across, pairs.opposite)))[
        ("train/3", "val/4")
    ] == (True, True)
    groups = groups_of(data, 0.95)
    assert groups[3] == groups[40] == groups[50] != groups[0] == groups[1]
    assert len(np.unique(groups)) == 57


def test_chains_are_one_group():
    """a resembles b and b resembles c: one group, though a and c may differ."""
    assert len(np.unique(audit.connected_groups(5, np.array([[0, 1], [1, 2]])))) == 3
    assert audit.connected_groups(3, np.empty((0, 2), int)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_group_on_two_sides(seed):
    data = planted(n=120)
    new = apply_protocol(data, "grouped", threshold=0.95, seed=seed)
    groups = groups_of(data, 0.95)
    assert all(len(set(new.split[groups == g])) == 1 for g in groups)
    assert not near_duplicates(new, 0.95).across.any()
    np.testing.assert_array_equal(new.images, data.images)
    assert new.name == f"planted-grouped0.95-s{seed}"
    assert list(new.ids) == list(data.ids)
    sizes = [(new.split == s).mean() for s in ("train", "val", "test")]
    assert np.allclose(sizes, [0.7, 0.1, 0.2], atol=0.05)


def test_clean_test_takes_away_test_images_only():
    data = planted()
    clean = clean_test(data, 0.95)
    assert set(data.ids) - set(clean.ids) == {"test/8"}
    assert len(clean_test(data, 1.0)) == 60


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan")])
def test_bad_threshold(threshold):
    for call in (near_duplicates, groups_of, clean_test):
        with pytest.raises(ValueError, match="threshold is a correlation above 0 and at most 1"):
            call(planted(), threshold)
    with pytest.raises(ValueError, match="threshold is a correlation above 0 and at most 1"):
        apply_protocol(planted(), "grouped", threshold=threshold)


def test_bad_images_and_methods():
    with pytest.raises(ValueError, match="unknown method 'ssim'; known: pixels, detail, mirror"):
        audit.correlations(planted().images, "ssim")
    with pytest.raises(ValueError, match=r"shape \(N, H, W\)"):
        audit.correlations(np.zeros((3, 4)))


def test_the_phantom_is_clean():
    """Synthetic images are drawn one by one: the audit must not cry wolf."""
    data = load_breastmnist(28, "phantom")
    assert len(near_duplicates(data)) == 0
    assert len(clean_test(data)) == 780


@pytest.mark.skipif(
    not OFFICIAL.exists(), reason="the official BreastMNIST file is not in HQNN_DATA"
)
def test_official_counts_by_a_second_way():
    """Brute force with numpy.corrcoef, image by image, against the method that the notebook uses."""
    data = load_breastmnist(28, "medmnist")
    flat = data.images.reshape(780, -1).astype(float)
    correlation = np.corrcoef(flat)
    rest = np.flatnonzero(data.split != "test")
    dirty = [i for i in np.flatnonzero(data.split == "test") if correlation[i, rest].max() >= 0.95]
    assert len(clean_test(data).part("test")) == 156 - len(dirty) == 93
    assert (
        len(near_duplicates(data)) == (correlation[np.triu_indices(780, 1)] >= 0.95).sum() == 238
    )
    first = near_duplicates(data).iloc[0]
    assert (first.a, first.b, first.opposite) == ("train/115", "test/76", True), (
        "one image, two labels"
    )
