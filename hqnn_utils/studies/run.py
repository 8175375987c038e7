"""One run: from a setting to a record. Load, split, train, choose on validation, test once."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hqnn_utils.data import Dataset, load_dataset
from hqnn_utils.data.splits import apply_protocol, limit_train, shuffle_labels
from hqnn_utils.models import (
    Classifier,
    Tail,
    build_backbone,
    build_head,
    build_model,
    count_parameters,
    extract_features,
    extract_pairs,
    resized,
)
from hqnn_utils.models.backbones import Backbone
from hqnn_utils.records import Record
from hqnn_utils.runtime import data_dir, provenance
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.recent import Recent
from hqnn_utils.studies.settings import Setting, as_setting
from hqnn_utils.training import FitResult, fit, has_learned, predict_proba, score_predictions


def load_data(setting: Setting) -> Dataset:
    """The dataset of a setting, kept for the next run that wants the same.

    A file name without a folder that is not here is looked for in the data folder.
    """
    options = json.dumps(setting.data_options, sort_keys=True)
    return _load(setting.dataset, _locate(setting.source), setting.size, options)


@lru_cache(maxsize=4)
def _load(dataset: str, source: str, size: int, options: str) -> Dataset:
    """Options come as JSON: what is kept is found by its arguments, and a list has no hash."""
    return load_dataset(dataset, source=source, size=size, **json.loads(options))


def _locate(source: str) -> str:
    """Settings of records hold no folders: ``mine.npz`` may lie in the data folder."""
    path = Path(source)
    if path.suffix == ".npz" and not path.exists() and (data_dir() / path).exists():
        return str(data_dir() / path)
    return source


@dataclass
class _Prepared:
    """What one run trains on: the split data, a model, its inputs, and the mirrored inputs."""

    data: Dataset
    model: nn.Module
    x: torch.Tensor
    mirrored: torch.Tensor | None

    def rows(self, name: str) -> torch.Tensor:
        """Which inputs belong to a part of the split, (N,) bool."""
        return torch.from_numpy(self.data.split == name)

    def part(self, name: str, kept: np.ndarray | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """``(x, y)`` of a part of the split, or of those of its rows that ``kept`` (N,) names."""
        rows = self.rows(name) if kept is None else torch.from_numpy(kept)
        return self.x[rows], torch.from_numpy(self.data.labels.copy())[rows]

    def probabilities(self, name: str) -> np.ndarray:
        """Probability of malignant for a part of the split, averaged over both views if wanted."""
        p = predict_proba(self.model, self.x[self.rows(name)])
        if self.mirrored is None:
            return p
        return (p + predict_proba(self.model, self.mirrored[self.rows(name)])) / 2


# More bytes of activations than this are not kept: the images go through the network every time.
STORED_AT_MOST = 2**30


def _prepare(setting: Setting, data: Dataset) -> _Prepared:
    """Model and inputs. What stands still runs once and is cached; what learns is left."""
    first = data.take([0]).tensors()[0]  # one example tells the width; all cost memory
    if first.ndim == 2:
        _check_table(setting)
    channels = first.shape[1]  # of a table of features: their number
    is_fixed = setting.fine_tune == "frozen" and setting.weights is not None
    if is_fixed and setting.augment is None:
        return _prepare_pretrained(setting, data, channels)
    model = build_model(
        setting.backbone,
        setting.head,
        in_channels=channels,
        spec=setting.circuit,
        engine=setting.engine,
        weights=setting.weights,
        fine_tune=setting.fine_tune,
        seed=setting.seed,
    )
    if setting.fine_tune == "frozen" and setting.augment is None:
        return _on_features(setting, data, model.backbone, model.head)
    if setting.augment in (None, "flip") and _can_be_stored(setting, model, first, len(data)):
        x = extract_pairs(model.backbone, data, size=setting.resize)
        tail = Classifier(Tail(model.backbone), model.head)
        return _Prepared(data, tail, x, x.flip(1) if setting.test_flips else None)
    x = resized(data.tensors()[0], setting.resize)
    return _Prepared(data, model, x, x.flip(-1) if setting.test_flips else None)


def _prepare_pretrained(setting: Setting, data: Dataset, channels: int) -> _Prepared:
    """A frozen network with given weights is the same in every run: it is built once.

    The seed is the head's alone.
    """
    changed = os.path.getmtime(setting.weights) if os.path.exists(setting.weights) else 0.0
    backbone = _pretrained(setting.backbone, channels, str(setting.weights), changed)
    with torch.random.fork_rng():
        torch.manual_seed(setting.seed)
        head = build_head(setting.head, backbone.n_features, setting.circuit, setting.engine)
    return _on_features(setting, data, backbone, head)


@lru_cache(maxsize=2)
def _pretrained(name: str, channels: int, weights: str, changed: float) -> Backbone:
    """``changed`` is the time of a file of weights, so that another file is read anew."""
    return build_backbone(name, channels, weights, "frozen")


def _on_features(setting: Setting, data: Dataset, backbone: Backbone, head: nn.Module) -> _Prepared:
    """The head alone, on features of the images and, for the test, of their mirror images."""
    x = _kept_features(backbone, data, setting.resize, "none")
    mirrored = None
    if setting.test_flips:  # a feature vector has no left and right: the image was mirrored
        mirrored = _kept_features(backbone, data, setting.resize, "mirror")
    return _Prepared(data, head, x, mirrored)


_RECENT = Recent(4)  # features of the last runs


def _kept_features(
    backbone: Backbone, data: Dataset, size: int | None, transform: str
) -> torch.Tensor:
    """Features from the run before, where network and images are the very same objects.

    The cache on disk has to read every pixel to know that; a run on features takes less time.
    """
    question = (backbone, getattr(data, "images", None)), (size, transform)
    features = _RECENT.find(*question)
    if features is None:
        found = extract_features(backbone, data, size=size, transform=transform)
        features = torch.from_numpy(found)
        if backbone.fine_tune == "frozen":
            _RECENT.keep(*question, features)
    return features


def _can_be_stored(setting: Setting, model: Classifier, first: torch.Tensor, n: int) -> bool:
    """Whether what goes into the part that learns can be kept, for n images and their mirrors."""
    if setting.fine_tune == "frozen":
        return True
    if setting.fine_tune == "full" or model.backbone.stages() is None:
        return False
    with torch.no_grad():
        one = model.eval().backbone.before(setting.fine_tune, resized(first, setting.resize))
    model.train()
    return 2 * n * one.nbytes <= STORED_AT_MOST


def _check_table(setting: Setting) -> None:
    """ValueError where a table of features is treated as if its rows were images."""
    about = f"dataset {setting.dataset!r} is a table of features"
    if setting.backbone != "none":
        raise ValueError(f"{about}: set backbone='none', got {setting.backbone!r}")
    if setting.augment is not None or setting.test_flips:
        raise ValueError(f"{about}, nothing to mirror: set augment=None and test_flips=False")
    if setting.resize is not None:
        raise ValueError(f"{about}, nothing to resize: set resize=None")


def limited_rows(data, setting: Setting) -> np.ndarray:
    """Which examples the run learns from, (N,) bool: the training part, or ``max_train`` of it."""
    limited = limit_train(data, setting.max_train, setting.seed)
    return np.isin(data.ids, limited.ids[limited.split == "train"])


def run_setting(
    row: dict | Setting,
    data=None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | str = False,
) -> Record:
    """One run from a setting to its record; the test part is scored once, at the end.

    Parameters
    ----------
    data : images to use instead of those that the setting names.
    checkpoint, progress : as in ``training.fit``.
    """
    setting = as_setting(row)
    whole = load_data(setting) if data is None else data
    split = apply_protocol(whole, **setting.protocol)
    if setting.labels == "shuffled":
        split = shuffle_labels(split, setting.seed)
    kept = limited_rows(split, setting)

    cpu_start, start = time.process_time(), None
    for number in range(1 + setting.restarts):
        again = _other_start(setting, number)
        run = _prepare(again, split)
        start = start or time.perf_counter()
        train, val = run.part("train", kept), run.part("val")
        where = _checkpoint_of_start(checkpoint, number)
        fitted = fit(run.model, train, val, again.train_config, checkpoint=where, progress=progress)
        if has_learned(fitted.history, train[1], setting.balance):
            break
    timing = _timing(fitted, cpu_start, start)

    probabilities = {name: run.probabilities(name) for name in ("val", "test")}
    found, predictions = score_predictions(split, probabilities)
    found["fit"] = _about_fit(fitted, run.model, int(kept.sum()))
    if setting.restarts:
        found["fit"]["starts"] = number + 1
    return Record(
        setting.name,
        settings=setting.stored(),
        data=whole.describe(),
        scores=found,
        predictions=predictions,
        history=fitted.history,
        timing=timing,
        provenance=provenance(),
    )


OTHER_START = 100_003  # added to the seed for each restart: seeds of plans are far smaller


def _other_start(setting: Setting, number: int) -> Setting:
    """The setting of a restart: another seed for weights and order, the same split and images."""
    return replace(setting, seed=setting.seed + OTHER_START * number)


def _checkpoint_of_start(checkpoint: str | os.PathLike | None, number: int):
    """A checkpoint belongs to one start."""
    if checkpoint is None or number == 0:
        return checkpoint
    return Path(checkpoint).with_suffix(f".{number}.pt")


def _timing(fitted: FitResult, cpu_start: float, start: float) -> dict:
    """Seconds: of the epochs, of all processors since ``cpu_start``, and since ``start``."""
    return {
        "fit_seconds": fitted.seconds,
        "cpu_seconds": time.process_time() - cpu_start,
        "seconds": time.perf_counter() - start,
        "threads": torch.get_num_threads(),
    }


def _about_fit(fitted: FitResult, model: nn.Module, n_train: int) -> dict:
    return {
        "best_epoch": fitted.best_epoch,
        "best_val_auc": fitted.best_val_auc,
        "epochs": len(fitted.history),
        "n_train": n_train,
        "parameters": count_parameters(model),
        "moved": fitted.moved,
    }


def with_data(setting: Setting, data) -> Setting:
    """The setting of a run on images that were handed over: source and size are theirs."""
    if data is None:
        return setting
    return replace(setting, source=data.source, size=data.size)


def prediction_record(
    name: str, data, probabilities: dict[str, np.ndarray], settings: dict, **more
) -> Record:
    """A record from probabilities per split, for classifiers that are not torch modules.

    ``more`` are further fields of ``Record``.
    """
    found, predictions = score_predictions(data, probabilities)
    return Record(
        name,
        settings=settings,
        data=data.describe(),
        scores=found,
        predictions=predictions,
        **more,
    )


checked(__name__)
