"""Synthetic breast-ultrasound phantoms, for when the real images cannot be had and for ground truth.

A phantom looks roughly like ultrasound and is not medicine: lesions, shadows and speckle follow a few rules drawn
from the descriptors radiologists use (shape, margin, orientation, posterior features). It has what real data lacks,
the exact mask of each lesion.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# Sizes of BreastMNIST's official split: (malignant, normal or benign).
COUNTS = {"train": (147, 399), "val": (21, 57), "test": (42, 114)}
NORMAL_SHARE = 133 / 570  # share of BUSI's non-malignant images that show no lesion at all


def _draw_traits(rng: np.random.Generator, malignant: bool) -> dict:
    """Random anatomy of one image. The two classes overlap in every trait, so that no single one decides."""
    has_lesion = malignant or rng.random() >= NORMAL_SHARE
    if malignant:
        size, aspect, spikes, blur = (
            rng.normal(0.155, 0.040),
            rng.normal(1.15, 0.20),
            rng.gamma(3.2, 0.08),
            rng.uniform(0.5, 3.0),
        )
        posterior = rng.choice([-1, 0, 1], p=[0.45, 0.40, 0.15])
    else:
        size, aspect, spikes, blur = (
            rng.normal(0.155, 0.040),
            rng.normal(0.70, 0.15),
            rng.gamma(1.2, 0.05),
            rng.uniform(0.3, 2.2),
        )
        posterior = rng.choice([-1, 0, 1], p=[0.22, 0.48, 0.30])
    return dict(
        has_lesion=has_lesion,
        radius=float(np.clip(size, 0.06, 0.30)),
        aspect=float(np.clip(aspect, 0.45, 1.5)),
        spikes=float(np.clip(spikes, 0, 0.5)),
        blur=blur,
        posterior=int(posterior),
        n_spikes=int(rng.integers(5, 12)),
        phase=rng.uniform(0, 2 * np.pi, 3),
        centre=(rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.60)),
        echo=rng.uniform(0.12, 0.40),
        tilt=rng.normal(0, 0.25),
        attenuation=rng.uniform(0.5, 1.7),
        gain=rng.uniform(0.65, 1.3),
        layers=np.sort(rng.uniform(0.1, 0.85, 3)),
        waves=rng.uniform(0, 2 * np.pi, 3),
        tissue=rng.uniform(0.45, 1.35, 4),
    )


def _render(rng: np.random.Generator, t: dict, canvas: int) -> tuple[np.ndarray, np.ndarray]:
    """One image in [0, 1] and its boolean lesion mask, both (canvas, canvas)."""
    from scipy.ndimage import gaussian_filter

    unit = canvas / 128  # lengths below are in pixels of a 128-pixel image
    depth, across = np.mgrid[0:canvas, 0:canvas] / canvas
    echo = np.full((canvas, canvas), t["tissue"][0])
    for boundary, wave, level in zip(t["layers"], t["waves"], t["tissue"][1:]):
        echo[depth > boundary + 0.03 * np.sin(2 * np.pi * across * 1.3 + wave)] = level
    echo *= 1 + 3.8 * unit * gaussian_filter(
        rng.standard_normal((canvas, canvas)), (2.2 * unit, 8 * unit)
    )  # fibres
    echo[depth < 0.05] *= 1.5  # skin
    mask = np.zeros((canvas, canvas), bool)
    if t["has_lesion"]:
        x, y = across - t["centre"][0], depth - t["centre"][1]
        x, y = (
            x * np.cos(t["tilt"]) + y * np.sin(t["tilt"]),
            -x * np.sin(t["tilt"]) + y * np.cos(t["tilt"]),
        )
        y = y / t["aspect"]
        angle = np.arctan2(y, x)
        edge = (
            1 + 0.08 * np.sin(2 * angle + t["phase"][0]) + 0.06 * np.sin(3 * angle + t["phase"][1])
        )
        edge += (
            t["spikes"] * np.abs(np.sin(t["n_spikes"] * angle / 2 + t["phase"][2])) ** 3
        )  # spiculated margin
        mask = np.hypot(x, y) < t["radius"] * edge
        inside = gaussian_filter(mask.astype(float), t["blur"] * unit)
        echo = echo * (1 - inside) + t["echo"] * echo.mean() * inside
        width = t["radius"] * 0.8
        below = (
            1 / (1 + np.exp(-(depth - t["centre"][1] - t["radius"] * t["aspect"] * 0.5) / 0.03))
        ) * np.exp(-0.5 * ((across - t["centre"][0]) / width) ** 4)
        echo *= 1 + t["posterior"] * below * (0.75 if t["posterior"] > 0 else 0.65) * (1 - inside)
    # Fully developed speckle: the magnitude of a complex Gaussian field, blurred by the beam (wider than deep).
    field = [
        gaussian_filter(rng.standard_normal((canvas, canvas)), (0.8 * unit, 1.5 * unit))
        for _ in range(2)
    ]
    speckle = np.hypot(*field)
    echo = (
        np.clip(echo, 0.02, None)
        * (0.35 + 0.65 * speckle / speckle.mean())
        * np.exp(-t["attenuation"] * depth)
    )
    return np.clip(t["gain"] * 0.45 * np.log1p(2.6 * echo), 0, 1), mask


@lru_cache(maxsize=4)
def breast_phantom(size: int = 28, seed: int = 0) -> dict[str, np.ndarray]:
    """Phantoms with exactly BreastMNIST's splits and class counts.

    The same ``(size, seed)`` gives the same bytes every time; the same seed at another size gives the same anatomy.

    Parameters
    ----------
    size : height and width in pixels, 8 to 512.
    seed : non-negative whole number.

    Returns
    -------
    dict with ``images`` (780, size, size) uint8, ``labels`` (780,) int64 with 1 = malignant, ``split`` (780,) of
    "train", "val" or "test", ``masks`` (780, size, size) bool, True inside the lesion (all False where there is none).
    The arrays are read-only, because the result is kept and shared.
    """
    from PIL import Image

    if not 8 <= size <= 512:
        raise ValueError(f"phantom size must lie between 8 and 512 pixels, got {size}")
    canvas = 128 if size <= 128 else 2 * 128 if size <= 256 else 512
    images, masks, labels, splits = [], [], [], []
    for number, (split, (n_malignant, n_other)) in enumerate(COUNTS.items()):
        order = np.random.default_rng([seed, number]).permutation(n_malignant + n_other)
        for index, malignant in enumerate(order < n_malignant):
            rng = np.random.default_rng([seed, number, index])
            picture, mask = _render(rng, _draw_traits(rng, bool(malignant)), canvas)
            image = Image.fromarray(np.round(255 * picture).astype(np.uint8))
            images.append(
                np.asarray(
                    image.resize(
                        (size, size),
                        Image.Resampling.BOX if size <= canvas else Image.Resampling.BILINEAR,
                    )
                )
            )
            shrunk = Image.fromarray(mask.astype(np.uint8) * 255).resize(
                (size, size), Image.Resampling.BOX
            )
            masks.append(np.asarray(shrunk) >= 128)
            labels.append(int(malignant))
            splits.append(split)
    result = {
        "images": np.stack(images),
        "labels": np.array(labels, np.int64),
        "split": np.array(splits),
        "masks": np.stack(masks),
    }
    for array in result.values():
        array.setflags(write=False)
    return result
