"""A data set on which a circuit should win: real features, labels made by a circuit.

A judge that has never said "supported" may be unable to. So it is shown a case in which the claim
is true by construction, through the same runs, records and rules as the real hypotheses (a positive
control). That engineered labels can favour a quantum model on classical data was shown by Huang et
al. (2021, doi 10.1038/s41467-021-22539-9, arXiv 2011.01938), for kernels; here a circuit of the
course's own family makes the labels.
"""

from __future__ import annotations

import hashlib
import math
import os

import numpy as np
import torch

from hqnn_utils.data import DATASETS, Dataset, FeatureTable, load_breastmnist
from hqnn_utils.models import build_backbone, extract_features
from hqnn_utils.quantum import CircuitSpec, QuantumLayer
from hqnn_utils.runtime.arguments import checked


def load_planted(
    source: str | os.PathLike = "auto",
    size: int = 128,
    backbone: str = "efficientnet_lite0",
    spec: dict | None = None,
    teacher: int = 0,
) -> FeatureTable:
    """BreastMNIST's images and split, with labels that a circuit made. They mean nothing.

    1. Frozen features of a pretrained backbone, and of them the first n principal components, n
       being the circuit's number of inputs; each with mean 0 and standard deviation 1. All of that
       is learned from the training part.
    2. The teacher: angles ``pi * tanh`` of these numbers, a circuit with random angles, a random
       combination of its outputs. An example whose value is above the training part's median is 1.

    A table of n columns comes back. The ``dressed`` head with the same circuit can be the teacher,
    apart from its scale; a linear head cannot.

    Parameters
    ----------
    source, size : as in ``load_breastmnist``.
    backbone : a pretrained backbone.
    spec : arguments of the teacher's ``CircuitSpec``, by default the study's circuit.
    teacher : seed of the teacher's angles and combination.
    """
    images = load_breastmnist(size, source)
    circuit = CircuitSpec(**(spec or {}))
    features = extract_features(build_backbone(backbone, 1, "imagenet", "frozen"), images)
    return with_labels_of_a_circuit(images, features, circuit, teacher, about=f"{size}|{backbone}")


def with_labels_of_a_circuit(
    data: Dataset, features: np.ndarray, spec: CircuitSpec, teacher: int = 0, about: str = ""
) -> FeatureTable:
    """The examples and the split of ``data`` with labels that a circuit made: steps 1 and 2 above.

    Parameters
    ----------
    data : images or a table of features.
    features : (N, d) what stands for each example, d at least the circuit's number of inputs.
    spec, teacher : as in ``load_planted``.
    about : where the features come from; it enters the digest.

    Raises
    ------
    ValueError : fewer features than the circuit has inputs.
    """
    if features.shape[1] < spec.n_inputs:
        raise ValueError(
            f"labels of a circuit need {spec.n_inputs} features, {data.name} has "
            f"{features.shape[1]}: take a circuit with fewer inputs"
        )
    train = data.split == "train"
    measured = principal_components(features, train, spec.n_inputs)
    labels = labels_of_a_circuit(measured, train, spec, teacher)
    name = f"planted-{spec.label()}-teacher{teacher}"
    # Not the components themselves: their last digits differ between processors.
    content = f"{data.digest}|{about}|{name}".encode() + labels.tobytes()
    return FeatureTable(
        measured=measured,
        feature_names=tuple(f"component {i}" for i in range(spec.n_inputs)),
        labels=labels,
        split=data.split,
        ids=data.ids,
        name=name,
        source=data.source,
        digest=hashlib.sha256(content).hexdigest(),
        class_names=("circuit says 0", "circuit says 1"),
    )


def principal_components(features: np.ndarray, train: np.ndarray, n: int) -> np.ndarray:
    """(N, d) -> (N, n) float64, standardised; learned from the rows ``train`` (N,)."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = make_pipeline(PCA(n, svd_solver="full"), StandardScaler())
    return steps.fit(features[train].astype(np.float64)).transform(features.astype(np.float64))


def labels_of_a_circuit(
    measured: np.ndarray, train: np.ndarray, spec: CircuitSpec, teacher: int
) -> np.ndarray:
    """(N, n_inputs) -> (N,) of 0 and 1; half of the rows ``train`` are 1."""
    random = torch.Generator().manual_seed(teacher)
    circuit = QuantumLayer(spec, generator=random)
    combination = torch.randn(spec.n_outputs, generator=random, dtype=torch.float64)
    with torch.no_grad():
        angles = math.pi * torch.tanh(torch.from_numpy(measured))
        value = (circuit(angles) @ combination).numpy()
    return (value > np.median(value[train])).astype(np.int64)


# A dataset by name like the others; it needs models, so it cannot live in the room of the data.
DATASETS["planted"] = load_planted


checked(__name__)
