"""The split audit: planted copies are found, groups never straddle, counts by a second way."""

import re

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from split_toys import noise_images, pair_at, table

from hqnn_utils.data import ImageData, load_breastmnist
from hqnn_utils.data.splits import apply_protocol, clean_test, groups_of, near_duplicates
from hqnn_utils.data.splits import duplicates as audit
from hqnn_utils.runtime import data_dir

OFFICIAL = data_dir() / "breastmnist.npz"


def planted(seed=0, n=60):
    """Random images with copies among them.

    Image 40 is a brighter copy of 3 (other part, other label), 50 a noisy copy of 40, 1 one of 0.
    """
    rng = np.random.default_rng(seed)
    images = rng.integers(20, 180, (n, 16, 16)).astype(np.uint8)
    images[40] = np.round(images[3] * 1.2 + 10)
    images[50] = np.clip(images[40] + rng.normal(0, 4, (16, 16)), 0, 255)
    images[1] = images[0]
    split = np.repeat(["train", "val", "test"], [36, 6, n - 42])
    ids = [f"{part}/{i}" for part in ("train", "val", "test") for i in range((split == part).sum())]
    return ImageData(
        images=images,
        labels=(np.arange(n) % 3 == 0).astype(np.int64),
        split=split,
        ids=np.array(ids),
        name="planted",
        source="file",
        digest="0" * 64,
    )


# ---------------------------------------------------------------- the measure


def test_correlation_is_numpys():
    images = planted().images
    np.testing.assert_allclose(
        audit.correlations(images), np.corrcoef(images.reshape(60, -1)), atol=1e-12
    )
    np.testing.assert_array_equal(audit.correlations(images), audit.correlations(images, "pixels"))
    colour = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3))
    np.testing.assert_allclose(
        audit.correlations(colour), np.corrcoef(colour.reshape(5, -1)), atol=1e-12
    )
    assert audit.correlations(images.tolist()).shape == (60, 60)


def test_mirror_compares_with_the_others_mirror_images():
    images = planted().images
    mirrored = audit.correlations(images, "mirror")
    expected = np.corrcoef(images[2].ravel(), images[7][:, ::-1].ravel())[0, 1]
    assert mirrored[2, 7] == pytest.approx(expected)
    assert mirrored.shape == (60, 60)


def test_detail_takes_away_what_a_gaussian_blur_keeps():
    images = planted().images[:6]
    rough = [im - gaussian_filter(im.astype(float), 16 / 14) for im in images]
    expected = np.corrcoef(np.reshape(rough, (6, -1)))
    np.testing.assert_allclose(audit.correlations(images, "detail"), expected, atol=1e-9)
    wide = np.random.default_rng(0).integers(0, 256, (4, 10, 28))
    rough = [im - gaussian_filter(im.astype(float), 28 / 14) for im in wide]
    expected = np.corrcoef(np.reshape(rough, (4, -1)))
    np.testing.assert_allclose(audit.correlations(wide, "detail"), expected, atol=1e-9)


def test_detail_ignores_a_shared_layout():
    rng = np.random.default_rng(0)
    layout = np.linspace(0, 120, 28)[:, None] * np.ones(28)
    images = np.stack([layout + rng.integers(0, 40, (28, 28)) for _ in range(4)]).astype(np.uint8)
    assert audit.correlations(images)[0, 1] > 0.8
    assert abs(audit.correlations(images, "detail")[0, 1]) < 0.3


def test_an_image_of_one_colour_resembles_nothing():
    images = np.concatenate([planted().images[:2], np.full((1, 16, 16), 7, np.uint8)])
    assert (audit.correlations(images)[2] == 0).all()
    faint = images.copy()
    faint[2, 0, 0] = 8  # one pixel differs by one: a picture after all
    assert audit.correlations(faint)[2, 2] == pytest.approx(1)


def test_correlations_stay_between_minus_one_and_one():
    image = np.random.default_rng(0).integers(0, 256, (16, 16)).astype(np.uint8)
    found = audit.correlations(np.stack([image, 255 - image, image]))
    assert found[0, 1] == pytest.approx(-1)
    images = np.random.default_rng(1).integers(0, 256, (200, 7, 7)).astype(np.uint8)
    found = audit.correlations(np.concatenate([images, 255 - images]))
    assert found.max() <= 1, "whatever the rounding"
    assert found.min() >= -1


