"""Random changes of training batches."""

import re

import numpy as np
import pytest
import torch

from hqnn_utils.data.breakhis import phantom_patients
from hqnn_utils.data.phantoms.histology import stain_matrix
from hqnn_utils.training.augment import AUGMENTATIONS, flip_horizontally, jitter_stain


def exactly(text):
    return f"^{re.escape(text)}$"


def colour_images():
    return phantom_patients(16, 0, patients=(4, 4), per_patient=2).tensors()[0]


def test_the_names():
    assert list(AUGMENTATIONS) == ["flip", "stain"]
    assert AUGMENTATIONS["flip"] is flip_horizontally
    assert AUGMENTATIONS["stain"] is jitter_stain


@pytest.mark.parametrize("shape", [(5,), (5, 3, 4)])
def test_of_stored_pairs_the_views_are_exchanged(shape):
    """The same images are mirrored as without storing, and both views stay together."""
    images = torch.randn(40, 1, 3, 4)
    pairs = torch.randn(40, 2, *shape)
    torch.manual_seed(0)
    mirrored = (flip_horizontally(images) != images).flatten(1).any(dim=1)
    torch.manual_seed(0)
    found = flip_horizontally(pairs)
    assert 10 < mirrored.sum() < 30
    assert torch.equal(found[mirrored], pairs[mirrored].flip(1))
    assert torch.equal(found[~mirrored], pairs[~mirrored])


@pytest.mark.parametrize("channels", [1, 3])
def test_flip_mirrors_left_right_only(channels):
    torch.manual_seed(0)
    x = torch.randn(400, channels, 3, 4)
    out = flip_horizontally(x)
    torch.manual_seed(0)
    torch.randn(400, channels, 3, 4)
    mirrored = torch.rand(400) < 0.5
    for found, image, flipped in zip(out, x, mirrored, strict=True):
        assert torch.equal(found, image.flip(-1) if flipped else image)
    assert 160 < mirrored.sum() < 240, "one half of the images"


@pytest.mark.parametrize("shape", [(60, 5), (60,), (60, 28, 28), (2, 3, 1, 28, 28)])
def test_only_images_can_be_changed(shape):
    message = f"augment='flip' mirrors images (N, channels, H, W), got {shape}: set augment=None"
    with pytest.raises(ValueError, match=exactly(message)):
        flip_horizontally(torch.zeros(shape))
    message = f"augment='stain' changes images (N, 3, H, W), got {shape}: set augment=None"
    with pytest.raises(ValueError, match=exactly(message)):
        jitter_stain(torch.zeros(shape))


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_stain_jitter_needs_colour(channels):
    message = (
        f"augmentation 'stain' needs colour images (N, 3, H, W), got (2, {channels}, 8, 8): "
        "use augment='flip'"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        jitter_stain(torch.zeros(2, channels, 8, 8))


def unmirrored(found, image):
    """``found`` or its mirror image, whichever is closer to ``image``."""
    return min(found, found.flip(-1), key=lambda v: (v - image).abs().mean())


def test_stain_jitter_of_strength_zero_only_flips():
    x = colour_images()
    torch.manual_seed(0)
    out = jitter_stain(x, strength=0, offset=0, colour=0)
    kept = [(found - image).abs().max() < 1e-3 for found, image in zip(out, x, strict=True)]
    assert 0 < sum(kept) < len(x), "some are mirrored"
    for found, image in zip(out, x, strict=True):
        assert (unmirrored(found, image) - image).abs().max() < 1e-3


def changes(**options):
    """Mean change of an image, for one of the three kinds of change alone."""
    x = colour_images()
    torch.manual_seed(0)
    out = jitter_stain(x, **{"strength": 0, "offset": 0, "colour": 0, **options})
    pairs = zip(out, x, strict=True)
    return torch.stack([(unmirrored(o, i) - i).abs().mean() for o, i in pairs])


@pytest.mark.parametrize("kind", ["strength", "offset", "colour"])
def test_each_strength_changes_every_image_the_more_the_larger_it_is(kind):
    little, much = changes(**{kind: 0.02}), changes(**{kind: 0.1})
    assert (little > 1e-4).all()
    assert (much > 2 * little).all()


def test_the_usual_strengths():
    x = colour_images()
    torch.manual_seed(5)
    usual = jitter_stain(x)
    torch.manual_seed(5)
    assert torch.equal(usual, jitter_stain(x, strength=0.3, offset=0.05, colour=0.15))


def test_stain_jitter_changes_colour_and_keeps_the_tissue():
    torch.manual_seed(0)
    x = colour_images()
    out = jitter_stain(x)
    assert out.shape == x.shape
    assert out.dtype == x.dtype
    assert out.min() >= -1
    assert out.max() <= 1
    change = (out.mean(dim=(2, 3)) - x.mean(dim=(2, 3))).abs()
    assert (change.mean(dim=1) > 0.005).all(), "every image gets dyes of its own"
    for found, image in zip(out.mean(1), x.mean(1), strict=True):
        pair = torch.stack([unmirrored(found, image).flatten(), image.flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.9, "brightness keeps its pattern"


def test_stain_jitter_draws_from_torchs_seed():
    x = colour_images()
    torch.manual_seed(5)
    first = jitter_stain(x)
    torch.manual_seed(5)
    assert torch.equal(first, jitter_stain(x))
    assert not torch.equal(first, jitter_stain(x))


def test_stain_jitter_by_hand():
    """Pixel by pixel in NumPy, with the random numbers that it draws; one pixel is black."""
    x = 2 * torch.rand(5, 3, 2, 4, generator=torch.Generator().manual_seed(1)) - 1
    x[0, :, 0, 0] = -1
    torch.manual_seed(3)
    factor = 1 + 0.3 * (2 * torch.rand(5, 3) - 1).numpy()
    shift = 0.05 * (2 * torch.rand(5, 3) - 1).numpy()
    lean, mirrored = torch.randn(5, 3, 3).numpy(), torch.rand(5) < 0.5
    dyes = stain_matrix()
    wanted = np.empty(x.shape)
    for n in range(5):
        own = dyes + 0.15 * lean[n] * np.abs(dyes).mean()
        own = [dye / np.sqrt((dye**2).sum()) for dye in own]
        for row in range(2):
            for column in range(4):
                light = np.maximum((x[n, :, row, column].numpy() + 1) / 2, 1 / 255)
                amounts = -np.log10(light) @ np.linalg.inv(dyes)
                light = 10 ** -((amounts * factor[n] + shift[n]) @ own)
                place = 3 - column if mirrored[n] else column
                wanted[n, :, row, place] = np.clip(2 * light - 1, -1, 1)
    torch.manual_seed(3)
    np.testing.assert_allclose(jitter_stain(x), wanted, atol=1e-5)
    assert mirrored.any()
    assert not mirrored.all()
