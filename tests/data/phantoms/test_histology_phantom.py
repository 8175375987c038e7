"""The histology phantom: patients with a stain of their own, tissue that stays under other dyes."""

import hashlib

import numpy as np
import pytest

from hqnn_utils.data.breakhis_names import parse_name
from hqnn_utils.data.phantoms import histology
from hqnn_utils.data.phantoms.histology import histology_phantom, stain_matrix

SMALL = dict(patients=(4, 5), per_patient=4)


def test_shapes_ids_and_classes():
    made = histology_phantom(24, 0, **SMALL)
    assert made["images"].shape == (36, 24, 24, 3)
    assert made["images"].dtype == np.uint8
    names = [parse_name(i) for i in made["ids"]]
    assert len(set(made["ids"])) == 36
    assert [n.label for n in names] == made["labels"].tolist()
    patients = {n.patient: n.label for n in names}
    assert sorted(patients.values()) == [0] * 4 + [1] * 5
    assert {n.year for n in names} == {"99"}, "no real slide carries the year 99"


def test_bytes_are_what_they_were():
    """A changed generator changes every phantom record: raise this digest on purpose only."""
    made = histology_phantom(24, 3, **SMALL)
    assert (
        hashlib.sha256(made["images"].tobytes()).hexdigest()
        == "baa44145a7277d1317f5873f9d01e4a2f74fe4703a3d307213f25bbcb420f40e"
    )


def test_each_image_follows_from_seed_patient_and_number_alone():
    made = histology_phantom(24, 0, **SMALL)
    for label, index, k, row in ((1, 4, 4, 35), (0, 0, 1, 0), (1, 0, 2, 17)):
        for seed, same in ((0, True), (1, False)):
            rng = np.random.default_rng([seed, label, index])
            traits = histology._draw_patient(rng, bool(label), 1.0)
            image = histology._draw(24, np.random.default_rng([seed, label, index, k]), traits)
            assert np.array_equal(image, made["images"][row]) == same


def colours(made):
    """Mean colour of each image, (patients, images, 3)."""
    return made["images"].mean(axis=(1, 2)).reshape(9, 4, 3)


def test_each_patient_has_a_stain_of_its_own():
    spread = {}
    for shift in (0.0, 1.0):
        mean = colours(histology_phantom(24, 0, shift=shift, **SMALL))
        spread[shift] = mean.mean(axis=1).std(axis=0).mean() / mean.std(axis=1).mean()
    assert spread[1.0] > 3, (
        "patients differ from one another much more than the images of one patient"
    )
    assert spread[1.0] > 1.5 * spread[0.0]


def test_colour_tells_patients_apart_and_not_classes():
    """The nearest image by mean colour is nearly always one of the same patient.

    Across patients colour knows little of the class.
    """
    made = histology_phantom(24, 1, patients=(12, 12), per_patient=4)
    mean, patient = made["images"].mean(axis=(1, 2)), np.repeat(np.arange(24), 4)
    distance = np.linalg.norm(mean[:, None] - mean[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (patient[distance.argmin(axis=1)] == patient).mean() > 0.6
    distance[patient[:, None] == patient[None]] = np.inf
    assert abs((made["labels"][distance.argmin(axis=1)] == made["labels"]).mean() - 0.5) < 0.3


def test_same_tissue_under_other_dyes():
    plain, shifted = (
        histology_phantom(24, 0, shift=s, **SMALL)["images"].mean(axis=3) for s in (0.0, 1.0)
    )
    assert (
        np.mean(
            [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(plain, shifted, strict=True)]
        )
        > 0.9
    )


def test_stain_vectors_have_length_one():
    matrix = stain_matrix()
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1)
    np.testing.assert_allclose(matrix[2] @ matrix[:2].T, 0, atol=1e-12)


def test_read_only_and_arguments_checked():
    with pytest.raises(ValueError, match="read-only"):
        histology_phantom(24, 0, **SMALL)["images"][0, 0, 0, 0] = 1
    with pytest.raises(ValueError, match="between 8 and 512"):
        histology_phantom(4)
    with pytest.raises(ValueError, match="at least one patient"):
        histology_phantom(24, patients=(0, 3))
