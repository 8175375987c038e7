"""Models: what turns an image into features, and what turns features into a decision.

``backbones/``   images -> features: our small network, any classifier of torchvision, none at all
``features``     what the frozen part of a backbone gives, kept on disk
``cores``        what stands in the circuit's place: the circuit or one of its controls
``heads``        features -> logits: the layers around a core, and the table of names
``classifier``   backbone + head, with a seed; counts and groups of parameters
"""

from hqnn_utils.models.backbones import BACKBONES, Tail, WeightsError, build_backbone
from hqnn_utils.models.classifier import (
    Classifier,
    build_model,
    count_parameters,
    parameter_groups,
)
from hqnn_utils.models.cores import CORES, CosineLayer, FourierLayer, MatchedLayer, MixingLayer
from hqnn_utils.models.features import extract_features, extract_pairs, resized
from hqnn_utils.models.heads import (
    HEADS,
    BoundedAngles,
    build_head,
    control_of,
    holds_circuit,
)

__all__ = [
    "BACKBONES",
    "CORES",
    "HEADS",
    "BoundedAngles",
    "Classifier",
    "CosineLayer",
    "FourierLayer",
    "MatchedLayer",
    "MixingLayer",
    "Tail",
    "WeightsError",
    "build_backbone",
    "build_head",
    "build_model",
    "control_of",
    "count_parameters",
    "extract_features",
    "extract_pairs",
    "holds_circuit",
    "parameter_groups",
    "resized",
]
