"""BreakHis as data: pixels, cache, failures, splits. The trees are synthetic."""

import functools
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hqnn_utils.data import SPLITS
from hqnn_utils.data import breakhis as bh
from hqnn_utils.data import breakhis_pixels as px
from hqnn_utils.data.breakhis_names import SUBTYPES, SlideName, format_name, parse_name
from hqnn_utils.data.splits import assign_folds, resplit
from hqnn_utils.runtime import DataError, data_dir


def make_tree(root: Path, names: list[SlideName], sizes=((70, 46), (50, 33))) -> Path:
    """A folder in the official layout, each image of a colour that follows from its place."""
    for i, name in enumerate(names):
        path = root / name.folder / format_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", sizes[i % len(sizes)], (i % 256, 255 - i % 256, 128)).save(path)
    return root


def slides(per_class: int = 6, per_slide: int = 2, magnifications=(40, 200)) -> list[SlideName]:
    """Patients of both classes; every second one has two slides, told apart by letters."""
    made = []
    for tumour in "BM":
        kinds = list(SUBTYPES[tumour])
        for k in range(per_class):
            for section in ("AB", "CD") if k % 2 else ("",):
                made += [
                    SlideName(
                        "SOB",
                        tumour,
                        kinds[k % 4],
                        "14",
                        str(1000 + k + 100 * (tumour == "M")),
                        section,
                        m,
                        f"{i + 1:03d}",
                    )
                    for m in magnifications
                    for i in range(per_slide)
                ]
    return made


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "data", slides())


def load(root, tmp_path, **options):
    return bh.load_breakhis(root, size=16, cache=tmp_path / "cache", progress=False, **options)


def test_everything_is_known_about_each_image(tree, tmp_path):
    data = load(tree, tmp_path)
    assert len(data) == 72
    assert data.images.shape == (72, 16, 16, 3)
    assert data.images.dtype == np.uint8
    assert data.source == "breakhis"
    for i in (0, 30, 71):
        name = parse_name(data.ids[i])
        assert (
            data.labels[i],
            data.patients[i],
            data.slides[i],
            data.subtypes[i],
            data.magnifications[i],
        ) == (name.label, name.patient, name.slide, name.subtype, name.magnification)
    assert len(set(data.patients)) == 12
    assert len(set(data.slides)) == 18
    assert data.describe() == dict(
        name="breakhis-all-by-patient-s0",
        source="breakhis",
        digest=data.digest,
        size=16,
        n=72,
        phantom=False,
        split_by="patient",
        patients=12,
        patients_on_two_sides=0,
        magnifications=[40, 200],
    )
    assert data.banner == ""
    assert data.shared_patients == []
    table = data.counts()
    assert table["benign, images"].sum() == 36
    assert table["malignant, patients"].sum() == 6
    assert list(table.index) == list(SPLITS)
    assert data.tensors("val")[0].shape[1:] == (3, 16, 16)
    assert data.part("test").slides.shape == data.part("test").labels.shape


def test_pixels_are_those_of_the_file(tree, tmp_path):
    data, names = load(tree, tmp_path), slides()
    for i, name in enumerate(names):
        row = int(np.flatnonzero(data.ids == format_name(name))[0])
        np.testing.assert_array_equal(data.images[row].reshape(-1, 3), [[i, 255 - i, 128]] * 256)


def test_centre_crop_and_squash(tmp_path):
    names = slides()
    root = make_tree(tmp_path / "data", names)
    striped = np.zeros((40, 60, 3), np.uint8)
    striped[:, :6] = striped[:, 54:] = 255  # only what the centre crop leaves out
    Image.fromarray(striped).save(root / names[0].folder / format_name(names[0]))
    row = list(load(root, tmp_path).ids).index(format_name(names[0]))
    assert load(root, tmp_path).images[row].max() == 0
    assert load(root, tmp_path, crop="squash").images[row].max() == 255


def test_grey_and_transparent_files_become_colour(tmp_path):
    names = slides()
    root = make_tree(tmp_path / "data", names)
    for mode, name in zip(("L", "RGBA", "P"), names[:3], strict=True):
        Image.new(mode, (70, 46), 100 if mode != "RGBA" else (9, 9, 9, 50)).save(
            root / name.folder / format_name(name)
        )
    assert load(root, tmp_path).images.shape == (72, 16, 16, 3)


