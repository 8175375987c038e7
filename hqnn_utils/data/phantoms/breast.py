"""Synthetic breast-ultrasound phantoms: where real images cannot be had, and for ground truth.

A phantom looks roughly like ultrasound and is not medicine: lesions, shadows and speckle follow a
few rules drawn from the descriptors radiologists use (shape, margin, orientation, posterior
features). It has what real data lacks, the exact mask of each lesion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Sizes of BreastMNIST's official split: (malignant, normal or benign).
COUNTS = {"train": (147, 399), "val": (21, 57), "test": (42, 114)}
NORMAL_SHARE = 133 / 570  # share of BUSI's non-malignant images that show no lesion at all


@dataclass(frozen=True)
class ClassTraits:
    """How one class draws its lesions: parameters of the random numbers in ``_draw_traits``."""

    aspect: tuple[float, float]  # height over width: mean and standard deviation
    spikes: tuple[float, float]  # of the margin: shape and scale of a gamma distribution
    blur: tuple[float, float]  # of the margin: smallest and largest
    posterior: tuple[float, float, float]  # chances of a shadow, of nothing, of enhancement


BENIGN = ClassTraits((0.70, 0.15), (1.2, 0.05), (0.3, 2.2), (0.22, 0.48, 0.30))
MALIGNANT = ClassTraits((1.15, 0.20), (3.2, 0.08), (0.5, 3.0), (0.45, 0.40, 0.15))


def _draw_traits(rng: np.random.Generator, malignant: bool) -> dict:
    """Random anatomy of one image. The two classes overlap in every trait: no single one decides.

    The order of the draws decides what a seed means; it must stay.
    """
    has_lesion = malignant or rng.random() >= NORMAL_SHARE
    of_class = MALIGNANT if malignant else BENIGN
    radius = rng.normal(0.155, 0.040)
    aspect = rng.normal(*of_class.aspect)
    spikes = rng.gamma(*of_class.spikes)
    blur = rng.uniform(*of_class.blur)
    posterior = rng.choice([-1, 0, 1], p=list(of_class.posterior))
    return {
        "has_lesion": has_lesion,
        "radius": float(np.clip(radius, 0.06, 0.30)),
        "aspect": float(np.clip(aspect, 0.45, 1.5)),
        "spikes": float(np.clip(spikes, 0, 0.5)),
        "blur": blur,
        "posterior": int(posterior),
        "n_spikes": int(rng.integers(5, 12)),
        "phase": rng.uniform(0, 2 * np.pi, 3),
        "centre": (rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.60)),
        "echo": rng.uniform(0.12, 0.40),
        "tilt": rng.normal(0, 0.25),
        "attenuation": rng.uniform(0.5, 1.7),
        "gain": rng.uniform(0.65, 1.3),
        "layers": np.sort(rng.uniform(0.1, 0.85, 3)),
        "waves": rng.uniform(0, 2 * np.pi, 3),
        "tissue": rng.uniform(0.45, 1.35, 4),
    }


def _render(rng: np.random.Generator, traits: dict, canvas: int) -> tuple[np.ndarray, np.ndarray]:
    """One image in [0, 1] and its boolean lesion mask, both (canvas, canvas)."""
    depth, across = np.mgrid[0:canvas, 0:canvas] / canvas
    echo = _tissue(rng, traits, depth, across)
    mask = np.zeros((canvas, canvas), bool)
    if traits["has_lesion"]:
        mask = _lesion(traits, depth, across)
        echo = _with_lesion(echo, mask, traits, depth, across)
    speckle = _speckle(rng, canvas)
    echo = (
        np.clip(echo, 0.02, None)
        * (0.35 + 0.65 * speckle / speckle.mean())
        * np.exp(-traits["attenuation"] * depth)
    )
    return np.clip(traits["gain"] * 0.45 * np.log1p(2.6 * echo), 0, 1), mask


def _unit(canvas: int) -> float:
    """Lengths of blurs are in pixels of a 128-pixel image."""
    return canvas / 128


def _tissue(rng: np.random.Generator, traits: dict, depth, across) -> np.ndarray:
    """How strongly skin and four wavy layers with fibres send sound back, before any lesion."""
    from scipy.ndimage import gaussian_filter

    unit = _unit(len(depth))
    echo = np.full(depth.shape, traits["tissue"][0])
    below = zip(traits["layers"], traits["waves"], traits["tissue"][1:], strict=True)
    for boundary, wave, level in below:
        echo[depth > boundary + 0.03 * np.sin(2 * np.pi * across * 1.3 + wave)] = level
    noise = rng.standard_normal(depth.shape)
    fibres = gaussian_filter(noise, (2.2 * unit, 8 * unit))
    echo *= 1 + 3.8 * unit * fibres
    echo[depth < 0.05] *= 1.5  # skin
    return echo


def _lesion(traits: dict, depth, across) -> np.ndarray:
    """Where the lesion is: a tilted ellipse with an uneven and perhaps spiculated margin."""
    x, y = across - traits["centre"][0], depth - traits["centre"][1]
    cos, sin = np.cos(traits["tilt"]), np.sin(traits["tilt"])
    x, y = x * cos + y * sin, -x * sin + y * cos
    y = y / traits["aspect"]
    angle = np.arctan2(y, x)
    phase = traits["phase"]
    edge = 1 + 0.08 * np.sin(2 * angle + phase[0]) + 0.06 * np.sin(3 * angle + phase[1])
    edge += traits["spikes"] * np.abs(np.sin(traits["n_spikes"] * angle / 2 + phase[2])) ** 3
    return np.hypot(x, y) < traits["radius"] * edge


def _with_lesion(echo: np.ndarray, mask: np.ndarray, traits: dict, depth, across) -> np.ndarray:
    """The tissue with a darker lesion in it, and a shadow or an enhancement below it."""
    from scipy.ndimage import gaussian_filter

    inside = gaussian_filter(mask.astype(float), traits["blur"] * _unit(len(depth)))
    echo = echo * (1 - inside) + traits["echo"] * echo.mean() * inside
    width = traits["radius"] * 0.8
    bottom = traits["radius"] * traits["aspect"] * 0.5
    is_deeper = 1 / (1 + np.exp(-(depth - traits["centre"][1] - bottom) / 0.03))
    is_below = is_deeper * np.exp(-0.5 * ((across - traits["centre"][0]) / width) ** 4)
    strength = 0.75 if traits["posterior"] > 0 else 0.65
    return echo * (1 + traits["posterior"] * is_below * strength * (1 - inside))


def _speckle(rng: np.random.Generator, canvas: int) -> np.ndarray:
    """Fully developed speckle: the magnitude of a complex Gaussian field.

    The beam blurs it more across than in depth.
    """
    from scipy.ndimage import gaussian_filter

    beam = (0.8 * _unit(canvas), 1.5 * _unit(canvas))
    real = gaussian_filter(rng.standard_normal((canvas, canvas)), beam)
    imaginary = gaussian_filter(rng.standard_normal((canvas, canvas)), beam)
    return np.hypot(real, imaginary)


def _canvas(size: int) -> int:
    """Pixels in which an image of ``size`` is drawn before it is reduced."""
    return next((canvas for canvas in (128, 256) if size <= canvas), 512)


def _draw(size: int, key: tuple[int, int, int], malignant: bool) -> tuple[np.ndarray, np.ndarray]:
    """One image (size, size) uint8 and its mask; ``key`` is seed, number of the part, index."""
    from PIL import Image

    canvas = _canvas(size)
    rng = np.random.default_rng(list(key))
    picture, mask = _render(rng, _draw_traits(rng, malignant), canvas)
    box = Image.Resampling.BOX
    image = Image.fromarray(np.round(255 * picture).astype(np.uint8)).resize((size, size), box)
    shrunk = Image.fromarray(mask.astype(np.uint8) * 255).resize((size, size), box)
    return np.asarray(image), np.asarray(shrunk) >= 128


@lru_cache(maxsize=4)
def breast_phantom(size: int = 28, seed: int = 0) -> dict[str, np.ndarray]:
    """Phantoms with exactly BreastMNIST's splits and class counts.

    The same ``(size, seed)`` gives the same bytes every time; the same seed at another size gives
    the same anatomy.

    Parameters
    ----------
    size : height and width in pixels, 8 to 512.
    seed : non-negative whole number.

    Returns
    -------
    dict with ``images`` (780, size, size) uint8, ``labels`` (780,) int64 with 1 = malignant,
    ``split`` (780,) of "train", "val" or "test", ``masks`` (780, size, size) bool, True inside the
    lesion (all False where there is none). The arrays are read-only, because the result is kept
    and shared.
    """
    if not 8 <= size <= 512:
        raise ValueError(f"phantom size must lie between 8 and 512 pixels, got {size}")
    drawn, labels = [], []
    for number in range(len(COUNTS)):
        for index, malignant in enumerate(_is_malignant(seed, number)):
            drawn.append(_draw(size, (seed, number, index), bool(malignant)))
            labels.append(int(malignant))
    result = {
        "images": np.stack([image for image, _ in drawn]),
        "labels": np.array(labels, np.int64),
        "split": np.repeat(list(COUNTS), [sum(counts) for counts in COUNTS.values()]),
        "masks": np.stack([mask for _, mask in drawn]),
    }
    for array in result.values():
        array.setflags(write=False)
    return result


def _is_malignant(seed: int, number: int) -> np.ndarray:
    """Which images of a part of the split (its place in ``COUNTS``) are malignant, in order."""
    n_malignant, n_other = list(COUNTS.values())[number]
    order = np.random.default_rng([seed, number]).permutation(n_malignant + n_other)
    return order < n_malignant
