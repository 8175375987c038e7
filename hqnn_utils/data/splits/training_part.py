"""Changes to what is trained on: fewer examples, or shuffled labels. The test part stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hqnn_utils.data.datasets import Dataset
from hqnn_utils.runtime.arguments import checked


def limit_train(data: Dataset, n: int | None, seed: int = 0) -> Dataset:
    """At most ``n`` training examples, drawn stratified by class; ``None`` keeps all.

    Validation and test stay whole.
    """
    train = np.flatnonzero(data.split == "train")
    if n is None or n >= len(train):
        return data
    from sklearn.model_selection import train_test_split

    kept, _ = train_test_split(train, train_size=n, stratify=data.labels[train], random_state=seed)
    others = np.flatnonzero(data.split != "train")
    return data.take(np.sort(np.concatenate([kept, others])))


def shuffle_labels(data: Dataset, seed: int = 0) -> Dataset:
    """Labels of training and validation permuted within their part; the test keeps the true ones.

    What is learned is then chance: a control for the whole study.
    """
    labels = data.labels.copy()
    for number, name in enumerate(("train", "val")):
        index = np.flatnonzero(data.split == name)
        order = np.random.default_rng([seed, number]).permutation(index)
        labels[index] = labels[order]
    return replace(data, labels=labels, name=f"{data.name}-SHUFFLED-LABELS-s{seed}")


checked(__name__)
