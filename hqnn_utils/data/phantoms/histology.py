"""Synthetic histology with patients, nuclei, two stains, and a stain of each patient's own.

A phantom looks roughly like stained tissue and is not medicine. Light passes two dyes, haematoxylin (nuclei) and eosin (the rest), and
each absorbs by the Beer-Lambert law: optical density = concentration times the dye's colour vector (Ruifrok and Johnston, 2001).
Every patient's slide has dyes of slightly different colour and strength, as real slides do. That is what makes a split by image leak.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# Optical densities of the two dyes in red, green and blue, of length 1 (Ruifrok and Johnston, Anal Quant Cytol Histol 23, 2001).
HAEMATOXYLIN, EOSIN = (0.650, 0.704, 0.286), (0.072, 0.990, 0.105)
CANVAS = 96  # pixels in which the tissue is drawn
SUBTYPES = {0: ("A", "F", "PT", "TA"), 1: ("DC", "LC", "MC", "PC")}


def stain_matrix() -> np.ndarray:
    """(3, 3), rows haematoxylin, eosin and what neither explains (their cross product), each of length 1."""
    h, e = np.array(HAEMATOXYLIN), np.array(EOSIN)
    rows = np.stack([h, e, np.cross(h, e)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _draw_patient(rng: np.random.Generator, malignant: bool, shift: float) -> dict:
    """Traits that all images of one patient share. The classes overlap in each; the stain has nothing to do with the class."""
    stains = stain_matrix()[:2] + shift * rng.normal(0, 0.09, (2, 3))
    return dict(
        stains=np.abs(stains) / np.linalg.norm(stains, axis=1, keepdims=True),
        strength=np.exp(shift * rng.normal(0, 0.30, 2)),
        light=1 - shift * rng.uniform(0, 0.10, 3),
        crowding=float(np.clip(rng.normal(62 if malignant else 44, 11), 12, 110)),
        radius=float(np.clip(rng.normal(0.036 if malignant else 0.030, 0.004), 0.018, 0.05)),
        variety=float(np.clip(rng.normal(0.40 if malignant else 0.22, 0.08), 0.05, 0.6)),
        stretch=float(np.clip(rng.normal(1.35, 0.2), 1, 2.2)),
        fibre=float(rng.uniform(0, np.pi)),
    )


def _render(rng: np.random.Generator, t: dict) -> np.ndarray:
    """One image (CANVAS, CANVAS, 3) of transmitted light between 0 and 1."""
    from scipy.ndimage import gaussian_filter, rotate

    y, x = np.mgrid[0:CANVAS, 0:CANVAS] / CANVAS
    wide = int(1.5 * CANVAS)
    fibres = gaussian_filter(rng.standard_normal((wide, wide)), (1.2, 7))
    edge = (wide - CANVAS) // 2
    fibres = rotate(
        fibres, np.degrees(t["fibre"] + rng.normal(0, 0.3)), reshape=False, mode="reflect"
    )[edge : edge + CANVAS, edge : edge + CANVAS]
    eosin = 0.33 * (1 + 0.35 * fibres / fibres.std())
    gaps = gaussian_filter(rng.standard_normal((CANVAS, CANVAS)), 7)
    eosin[gaps > 1.3 * gaps.std()] *= 0.12  # fat and clefts let the light through
    nuclei = np.zeros((CANVAS, CANVAS))
    for _ in range(rng.poisson(t["crowding"])):
        centre, angle = rng.uniform(0, 1, 2), rng.uniform(0, np.pi)
        radius = t["radius"] * np.exp(rng.normal(0, t["variety"]))
        stretch = 1 + (t["stretch"] - 1) * rng.uniform(0.4, 1.6)
        reach = radius * np.sqrt(
            stretch
        )  # only this neighbourhood is drawn: fifty times fewer pixels
        near = tuple(
            slice(max(0, int((c - reach) * CANVAS)), int((c + reach) * CANVAS) + 2)
            for c in centre[::-1]
        )
        dx, dy = x[near] - centre[0], y[near] - centre[1]
        u, v = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        inside = np.hypot(u / np.sqrt(stretch), v * np.sqrt(stretch)) < radius
        nuclei[near][inside] = np.maximum(nuclei[near][inside], rng.uniform(0.55, 1.0))
    nuclei = gaussian_filter(nuclei, 0.7) * (
        1 + 0.18 * gaussian_filter(rng.standard_normal((CANVAS, CANVAS)), 1.0) / 0.28
    )
    eosin = np.clip(eosin, 0.01, None) * (1 - 0.6 * np.clip(nuclei, 0, 1))
    dyes = np.stack([np.clip(0.75 * nuclei, 0, None) + 0.03, eosin], axis=-1) * t["strength"]
    light = t["light"] * 10 ** -(dyes @ t["stains"])
    return np.clip(light + rng.normal(0, 0.01, light.shape), 0, 1)


@lru_cache(maxsize=4)
def histology_phantom(
    size: int = 64,
    seed: int = 0,
    patients: tuple[int, int] = (12, 18),
    per_patient: int = 10,
    shift: float = 1.0,
) -> dict:
    """Phantoms of benign and malignant patients with official-looking ids.

    The same arguments give the same bytes every time. The same seed with another ``shift`` gives the same tissue under other dyes.

    Parameters
    ----------
    size : height and width in pixels, 8 to 512.
    patients : number of benign and of malignant patients.
    per_patient : images of each.
    shift : how far a patient's dyes lie from the textbook's; 0 gives every patient the same.

    Returns
    -------
    dict with ``images`` (N, size, size, 3) uint8, ``labels`` (N,) int64 with 1 = malignant, ``ids`` (N,) such as
    "SOB_B_F-99-103-200-004.png". The year 99 marks a phantom: no real slide carries it. The arrays are read-only.
    """
    from PIL import Image

    if not 8 <= size <= 512:
        raise ValueError(f"phantom size must lie between 8 and 512 pixels, got {size}")
    if min(patients) < 1 or per_patient < 1 or shift < 0:
        raise ValueError(
            f"need at least one patient a class, one image a patient and a shift from 0, got {patients}, {per_patient}, {shift}"
        )
    images, labels, ids = [], [], []
    for label, count in enumerate(patients):
        for index in range(count):
            traits = _draw_patient(np.random.default_rng([seed, label, index]), bool(label), shift)
            subtype, number = SUBTYPES[label][index % 4], 100 + index + 500 * label
            for k in range(per_patient):
                picture = _render(np.random.default_rng([seed, label, index, k + 1]), traits)
                image = Image.fromarray(np.round(255 * picture).astype(np.uint8))
                images.append(
                    np.asarray(
                        image.resize(
                            (size, size),
                            Image.Resampling.BOX if size <= CANVAS else Image.Resampling.BILINEAR,
                        )
                    )
                )
                labels.append(label)
                ids.append(f"SOB_{'BM'[label]}_{subtype}-99-{number}-200-{k + 1:03d}.png")
    result = {
        "images": np.stack(images),
        "labels": np.array(labels, np.int64),
        "ids": np.array(ids),
    }
    for array in result.values():
        array.setflags(write=False)
    return result