def test_second_load_decodes_nothing(tree, tmp_path, monkeypatch):
    first = load(tree, tmp_path)
    monkeypatch.setattr(px, "read_image", lambda *a, **k: pytest.fail("decoded again"))
    again = load(tree, tmp_path, seed=3)
    np.testing.assert_array_equal(first.images, again.images)
    assert first.digest == again.digest
    assert isinstance(again.images, np.memmap), "mapped, not held in memory"


def test_cache_notices_other_files_other_sizes_and_damage(tree, tmp_path):
    first = load(tree, tmp_path)
    victim = next(tree.rglob("*.png"))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (46, 70, 3), dtype=np.uint8)).save(
        victim
    )
    changed = load(tree, tmp_path)
    assert changed.digest != first.digest
    del first
    pixels = np.array(changed.images)  # a copy: the file under the mapped one is damaged below
    (stored,) = [
        p for p in (tmp_path / "cache").rglob("images.npy") if np.array_equal(np.load(p), pixels)
    ]
    for damage in (
        lambda: stored.write_bytes(stored.read_bytes()[:500]),
        lambda: stored.unlink(),
        lambda: (stored.parent / "about.json").write_text("{"),
    ):
        damage()
        again = load(tree, tmp_path)
        np.testing.assert_array_equal(again.images, pixels)
        assert again.digest == changed.digest
        del again
    victim.unlink()
    assert len(load(tree, tmp_path)) == 71
    assert not list((tmp_path / "cache").rglob("unfinished-*")), "nothing half-made is left"


def test_threads_do_not_matter(tree, tmp_path):
    one, many = (load(tree, tmp_path / str(n), workers=n) for n in (1, 6))
    assert one.digest == many.digest
    np.testing.assert_array_equal(one.images, many.images)


def test_blocks_do_not_matter(tree, tmp_path, monkeypatch):
    whole = load(tree, tmp_path / "a")
    monkeypatch.setattr(px, "BLOCK", 7)
    np.testing.assert_array_equal(load(tree, tmp_path / "b").images, whole.images)


# ---------------------------------------------------------------- failures


def test_unreadable_image_is_named(tree, tmp_path):
    victim = sorted(tree.rglob("*.png"))[5]
    for content in (victim.read_bytes()[:60], b"", b"<html>not found</html>"):
        victim.write_bytes(content)
        with pytest.raises(
            DataError, match=f"{victim.name} cannot be read as an image .*get it again"
        ):
            load(tree, tmp_path)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_empty_magnification_says_what_there_is(tree, tmp_path):
    with pytest.raises(DataError, match="no images at 100X; it holds 36 at 40X, 36 at 200X"):
        load(tree, tmp_path, magnification=100)
    assert set(load(tree, tmp_path, magnification=40).magnifications) == {40}


