"""Predictions in evaluation mode, and scores in the form of a record."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, roc_auc_score
from torch import nn
from training_toys import net, toy

from hqnn_utils.training import evaluate, predict_logits, predict_proba, score_predictions


class Part:
    """What ``evaluate`` asks of a dataset."""

    def __init__(self, split="all"):
        x, y = toy()
        chosen = {"val": slice(0, 24), "test": slice(24, 60), "all": slice(0, 60)}[split]
        self.x, self.labels = x[chosen], y[chosen].numpy()
        self.ids = np.array([f"{split}/{i}" for i in range(len(self.labels))])

    def part(self, name):
        return Part(name)

    def tensors(self, name):
        return Part(name).x, torch.from_numpy(Part(name).labels)


def test_probabilities_are_the_softmax_and_the_mode_stays():
    model, (x, _) = net(), toy()
    model.train()
    p = predict_proba(model, x, batch_size=7)
    assert model.training
    model.eval()
    with torch.no_grad():
        np.testing.assert_allclose(p, model(x).softmax(1)[:, 1], atol=1e-6)
    assert p.shape == (60,)
    assert p.dtype == np.float64
    predict_proba(model, x)
    assert not model.training


def test_logits_come_without_gradients_and_in_batches():
    sizes = []

    class Watched(nn.Linear):
        def forward(self, x):
            sizes.append(len(x))
            assert not torch.is_grad_enabled()
            return super().forward(x)

    model = Watched(5, 2)
    found = predict_logits(model, toy()[0], batch_size=25)
    assert sizes == [25, 25, 10]
    assert not found.requires_grad
    sizes.clear()
    predict_logits(model, torch.zeros(600, 5))
    assert sizes == [256, 256, 88]
    sizes.clear()
    predict_proba(model, torch.zeros(600, 5))
    assert sizes == [256, 256, 88]
    sizes.clear()
    predict_proba(model, torch.zeros(600, 5), batch_size=400)
    assert sizes == [400, 200]


def test_the_mode_comes_back_after_an_error():
    class Fails(nn.Linear):
        def forward(self, x):
            raise RuntimeError("stop")

    model = Fails(5, 2).train()
    with pytest.raises(RuntimeError, match="stop"):
        predict_logits(model, toy()[0])
    assert model.training


def test_scores_and_predictions_of_a_model():
    model = net().eval()
    found, predictions = evaluate(model, Part())
    assert list(found) == list(predictions) == ["val", "test"]
    test = predictions["test"]
    p = predict_proba(model, Part("test").x)
    assert test == {
        "ids": Part("test").ids.tolist(),
        "labels": Part("test").labels.tolist(),
        "probabilities": p.tolist(),
    }
    assert found["test"]["auc"] == pytest.approx(roc_auc_score(test["labels"], p))
    assert found["test"]["accuracy"] == accuracy_score(test["labels"], p >= 0.5)
    only, _ = evaluate(model, Part(), splits=("test",), threshold=0.3)
    assert list(only) == ["test"]
    assert only["test"]["accuracy"] == accuracy_score(test["labels"], p >= 0.3)
    assert only["test"]["accuracy"] != found["test"]["accuracy"]


def test_probabilities_of_any_classifier():
    p = np.linspace(0, 1, 36, dtype=np.float32)
    found, predictions = score_predictions(Part(), {"test": p})
    labels = Part("test").labels
    assert found["test"]["accuracy"] == accuracy_score(labels, p >= 0.5)
    higher, _ = score_predictions(Part(), {"test": p}, 0.8)
    assert higher["test"]["accuracy"] == accuracy_score(labels, p >= 0.8)
    assert predictions["test"]["probabilities"] == p.astype(float).tolist()
    assert all(type(v) is float for v in predictions["test"]["probabilities"])
