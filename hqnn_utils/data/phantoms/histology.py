"""Synthetic histology with patients, nuclei, two stains, and a stain of each patient's own.

A phantom looks roughly like stained tissue and is not medicine. Light passes two dyes, haematoxylin
(nuclei) and eosin (the rest), and each absorbs by the Beer-Lambert law: optical density =
concentration times the dye's colour vector (Ruifrok and Johnston, Anal Quant Cytol Histol 23,
2001, 291-299). Every patient's slide has dyes of slightly different colour and strength, as real
slides do. That is what makes a split by image leak.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hqnn_utils.data.breakhis_names import SlideName, format_name

# Optical densities of the two dyes in red, green and blue, of length 1 (Ruifrok and Johnston).
HAEMATOXYLIN, EOSIN = (0.650, 0.704, 0.286), (0.072, 0.990, 0.105)
CANVAS = 96  # pixels in which the tissue is drawn
SUBTYPES = {0: ("A", "F", "PT", "TA"), 1: ("DC", "LC", "MC", "PC")}


def stain_matrix() -> np.ndarray:
    """(3, 3), each row of length 1: haematoxylin, eosin, and what neither explains.

    The last is the cross product of the first two.
    """
    rows = np.stack([HAEMATOXYLIN, EOSIN, np.cross(HAEMATOXYLIN, EOSIN)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _draw_patient(rng: np.random.Generator, malignant: bool, shift: float) -> dict:
    """Traits that all images of one patient share.

    The classes overlap in each; the stain has nothing to do with the class. The order of the draws
    decides what a seed means; it must stay.
    """
    stains = stain_matrix()[:2] + shift * rng.normal(0, 0.09, (2, 3))
    return {
        "stains": np.abs(stains) / np.linalg.norm(stains, axis=1, keepdims=True),
        "strength": np.exp(shift * rng.normal(0, 0.30, 2)),
        "light": 1 - shift * rng.uniform(0, 0.10, 3),
        "crowding": float(np.clip(rng.normal(62 if malignant else 44, 11), 12, 110)),
        "radius": float(np.clip(rng.normal(0.036 if malignant else 0.030, 0.004), 0.018, 0.05)),
        "variety": float(np.clip(rng.normal(0.40 if malignant else 0.22, 0.08), 0.05, 0.6)),
        "stretch": float(np.clip(rng.normal(1.35, 0.2), 1, 2.2)),
        "fibre": float(rng.uniform(0, np.pi)),
    }


def _render(rng: np.random.Generator, traits: dict) -> np.ndarray:
    """One image (CANVAS, CANVAS, 3) of transmitted light between 0 and 1."""
    eosin = _fibrous_tissue(rng, traits)
    nuclei = _nuclei(rng, traits)
    eosin = np.clip(eosin, 0.01, None) * (1 - 0.6 * np.clip(nuclei, 0, 1))
    haematoxylin = np.clip(0.75 * nuclei, 0, None) + 0.03
    dyes = np.stack([haematoxylin, eosin], axis=-1) * traits["strength"]
    light = traits["light"] * 10 ** -(dyes @ traits["stains"])  # Beer-Lambert
    return np.clip(light + rng.normal(0, 0.01, light.shape), 0, 1)


def _fibrous_tissue(rng: np.random.Generator, traits: dict) -> np.ndarray:
    """Concentration of eosin: fibres of one direction, with gaps."""
    from scipy.ndimage import gaussian_filter, rotate

    wide = int(1.5 * CANVAS)  # large enough to be turned and cut
    fibres = gaussian_filter(rng.standard_normal((wide, wide)), (1.2, 7))
    degrees = np.degrees(traits["fibre"] + rng.normal(0, 0.3))
    fibres = rotate(fibres, degrees, reshape=False, mode="reflect")
    middle = slice((wide - CANVAS) // 2, (wide + CANVAS) // 2)
    fibres = fibres[middle, middle]
    eosin = 0.33 * (1 + 0.35 * fibres / fibres.std())
    gaps = gaussian_filter(rng.standard_normal((CANVAS, CANVAS)), 7)
    eosin[gaps > 1.3 * gaps.std()] *= 0.12  # fat and clefts let the light through
    return eosin


def _nuclei(rng: np.random.Generator, traits: dict) -> np.ndarray:
    """Density of the nuclei: ellipses of random place, direction, size and depth of colour."""
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[0:CANVAS, 0:CANVAS] / CANVAS
    nuclei = np.zeros((CANVAS, CANVAS))
    for _ in range(rng.poisson(traits["crowding"])):
        centre, angle = rng.uniform(0, 1, 2), rng.uniform(0, np.pi)
        radius = traits["radius"] * np.exp(rng.normal(0, traits["variety"]))
        stretch = 1 + (traits["stretch"] - 1) * rng.uniform(0.4, 1.6)
        near = _neighbourhood(centre, radius * np.sqrt(stretch))
        dx, dy = x[near] - centre[0], y[near] - centre[1]
        cos, sin = np.cos(angle), np.sin(angle)
        along, beside = dx * cos + dy * sin, dy * cos - dx * sin
        inside = np.hypot(along / np.sqrt(stretch), beside * np.sqrt(stretch)) < radius
        nuclei[near][inside] = np.maximum(nuclei[near][inside], rng.uniform(0.55, 1.0))
    chromatin = gaussian_filter(rng.standard_normal((CANVAS, CANVAS)), 1.0)
    return gaussian_filter(nuclei, 0.7) * (1 + 0.18 * chromatin / 0.28)


def _neighbourhood(centre: np.ndarray, reach: float) -> tuple[slice, slice]:
    """Rows and columns around one nucleus: drawing only there takes fifty times fewer pixels."""
    across, down = (
        slice(max(0, int((c - reach) * CANVAS)), int((c + reach) * CANVAS) + 2) for c in centre
    )
    return down, across


def _draw(size: int, rng: np.random.Generator, traits: dict) -> np.ndarray:
    """One image (size, size, 3) uint8."""
    from PIL import Image

    method = Image.Resampling.BOX if size <= CANVAS else Image.Resampling.BILINEAR
    image = Image.fromarray(np.round(255 * _render(rng, traits)).astype(np.uint8))
    return np.asarray(image.resize((size, size), method))


@lru_cache(maxsize=4)
def histology_phantom(
    size: int = 64,
    seed: int = 0,
    patients: tuple[int, int] = (12, 18),
    per_patient: int = 10,
    shift: float = 1.0,
) -> dict:
    """Phantoms of benign and malignant patients with official-looking ids.

    The same arguments give the same bytes every time. The same seed with another ``shift`` gives
    the same tissue under other dyes.

    Parameters
    ----------
    size : height and width in pixels, 8 to 512.
    seed : non-negative whole number.
    patients : number of benign and of malignant patients.
    per_patient : images of each.
    shift : how far a patient's dyes lie from the textbook's; 0 gives every patient the same.

    Returns
    -------
    dict with ``images`` (N, size, size, 3) uint8, ``labels`` (N,) int64 with 1 = malignant,
    ``ids`` (N,) such as "SOB_B_F-99-103-200-004.png". The year 99 marks a phantom: no real slide
    carries it. The arrays are read-only, because the result is kept and shared.
    """
    if not 8 <= size <= 512:
        raise ValueError(f"phantom size must lie between 8 and 512 pixels, got {size}")
    if min(patients) < 1 or per_patient < 1 or shift < 0:
        raise ValueError(
            "need at least one patient a class, one image a patient and a shift from 0, "
            f"got {patients}, {per_patient}, {shift}"
        )
    images, labels, ids = [], [], []
    for label, count in enumerate(patients):
        for index in range(count):
            traits = _draw_patient(np.random.default_rng([seed, label, index]), bool(label), shift)
            for k in range(1, per_patient + 1):
                images.append(_draw(size, np.random.default_rng([seed, label, index, k]), traits))
                labels.append(label)
                ids.append(_id(label, index, k))
    result = {
        "images": np.stack(images),
        "labels": np.array(labels, np.int64),
        "ids": np.array(ids),
    }
    for array in result.values():
        array.setflags(write=False)
    return result


def _id(label: int, index: int, k: int) -> str:
    """File name of image ``k`` (from 1) of a patient, in BreakHis's grammar."""
    subtype, number = SUBTYPES[label][index % 4], 100 + index + 500 * label
    tumour = "BM"[label]
    return format_name(SlideName("SOB", tumour, subtype, "99", str(number), "", 200, f"{k:03d}"))
