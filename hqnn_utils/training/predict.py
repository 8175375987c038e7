"""Predictions of a trained model, and their scores in the form that a record holds."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from hqnn_utils.evaluation.metrics import scores
from hqnn_utils.runtime.arguments import checked


def predict_logits(model: nn.Module, x: torch.Tensor, batch_size: int = 256) -> torch.Tensor:
    """Logits (N, 2) in evaluation mode, without gradients. The model's mode and device stay."""
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        with torch.no_grad():
            return torch.cat([model(batch.to(device)) for batch in x.split(batch_size)])
    finally:
        model.train(was_training)


def predict_proba(model: nn.Module, x: torch.Tensor, batch_size: int = 256) -> np.ndarray:
    """Probability of malignant, (N,) float64, between 0 and 1."""
    logits = predict_logits(model, x, batch_size).double()
    return logits.softmax(dim=1)[:, 1].cpu().numpy()


def evaluate(
    model: nn.Module, data, splits=("val", "test"), threshold: float = 0.5
) -> tuple[dict, dict]:
    """``(scores, predictions)`` per split, as a record takes them. Call it once, at the very end.

    ``data`` is a dataset of ``hqnn_utils.data``.
    """
    probabilities = {name: predict_proba(model, data.tensors(name)[0]) for name in splits}
    return score_predictions(data, probabilities, threshold)


def score_predictions(
    data, probabilities: dict[str, np.ndarray], threshold: float = 0.5
) -> tuple[dict, dict]:
    """``(scores, predictions)`` per split from probabilities of malignant of any classifier."""
    found, predictions = {}, {}
    for name, p in probabilities.items():
        part = data.part(name)
        found[name] = scores(part.labels, p, threshold)
        predictions[name] = {
            "ids": part.ids.tolist(),
            "labels": part.labels.tolist(),
            "probabilities": np.asarray(p, float).tolist(),
        }
    return found, predictions


checked(__name__)