def test_too_few_patients_is_said_before_anything_is_decoded(tmp_path, monkeypatch):
    root = make_tree(tmp_path / "data", slides(per_class=4))
    monkeypatch.setattr(px, "read_image", lambda *a, **k: pytest.fail("decoded"))
    with pytest.raises(
        DataError,
        match=r"too few patients: class malignant has 4, and 5 folds need 5 or more.*fewer folds",
    ):
        load(root, tmp_path)
    monkeypatch.undo()
    assert len(load(root, tmp_path, folds=4)) == 48


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(magnification=50), "unknown magnification 50; known: 40, 100, 200, 400"),
        (dict(split="slide"), "unknown split 'slide'; known: patient, image"),
        (dict(crop="left"), "unknown crop"),
        (dict(folds=2), "at least 3 folds"),
        (dict(fold=5), "fold from 0 to folds - 1"),
    ],
)
def test_arguments(tree, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        load(tree, tmp_path, **options)
    with pytest.raises(ValueError, match="between 8 and 460"):
        bh.load_breakhis(tree, size=500)


def test_auto_falls_back_to_the_phantom_and_says_so(tmp_path, monkeypatch):
    few = functools.partial(bh.histology_phantom, patients=(5, 5), per_patient=2)
    monkeypatch.setattr(bh, "histology_phantom", few)
    monkeypatch.setenv("HQNN_DATA", str(tmp_path))
    with pytest.warns(UserWarning, match="USING THE PHANTOM") as caught:
        data = bh.load_breakhis(size=16)
    assert f"no {tmp_path / 'breakhis'}: get the archive from" in str(caught[0].message)
    assert data.is_phantom
    assert data.banner == "PHANTOM (synthetic images): "


def test_only_auto_falls_back(tmp_path, monkeypatch):
    monkeypatch.setenv("HQNN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"no folder .*breakhis"):
        bh.load_breakhis("medmnist")
    (tmp_path / "breakhis").mkdir()
    with pytest.raises(DataError, match="no images"):
        bh.load_breakhis("auto")  # there but empty: an error, no reason to fall back
    with pytest.raises(DataError, match="no folder"):
        bh.load_breakhis(tmp_path / "elsewhere")


def test_the_phantoms_seed_is_the_splits_seed(monkeypatch):
    few = functools.partial(bh.histology_phantom, patients=(5, 5), per_patient=2)
    monkeypatch.setattr(bh, "histology_phantom", few)
    first, second = (bh.load_breakhis("phantom", size=8, seed=seed) for seed in (0, 1))
    assert first.digest != second.digest, "other images"
    assert first.size == 8, "the smallest"
    by_image = bh.load_breakhis("phantom", size=8, split="image", fold=2)
    assert by_image.digest == first.digest
    assert by_image.describe()["patients_on_two_sides"] > 0


@pytest.mark.parametrize("size", [7, 461])
def test_sizes_that_cannot_be(size):
    message = rf"^size must lie between 8 and 460 pixels \(the images' height\), got {size}$"
    with pytest.raises(ValueError, match=message):
        bh.load_breakhis("phantom", size=size)


@pytest.mark.skipif(
    not (data_dir() / "breakhis").exists(), reason="no BreakHis images in HQNN_DATA"
)
def test_real_images(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = bh.load_breakhis(size=32, cache=tmp_path, progress=False)
    assert not data.is_phantom
    assert data.images.std() > 10
    assert data.shared_patients == []


# ---------------------------------------------------------------- splits

MIXED_NAMES = [format_name(n) for n in slides(7, 2, (40, 100, 200, 400))]
MIXED = bh.from_names(
    MIXED_NAMES,
    np.zeros((len(MIXED_NAMES), 8, 8, 3), np.uint8),
    name="breakhis-all",
    source="breakhis",
    digest="0" * 64,
)


@pytest.mark.parametrize("magnification", [40, 100, 200, 400, "all"])
def test_no_patient_on_two_sides_at_any_magnification(magnification):
    data = MIXED if magnification == "all" else MIXED.take(MIXED.magnifications == magnification)
    for seed in range(3):
        assert resplit(data, "patient", seed, folds=7).shared_patients == []


@pytest.mark.parametrize(
    ("script", "patients"), [("breakhis_loading", 68), ("breakhis_end_to_end", 82)]
)
def test_the_benchmarks_tree_has_the_official_numbers(script, patients, monkeypatch):
    import importlib.util

    folder = Path(__file__).parent.parent / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    bench = importlib.util.module_from_spec(
        spec := importlib.util.spec_from_file_location(script, folder / f"{script}.py")
    )
    spec.loader.exec_module(bench)
    made = bench.names()
    assert len({format_name(n) for n in made}) == 7909
    assert len({n.patient for n in made}) == patients
    per_magnification = {m: sum(n.magnification == m for n in made) for m in (40, 100, 200, 400)}
    assert per_magnification == {40: 1995, 100: 2081, 200: 2013, 400: 1820}
    assert sum(n.label for n in made) == 5429
    number = assign_folds(np.array([n.label for n in made]), np.array([n.patient for n in made]), 5)
    shares = [
        np.mean([n.label for n, k in zip(made, number, strict=True) if k == fold])
        for fold in range(5)
    ]
    assert max(abs(s - 5429 / 7909) for s in shares) < 0.05, (
        "whole archive: each fold has the archive's class share within five points"
    )
