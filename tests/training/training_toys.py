"""Small data and small models for the tests of training."""

import torch
from torch import nn

from hqnn_utils.models import build_model
from hqnn_utils.training import TrainConfig, loop


def toy(n=60, seed=0):
    """Two noisy clouds, one of them rarer, as (x, y)."""
    rng = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) % 3 == 0).long()
    return torch.randn(n, 5, generator=rng) + 0.8 * y[:, None], y


def images(n=40, seed=0):
    """Noise whose left half is brighter where the label is 1, as (x, y)."""
    rng = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) % 3 == 0).long()
    x = torch.randn(n, 1, 8, 8, generator=rng).clamp(-1, 1)
    x[y == 1, :, :, :4] += 0.5
    return x, y


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
    )


def hybrid(seed=1):
    return build_model(head="dressed", seed=seed)


OPTIONS = dict(epochs=6, lr=1e-2, batch_size=16, augment=None, patience=None)


def fit(model, train, val, *, checkpoint=None, **options):
    """``training.fit`` in silence, with the fields of its settings as arguments."""
    config = TrainConfig(**options)
    return loop.fit(model, train, val, config, checkpoint=checkpoint, progress=False)


def weights(model):
    return list(model.state_dict().values())


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))
