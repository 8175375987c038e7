"""Random changes of training batches. Each takes and gives (N, channels, H, W) scaled to -1..1."""

from __future__ import annotations

import torch

from hqnn_utils.data.phantoms.histology import stain_matrix


def flip_horizontally(x: torch.Tensor) -> torch.Tensor:
    """Mirror each image left-right with probability one half. Up-down would put the shadow above the lesion."""
    mirrored = torch.rand(len(x), device=x.device) < 0.5
    return torch.where(mirrored.view(-1, *[1] * (x.ndim - 1)), x.flip(-1), x)


def jitter_stain(
    x: torch.Tensor, strength: float = 0.3, offset: float = 0.05, colour: float = 0.15
) -> torch.Tensor:
    """Flip, and let every image have dyes of its own: the amounts of haematoxylin and eosin change, and so does their colour.

    Light becomes optical density, density becomes amounts of the dyes (Ruifrok and Johnston, 2001), each amount is multiplied by a random factor
    and shifted (Tellez et al., doi 10.1109/TMI.2018.2820199), and the dyes with which the image is put together again lean a little in colour.
    Needs three channels.
    """
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(
            f"augmentation 'stain' needs colour images (N, 3, H, W), got {tuple(x.shape)}: use augment='flip'"
        )
    dyes = torch.from_numpy(stain_matrix()).to(x)
    density = -torch.log10(((x + 1) / 2).clamp(min=1 / 255))
    amounts = torch.einsum("nchw,cs->nshw", density, torch.linalg.inv(dyes))
    factor = 1 + strength * (2 * torch.rand(len(x), 3, 1, 1, device=x.device) - 1)
    shift = offset * (2 * torch.rand(len(x), 3, 1, 1, device=x.device) - 1)
    leaning = dyes + colour * torch.randn(len(x), 3, 3, device=x.device) * dyes.abs().mean()
    leaning = leaning / leaning.norm(dim=2, keepdim=True)
    density = torch.einsum("nshw,nsc->nchw", amounts * factor + shift, leaning)
    return flip_horizontally((2 * 10 ** (-density) - 1).clamp(-1, 1).to(x.dtype))


AUGMENTATIONS = {"flip": flip_horizontally, "stain": jitter_stain}
