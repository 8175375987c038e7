"""One function a picture. Each returns its figure, closed, with the data's banner in the title."""

from __future__ import annotations

import io
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hqnn_utils.data import CLASS_NAMES
from hqnn_utils.evaluation.metrics import confusion
from hqnn_utils.plots.style import CLASS_COLOURS, colour_of, finish, house_style
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import StorageError, cause, whole_file


def training_curves(
    histories: dict[str, list[dict]], chosen: dict[str, int] | None = None, banner: str = ""
) -> Figure:
    """Draw training loss (left) and validation AUC (right) per epoch, one line a model.

    Parameters
    ----------
    histories : dict
        For each model one dict an epoch, with ``epoch`` (counted from 1), ``loss`` and ``val_auc``.
    chosen : dict, optional
        For each model the epoch that was chosen on validation data; it gets a dot.
    """
    chosen = chosen or {}
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
        for index, (name, history) in enumerate(histories.items()):
            colour = colour_of(name, index)
            epochs = [row["epoch"] for row in history]
            scores = [row["val_auc"] for row in history]
            left.plot(epochs, [row["loss"] for row in history], color=colour, label=name)
            right.plot(epochs, scores, color=colour, label=name)
            if chosen.get(name):
                best = chosen[name]
                right.plot(best, scores[best - 1], "o", color=colour, markersize=8)
        left.set(xlabel="epoch", ylabel="training loss (cross-entropy)")
        right.set(xlabel="epoch", ylabel="validation AUC")
        left.legend()
    return finish(figure, banner, "training curves (dot: epoch chosen on validation)")


def seed_dots(values: dict[str, list[float]], score: str = "test AUC", banner: str = "") -> Figure:
    """Draw one dot a run, one thin line a seed across the models, a black bar at each mean.

    ``values[model]`` is ordered by seed, the same seeds for every model.
    """
    names, table = list(values), np.array(list(values.values()))
    seeds = table.shape[1]
    with house_style():
        figure, axis = plt.subplots(figsize=(1.6 * len(names) + 2, 3.6))
        axis.plot(range(len(names)), table, color="0.75", lw=1, zorder=1)
        for column, name in enumerate(names):
            runs = table[column]
            axis.scatter([column] * seeds, runs, color=colour_of(name, column), zorder=2)
            axis.hlines(runs.mean(), column - 0.2, column + 0.2, color="black", lw=2, zorder=3)
        axis.set(xticks=range(len(names)), xticklabels=names, ylabel=score)
        axis.set_xlim(-0.5, len(names) - 0.5)
    return finish(figure, banner, f"{seeds} seed(s): dots are runs, bars are means")


def threshold_view(y, p, threshold: float, banner: str = "", where: str = "validation") -> Figure:
    """Draw probabilities by class with a threshold, and the confusion matrix that follows from it.

    Parameters
    ----------
    y, p : array_like, shape (images,)
        Labels (1 = malignant) and predicted probabilities of malignant.
    threshold : float
        From this probability on an image is called malignant.
    where : str
        The part of the data that the images come from, for the label of the axis.
    """
    y, p = np.asarray(y), np.asarray(p)
    counts = confusion(y, p, threshold)
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), width_ratios=[2, 1])
        bins = np.linspace(0, 1, 21)
        for label, colour in CLASS_COLOURS.items():
            left.hist(p[y == label], bins=bins, alpha=0.65, color=colour, label=CLASS_NAMES[label])
        left.axvline(threshold, color="black", ls="--", label=f"threshold {threshold:.2f}")
        left.set(xlabel="predicted probability of malignant", ylabel=f"{where} images")
        left.legend(fontsize=8)
        _confusion_matrix(right, counts)
    malignant, others = counts["fn"] + counts["tp"], counts["fp"] + counts["tn"]
    missed = f"{counts['fn']} of {malignant} malignant missed"
    alarms = f"{counts['fp']} of {others} others called malignant"
    return finish(figure, banner, f"{missed}, {alarms}")


def _confusion_matrix(axis: Axes, counts: dict[str, int]) -> None:
    """Draw the four counts: rows are the truth, columns what the model says."""
    matrix = [[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]]
    names = ("benign\nor normal", "malignant")
    look = dict(annot=True, fmt="d", cmap="Blues", vmin=0, cbar=False, square=True)
    sns.heatmap(matrix, ax=axis, xticklabels=names, yticklabels=names, **look)
    axis.set(xlabel="model says", ylabel="truth")


def spectra(found: dict[str, np.ndarray], highest: int) -> Figure:
    """Draw the size of each Fourier coefficient: mean (dot) and range (bar) over random weights.

    ``found[name]`` has the shape (draws, frequencies); frequencies above ``highest`` are left out.
    """
    frequencies = range(highest + 1)
    size = (2.9 * len(found), 3)
    with house_style():
        figure, axes = plt.subplots(1, len(found), figsize=size, sharey=True, squeeze=False)
        for axis, (name, values) in zip(axes[0], found.items(), strict=True):
            values = values[:, : highest + 1]
            axis.vlines(frequencies, values.min(axis=0), values.max(axis=0), color="0.7", lw=6)
            axis.plot(frequencies, values.mean(axis=0), "o", color="#D55E00")
            axis.set(title=name, xlabel="frequency k", xticks=frequencies)
        axes[0][0].set_ylabel("size of coefficient |c_k|")
    return finish(figure, "", "Fourier coefficients of the output as a function of one feature")


def save(figure: Figure, path: str | os.PathLike, **options) -> Path:
    """Write a figure whole or not at all: on a full disk the old file stays as it is.

    Parameters
    ----------
    path : str or path
        Its ending is the format: ``"scores.png"``, ``"report.pdf"``.
    **options
        As for ``figure.savefig``.

    Raises
    ------
    ValueError : an ending that matplotlib does not know.
    StorageError : the file cannot be written; the message says why.
    """
    path = Path(path)
    kind, known = path.suffix[1:].lower(), figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise ValueError(f"path must end in one of .{', .'.join(sorted(known))}, got {path.name!r}")
    made = io.BytesIO()
    figure.savefig(made, format=kind, **options)
    try:
        with whole_file(path) as stream:
            stream.write(made.getvalue())
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written ({cause(error, path)}): make room, or name another folder"
        ) from None
    return path


checked(__name__)
