"""Floor 3: one classical run from settings to record, in a notebook or as ``python -m hqnn_utils.baselines`` for the long ones.

The command trains several backbones and seeds one after the other and leaves one record each. Records that are there already, with
the same settings and data, are not made again: an interrupted series goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch

from .backbones import BACKBONES, FINE_TUNE
from .data import ImageData, load_breastmnist
from .models import build_model, count_parameters
from .records import load_record, make_record, save_record
from .runtime import Profile, provenance
from .training import evaluate, fit, score_predictions


def prediction_record(name: str, data: ImageData, probabilities: dict[str, np.ndarray], settings: dict, **more) -> dict:
    """A record from probabilities per split: for classifiers that are not torch modules. ``more`` goes to ``make_record``."""
    found, predictions = score_predictions(data, probabilities)
    return make_record(name, settings=settings, data=data.describe(), scores=found, predictions=predictions, **more)


def train_and_record(name: str, data: ImageData, folder: str | os.PathLike, *, backbone: str = "small_cnn", seed: int = 0,
                     weights: str | os.PathLike | None = None, fine_tune: str = "full", max_train: int | None = None,
                     profile: Profile | None = None, progress: bool | str = False, **training) -> dict:  # fmt: skip
    """Train one backbone with a linear head, test it once, and return the record, which is also in ``folder``.

    If ``folder`` holds this record already, made with the same settings and data, it is read and nothing is trained.

    Parameters
    ----------
    data : all three splits. max_train : as in ``ImageData.limit_train`` with this run's seed.
    weights, fine_tune : as in ``build_backbone``; a path enters the record as its file name.
    training : arguments of ``fit`` (epochs, lr, batch_size, weight_decay, patience, balance, augment).
    """
    file = Path(folder) / f"{name}.json"
    settings = dict(backbone=backbone, head="linear", seed=seed, fine_tune=fine_tune, max_train=max_train, size=data.size,
                    weights=weights if weights in (None, "imagenet") else Path(weights).name, **training)  # fmt: skip
    if file.exists():
        kept = load_record(file)
        if kept["data"] == data.describe() and all(kept["settings"].get(k, ...) == v for k, v in settings.items()):
            return kept
    model = build_model(backbone, "linear", in_channels=1 if data.images.ndim == 3 else 3, weights=weights, fine_tune=fine_tune, seed=seed)
    limited = data.limit_train(max_train, seed)
    began = time.process_time()
    fitted = fit(model, limited.tensors("train"), limited.tensors("val"), seed=seed, progress=progress, **training)
    used = time.process_time() - began
    found, predictions = evaluate(model, data)
    settings |= dict(parameters=count_parameters(model), n_train=int((limited.split == "train").sum()), best_epoch=fitted.best_epoch)
    record = make_record(name, settings=settings, data=data.describe(), scores=found, predictions=predictions, history=fitted.history,
                         timing=dict(fit_seconds=fitted.seconds, cpu_seconds=used, threads=torch.get_num_threads()),
                         provenance=provenance(profile, seed))  # fmt: skip
    save_record(record, folder)
    return record


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m hqnn_utils.baselines", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the records go")
    parser.add_argument("--source", default="medmnist", help="as in load_breastmnist: medmnist, phantom or the path of a .npz file")
    parser.add_argument("--size", type=int, default=28, help="pixels; ignored for a path")
    parser.add_argument("--backbones", nargs="+", choices=list(BACKBONES), default=["small_cnn"])
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 to this number less one")
    parser.add_argument("--weights", default=None, help="imagenet or the path of a state dict; by default random weights")
    parser.add_argument("--fine-tune", choices=FINE_TUNE, default="full")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--patience", type=int, default=15, help="0: never stop early")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    data = load_breastmnist(given.size, given.source)
    how = "scratch" if given.weights is None else f"{Path(given.weights).stem}-{given.fine_tune}"
    for seed in range(given.seeds):
        for backbone in given.backbones:
            record = train_and_record(f"{backbone}-{data.size}px-{how}-e{given.epochs}-s{seed}", data, given.folder, backbone=backbone, seed=seed,
                                      weights=given.weights, fine_tune=given.fine_tune, epochs=given.epochs, lr=given.lr,
                                      batch_size=given.batch_size, patience=given.patience or None)  # fmt: skip
            test, timing = record["scores"]["test"], record["timing"]
            print(f"{record['name']}: test AUC {test['auc']:.3f}, accuracy {test['accuracy']:.3f}, {timing['fit_seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
