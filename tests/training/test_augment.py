import pytest
import torch

from hqnn_utils.data.breakhis import phantom_patients
from hqnn_utils.training.augment import AUGMENTATIONS, flip_horizontally, jitter_stain


def test_flip_mirrors_left_right_only():
    torch.manual_seed(0)
    x = torch.randn(64, 1, 4, 4)
    out = flip_horizontally(x)
    mirrored = [torch.equal(o, i.flip(-1)) for o, i in zip(out, x)]
    kept = [torch.equal(o, i) for o, i in zip(out, x)]
    assert all(a or b for a, b in zip(mirrored, kept))
    assert 15 < sum(mirrored) < 50


def colour_images():
    return phantom_patients(16, 0, patients=(4, 4), per_patient=2).tensors()[0]


def test_stain_jitter_of_strength_zero_only_flips():
    x = colour_images()
    out = jitter_stain(x, strength=0, offset=0, colour=0)
    for o, i in zip(out, x):
        assert min((o - i).abs().max(), (o - i.flip(-1)).abs().max()) < 1e-3


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
    for o, i in zip(out.mean(1), x.mean(1)):  # brightness keeps its pattern, mirrored or not
        likeness = [
            torch.corrcoef(torch.stack([o.flatten(), v.flatten()]))[0, 1] for v in (i, i.flip(-1))
        ]
        assert max(likeness) > 0.9


def test_stain_jitter_draws_from_torchs_seed():
    x = colour_images()
    torch.manual_seed(5)
    first = jitter_stain(x)
    torch.manual_seed(5)
    assert torch.equal(first, jitter_stain(x))
    assert not torch.equal(first, jitter_stain(x))


def test_stain_jitter_needs_colour():
    with pytest.raises(ValueError, match="needs colour images.*augment='flip'"):
        jitter_stain(torch.zeros(2, 1, 8, 8))
    assert set(AUGMENTATIONS) == {"flip", "stain"}