def test_bad_images_and_methods():
    with pytest.raises(ValueError, match=r"^unknown method 'ssim'; known: pixels, detail, mirror$"):
        audit.correlations(planted().images, "ssim")
    for shape in ((3, 4), (2, 3, 4, 3, 1)):
        message = f"images must have shape (N, H, W) or (N, H, W, 3), got {shape}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            audit.correlations(np.zeros(shape))


@pytest.mark.parametrize("colours", [(), (3,)])
def test_shrinking_takes_means_over_areas(colours):
    images = np.random.default_rng(0).integers(0, 256, (2, 6, 6, *colours)).astype(np.uint8)
    found = audit.shrunk(images, 3)
    wanted = images.reshape(2, 3, 2, 3, 2, *colours).mean(axis=(2, 4))
    assert found.shape == (2, 3, 3, *colours)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


# ---------------------------------------------------------------- pairs and groups


def test_pairs_are_ordered_and_reach_the_threshold():
    correlation = np.eye(4)
    for (i, j), value in {(0, 1): 0.5, (0, 2): 0.9, (1, 3): 0.5, (2, 3): 0.7}.items():
        correlation[i, j] = correlation[j, i] = value
    assert audit.pairs_above(correlation, 0.5).tolist() == [[0, 2], [2, 3], [0, 1], [1, 3]]
    assert audit.pairs_above(correlation, 0.6).tolist() == [[0, 2], [2, 3]]
    assert audit.pairs_above(correlation, 0.9).tolist() == [[0, 2]]
    assert audit.pairs_above(correlation, 0.95).shape == (0, 2)


def test_pairs_that_are_equally_alike_stay_in_the_images_order():
    values = np.where(np.arange(400).reshape(20, 20) % 3 == 0, 0.9, 0.8)
    found = audit.pairs_above(values, 0.5)
    pairs = [(i, j) for i in range(20) for j in range(i + 1, 20)]
    expected = sorted(pairs, key=lambda pair: -values[pair])  # Python's sort is stable
    assert [tuple(pair) for pair in found] == expected


def test_a_pair_at_the_threshold_counts_whatever_the_rounding():
    correlation = np.array([[1, 0.95 - 5e-13], [0.95 - 5e-13, 1]])
    assert len(audit.pairs_above(correlation, 0.95)) == 1
    assert len(audit.pairs_above(correlation - 1e-9, 0.95)) == 0


def test_chains_are_one_group():
    """The first resembles the second, the second the third: one group, though the ends differ."""
    assert audit.connected_groups(5, np.array([[0, 1], [1, 2]])).tolist() == [0, 0, 0, 1, 2]
    assert audit.connected_groups(4, np.array([[3, 1]])).tolist() == [0, 1, 2, 1]
    assert audit.connected_groups(3, np.empty((0, 2), int)).tolist() == [0, 1, 2]
    assert audit.connected_groups(3, []).tolist() == [0, 1, 2]


@pytest.mark.parametrize("threshold", [0.001, 0.5, 1, 1.0])
def test_good_thresholds(threshold):
    assert len(clean_test(planted(), threshold)) <= len(planted())


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan")])
@pytest.mark.parametrize("call", [near_duplicates, clean_test, audit.duplicate_groups])
def test_bad_thresholds(call, threshold):
    message = f"threshold is a correlation above 0 and at most 1, got {threshold}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(planted(), threshold)


