"""Where a model looks. captum's methods behind one signature, and scores of a map against a known mask.

What is explained is the **log odds** of malignant, logit 1 minus logit 0, in evaluation mode. A map is positive where a pixel speaks for
malignant and negative where it speaks against. Gradients go through the circuit as through any other layer.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from hqnn_utils.runtime import choose


def log_odds(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Logit of malignant minus logit of the other class, (N,)."""
    logits = model(x)
    return logits[:, 1] - logits[:, 0]


def grey(x: torch.Tensor) -> torch.Tensor:
    """Each image replaced by its own mean brightness: "nothing to see", the reference of the methods that need one.

    Black would be a poor choice for ultrasound: lesions are dark, and a pixel equal to the reference gets no attribution at all.
    """
    return x.mean(dim=(-1, -2), keepdim=True).expand_as(x)


def feature_layer(model: nn.Module) -> nn.Module:
    """The layer that Grad-CAM reads: the small CNN's last activation before pooling, else the end of the backbone's last block."""
    last = model.backbone.last_block()[-1]
    return (
        last[-2] if isinstance(last, nn.Sequential) and isinstance(last[-1], nn.MaxPool2d) else last
    )


def grad_cam(model: nn.Module, x: torch.Tensor, layer: nn.Module | None = None) -> torch.Tensor:
    """Channels of a late layer, weighted by their mean gradient, positive part, enlarged to the image (Selvaraju et al., arXiv 1610.02391)."""
    from captum.attr import LayerAttribution, LayerGradCam

    maps = LayerGradCam(
        lambda inputs: log_odds(model, inputs), layer or feature_layer(model)
    ).attribute(x, relu_attributions=True)
    return LayerAttribution.interpolate(maps, x.shape[-2:], interpolate_mode="bilinear").sum(dim=1)


def integrated_gradients(
    model: nn.Module,
    x: torch.Tensor,
    steps: int = 32,
    reference: float | torch.Tensor | None = None,
) -> torch.Tensor:
    """Gradient averaged on the straight way from a reference (default: :func:`grey`), times the difference (Sundararajan et al., arXiv 1703.01365).

    *Completeness*: a map sums to log odds of the image minus log odds of the reference, up to the error of the ``steps``.
    """
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(lambda inputs: log_odds(model, inputs))
    return method.attribute(
        x,
        baselines=grey(x) if reference is None else reference,
        n_steps=steps,
        internal_batch_size=1024,
    ).sum(dim=1)


def occlusion(
    model: nn.Module, x: torch.Tensor, window: int | None = None, stride: int | None = None
) -> torch.Tensor:
    """Fall of the log odds when a square is painted over with the image's mean, averaged over all squares that cover a pixel (Zeiler and
    Fergus, arXiv 1311.2901). ``window`` is by default a quarter of the image and moves in steps of about a third of its side."""
    from captum.attr import Occlusion

    window = window or max(2, x.shape[-1] // 4)
    stride = stride or max(1, window // 3)
    with torch.no_grad():
        return (
            Occlusion(lambda inputs: log_odds(model, inputs))
            .attribute(
                x,
                (x.shape[1], window, window),
                strides=(x.shape[1], stride, stride),
                baselines=grey(x),
                perturbations_per_eval=16,
            )
            .sum(dim=1)
        )


METHODS = {
    "grad_cam": grad_cam,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
}


def attribute(
    model: nn.Module, x: torch.Tensor, method: str, batch_size: int = 64, **options
) -> np.ndarray:
    """Maps (N, H, W) float32 of a method by name for images (N, channels, H, W); the model's mode and parameters stay as they were."""
    run, was_training = METHODS[choose("attribution method", method, METHODS)], model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        return (
            torch.cat(
                [
                    run(model, batch.to(device), **options).detach().cpu()
                    for batch in x.split(batch_size)
                ]
            )
            .float()
            .numpy()
        )
    finally:
        model.train(was_training)


# ---------------------------------------------------------------- against the truth


def _check(maps, masks) -> tuple[np.ndarray, np.ndarray]:
    maps, masks = np.asarray(maps, float), np.asarray(masks, bool)
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise ValueError(
            f"maps and masks must both be (N, H, W), got {maps.shape} and {masks.shape}"
        )
    if not np.isfinite(maps).all():
        raise ValueError("a map holds NaN or infinity")
    if not masks.any(axis=(1, 2)).all():
        raise ValueError("an image without a lesion has no right answer: leave it out")
    return maps, masks


def pointing_game(maps, masks) -> np.ndarray:
    """Does the highest point of each map lie inside its mask? (N,) of 0..1 (Zhang et al., arXiv 1608.00507, with no tolerance).

    Where several pixels share the maximum it is the share of them inside: a constant map scores the mask's share of the area.
    """
    maps, masks = _check(maps, masks)
    top = maps == maps.max(axis=(1, 2), keepdims=True)
    return (top & masks).sum(axis=(1, 2)) / top.sum(axis=(1, 2))


def mass_inside(maps, masks) -> np.ndarray:
    """Share of each map's positive part that lies inside its mask, (N,). A map with nothing positive counts as spread evenly."""
    maps, masks = _check(maps, masks)
    positive = np.maximum(maps, 0)
    positive = np.where(positive.max(axis=(1, 2), keepdims=True) > 0, positive, 1.0)
    return (positive * masks).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))


def rank_correlation(a, b) -> np.ndarray:
    """Spearman's correlation of two stacks of maps, image by image, (N,); 0 where one of them is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(np.asarray(m, float).reshape(len(m), -1), axis=1) for m in (a, b)]
    left, right = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    size = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    return np.divide((left * right).sum(axis=1), size, out=np.zeros(len(size)), where=size > 0)


def layers_from_output(model: nn.Module) -> list[str]:
    """Names of the modules that own parameters, the one nearest to the output first."""
    return [
        name
        for name, module in model.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ][::-1]


def randomise(model: nn.Module, names: list[str] | None = None, seed: int = 0) -> nn.Module:
    """A copy whose named modules (default: all) hold new random weights: the sanity check of Adebayo et al., arXiv 1810.03292.

    A map that stays as it was explains the image or the architecture, not what the model has learnt. Modules start again as PyTorch starts
    them; those without a start of their own (circuits, their controls) get normal numbers with their old mean and spread.
    """
    changed = copy.deepcopy(model)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for name in layers_from_output(changed) if names is None else names:
            module = changed.get_submodule(name)
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
                continue
            for parameter in module.parameters(recurse=False):
                spread = parameter.std() if parameter.numel() > 1 else torch.tensor(1.0)
                parameter.normal_(parameter.mean().item(), max(spread.item(), 1e-3))
    return changed
