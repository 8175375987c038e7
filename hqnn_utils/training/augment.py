"""Random changes of training batches. Each takes and gives (N, channels, H, W) scaled to -1..1.

Mirroring also takes stored pairs, see ``exchange_views``.
"""

from __future__ import annotations

import torch

from hqnn_utils.data.phantoms.histology import stain_matrix
from hqnn_utils.runtime.arguments import checked


def flip_horizontally(x: torch.Tensor) -> torch.Tensor:
    """Mirror each image left-right with probability one half.

    Up-down would put the shadow above the lesion. Instead of images it takes stored pairs
    (N, 2, ...) of an image and its mirror image, as ``models.extract_pairs`` makes them.

    Raises
    ------
    ValueError : neither: a mirrored table of features would be nonsense.
    """
    if is_pair(x):
        return exchange_views(x)
    if x.ndim != 4:
        raise ValueError(
            f"augment='flip' mirrors images (N, channels, H, W), got {tuple(x.shape)}: "
            "set augment=None"
        )
    mirrored = torch.rand(len(x), device=x.device) < 0.5
    return torch.where(mirrored.view(-1, 1, 1, 1), x.flip(-1), x)


def is_pair(x: torch.Tensor) -> bool:
    """Whether these are stored pairs, (N, 2, features) or (N, 2, C, h, w), and no images."""
    return x.ndim in (3, 5) and x.shape[1] == 2


def exchange_views(x: torch.Tensor) -> torch.Tensor:
    """Exchange the two views (N, 2, ...) with probability one half.

    It draws the same numbers as mirroring does: a run on stored activations meets the same mirror
    images as one on the images themselves.
    """
    exchanged = torch.rand(len(x), device=x.device) < 0.5
    return torch.where(exchanged.view(-1, *[1] * (x.ndim - 1)), x.flip(1), x)


def jitter_stain(
    x: torch.Tensor, strength: float = 0.3, offset: float = 0.05, colour: float = 0.15
) -> torch.Tensor:
    """Flip, and let every image have dyes of its own, in amount and in colour.

    Light becomes optical density, density becomes amounts of haematoxylin and eosin (Ruifrok and
    Johnston, 2001). Each amount is multiplied by a random factor and shifted (Tellez et al., doi
    10.1109/TMI.2018.2820199), and the dyes with which the image is put together again lean a
    little in colour.

    Parameters
    ----------
    x : colour images (N, 3, H, W) scaled to -1..1.
    strength : amounts are multiplied by 1 - strength to 1 + strength.
    offset : amounts are shifted by -offset to +offset.
    colour : standard deviation of the change of the dyes, as a share of their mean.

    Raises
    ------
    ValueError : not colour images.
    """
    if x.ndim != 4:
        raise ValueError(
            f"augment='stain' changes images (N, 3, H, W), got {tuple(x.shape)}: set augment=None"
        )
    if x.shape[1] != 3:
        raise ValueError(
            f"augmentation 'stain' needs colour images (N, 3, H, W), got {tuple(x.shape)}: "
            "use augment='flip'"
        )
    dyes = torch.from_numpy(stain_matrix()).to(x)
    density = -torch.log10(((x + 1) / 2).clamp(min=1 / 255))
    amounts = torch.einsum("nchw,cs->nshw", density, torch.linalg.inv(dyes))
    factor = 1 + strength * _between_minus_and_plus_one(x)
    shift = offset * _between_minus_and_plus_one(x)
    leaning = dyes + colour * torch.randn(len(x), 3, 3, device=x.device) * dyes.abs().mean()
    leaning = leaning / leaning.norm(dim=2, keepdim=True)
    density = torch.einsum("nshw,nsc->nchw", amounts * factor + shift, leaning)
    light = 10 ** (-density)
    return flip_horizontally((2 * light - 1).clamp(-1, 1).to(x.dtype))


def _between_minus_and_plus_one(x: torch.Tensor) -> torch.Tensor:
    """One random number for each image and dye, (N, 3, 1, 1)."""
    return 2 * torch.rand(len(x), 3, 1, 1, device=x.device) - 1


checked(__name__)


AUGMENTATIONS = {"flip": flip_horizontally, "stain": jitter_stain}