@pytest.mark.parametrize("call", [near_duplicates, clean_test, audit.duplicate_groups])
def test_tables_have_no_near_duplicates(call):
    message = (
        "looking for near-duplicates needs images, and toy-s0 is a table of features: "
        "use the protocol official, random or cross_validation"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(table())


# ---------------------------------------------------------------- the audit


def test_planted_pairs_are_found_and_named():
    pairs = near_duplicates(planted(), 0.95)
    assert list(pairs.columns) == ["a", "b", "correlation", "across", "opposite"]
    assert {frozenset(pair) for pair in zip(pairs.a, pairs.b, strict=True)} == {
        frozenset(("train/0", "train/1")),
        frozenset(("train/3", "val/4")),
        frozenset(("train/3", "test/8")),
        frozenset(("val/4", "test/8")),
    }
    assert pairs.correlation.is_monotonic_decreasing
    assert pairs.iloc[0].correlation == pytest.approx(1)
    rows = pairs.set_index(["a", "b"])
    assert list(rows.loc[("train/3", "val/4"), ["across", "opposite"]]) == [True, True]
    assert list(rows.loc[("train/0", "train/1"), ["across", "opposite"]]) == [False, True]
    assert list(rows.loc[("val/4", "test/8"), ["across", "opposite"]]) == [True, False]


def test_near_duplicates_by_another_method():
    data = planted()
    images = data.images.copy()
    images[20] = images[10][:, ::-1]
    mirrored = noise_images(60, images=images)
    assert {tuple(row) for row in near_duplicates(mirrored, 0.95, "mirror")[["a", "b"]].values} == {
        ("image/10", "image/20")
    }
    assert len(near_duplicates(mirrored, 0.95)) == 4


def test_groups_join_near_duplicates_of_near_duplicates():
    groups = audit.duplicate_groups(planted(), 0.95)
    assert groups[3] == groups[40] == groups[50]
    assert groups[0] == groups[1] != groups[3]
    assert len(np.unique(groups)) == 57


@pytest.mark.parametrize("goal", [0.94, 0.96])
def test_095_is_the_default_and_the_boundary_counts(goal):
    data = pair_at(goal)
    found = audit.correlations(data.images)[0, 1]
    is_near = found >= 0.95
    assert is_near == (goal > 0.95)
    assert len(near_duplicates(data)) == is_near
    assert len(clean_test(data)) == 3 - is_near
    assert len(set(audit.duplicate_groups(data))) == 3 - is_near
    assert len(set(groups_of(data))) == 3 - is_near
    assert len(near_duplicates(data, found)) == 1
    assert len(clean_test(data, found)) == 2
    assert len(set(audit.duplicate_groups(data, found))) == 2
    assert len(near_duplicates(data, found + 1e-9)) == 0
    assert len(clean_test(data, found + 1e-9)) == 3


def test_clean_test_takes_away_test_images_only():
    data = planted()
    clean = clean_test(data, 0.95)
    assert set(data.ids) - set(clean.ids) == {"test/8"}
    assert list(clean.ids) == [name for name in data.ids if name != "test/8"]
    assert len(clean_test(data, 1.0)) == 60


def test_copies_within_the_test_part_stay():
    images = planted().images
    images[55] = images[56]
    data = noise_images(60, images=images, split=planted().split)
    assert "image/55" in clean_test(data, 0.95).ids


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_group_on_two_sides(seed):
    data = planted(n=120)
    new = apply_protocol(data, "grouped", threshold=0.95, seed=seed)
    groups = groups_of(data, 0.95)
    assert all(len(set(new.split[groups == g])) == 1 for g in groups)
    assert not near_duplicates(new, 0.95).across.any()
    np.testing.assert_array_equal(new.images, data.images)
    assert list(new.ids) == list(data.ids)
    sizes = [(new.split == part).mean() for part in ("train", "val", "test")]
    assert np.allclose(sizes, [0.7, 0.1, 0.2], atol=0.05)


# ---------------------------------------------------------------- whole datasets


def test_the_phantom_is_clean():
    """Synthetic images are drawn one by one: the audit must not cry wolf."""
    data = load_breastmnist(28, "phantom")
    assert len(near_duplicates(data)) == 0
    assert len(clean_test(data)) == 780


@pytest.mark.skipif(
    not OFFICIAL.exists(), reason="the official BreastMNIST file is not in HQNN_DATA"
)
def test_official_counts_by_a_second_way():
    """Brute force with numpy.corrcoef, image by image, against what the notebook uses."""
    data = load_breastmnist(28, "medmnist")
    correlation = np.corrcoef(data.images.reshape(780, -1).astype(float))
    rest = np.flatnonzero(data.split != "test")
    dirty = [i for i in np.flatnonzero(data.split == "test") if correlation[i, rest].max() >= 0.95]
    assert len(clean_test(data).part("test")) == 156 - len(dirty) == 93
    above = (correlation[np.triu_indices(780, 1)] >= 0.95).sum()
    assert len(near_duplicates(data)) == above == 238
    first = near_duplicates(data).iloc[0]
    assert (first.a, first.b, first.opposite) == ("train/115", "test/76", True), (
        "one image, two labels"
    )
