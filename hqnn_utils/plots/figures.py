"""The plots that more than one notebook draws. Each returns its figure; titles begin with the data's banner.

``banner`` is ``ImageData.banner``: nothing for real images, ``"PHANTOM (synthetic images): "`` for phantoms.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from hqnn_utils.data.images import CLASS_NAMES, ImageData
from hqnn_utils.evaluation.comparison import mean_interval
from hqnn_utils.evaluation.metrics import confusion

# Colour-blind safe, one colour a head in every notebook.
COLOURS = {
    "linear": "#0072B2",
    "matched": "#009E73",
    "dressed": "#D55E00",
    "study_hybrid": "#CC79A7",
    "mlp": "#E69F00",
}
TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision (PPV)",
    "f1": "F1",
    "auc": "AUC",
    "brier": "Brier score",
}


@contextmanager
def house_style():
    """Seaborn's white grid for the figures drawn inside; what the reader has set is left alone."""
    with sns.axes_style("whitegrid"), sns.plotting_context("notebook", font_scale=0.9):
        yield


def _colour(name: str, index: int) -> str:
    return COLOURS.get(name, f"C{index}")


def finish(figure, banner: str, title: str):
    """Title with the data's banner, tidy layout, closed: a notebook shows a returned figure once, not twice."""
    figure.suptitle(banner + title)
    figure.tight_layout()
    plt.close(figure)
    return figure


def image_grid(
    data: ImageData, per_class: int = 6, seed: int = 0, title: str = "Breast ultrasound"
):
    """One row of random images per class, with ids. Cells that call this carry the tag ``draws-images``."""
    rng = np.random.default_rng(seed)
    figure, axes = plt.subplots(2, per_class, figsize=(1.5 * per_class, 4.3), squeeze=False)
    for row, label in zip(axes, (1, 0)):
        pool = np.flatnonzero(data.labels == label)
        for axis, index in zip(row, rng.choice(pool, min(per_class, len(pool)), replace=False)):
            axis.imshow(data.images[index], cmap="gray", vmin=0, vmax=255)
            axis.set_title(f"{CLASS_NAMES[label]}\n{data.ids[index]}", fontsize=7)
    for axis in axes.flat:
        axis.set_axis_off()
    return finish(figure, data.banner, title)


def patient_grid(
    data: ImageData,
    patients: int = 8,
    images: int = 3,
    seed: int = 0,
    title: str = "images of one patient stand in one column",
):
    """Columns are patients, benign ones first, rows are images of each. Cells that call this on real images carry the tag ``draws-images``."""
    rng = np.random.default_rng(seed)
    columns = []
    for label in (0, 1):
        pool = np.unique(data.patients[data.labels == label])
        columns += [
            (label, who)
            for who in np.sort(rng.choice(pool, min(patients // 2, len(pool)), replace=False))
        ]
    figure, axes = plt.subplots(
        images, len(columns), figsize=(1.35 * len(columns), 1.4 * images + 0.9), squeeze=False
    )
    for column, (label, who) in zip(axes.T, columns):
        for axis, index in zip(column, np.flatnonzero(data.patients == who)):
            axis.imshow(data.images[index], interpolation="nearest")
        column[0].set_title(f"{('benign', 'malignant')[label]}\n{who}", fontsize=8)
    for axis in axes.flat:
        axis.set_axis_off()
    return finish(figure, data.banner, title)


def training_curves(
    histories: dict[str, list[dict]], chosen: dict[str, int] | None = None, banner: str = ""
):
    """Training loss (left) and validation AUC (right) per epoch, one line a model; a dot marks the chosen epoch."""
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
        for index, (name, history) in enumerate(histories.items()):
            epochs, style = (
                [h["epoch"] for h in history],
                dict(color=_colour(name, index), label=name),
            )
            left.plot(epochs, [h["loss"] for h in history], **style)
            right.plot(epochs, [h["val_auc"] for h in history], **style)
            if chosen and chosen.get(name):
                right.plot(
                    chosen[name],
                    history[chosen[name] - 1]["val_auc"],
                    "o",
                    color=_colour(name, index),
                    markersize=8,
                )
        left.set(xlabel="epoch", ylabel="training loss (cross-entropy)")
        right.set(xlabel="epoch", ylabel="validation AUC")
        left.legend()
    return finish(figure, banner, "training curves (dot: epoch chosen on validation)")


def confusion_matrices(
    y, probabilities: dict[str, np.ndarray], threshold: float = 0.5, banner: str = ""
):
    """One matrix a model: rows are the truth, columns the answer at ``threshold``, numbers are images."""
    figure, axes = plt.subplots(
        1, len(probabilities), figsize=(3.3 * len(probabilities), 3.7), squeeze=False
    )
    short = ("benign/\nnormal", "malignant")
    for axis, (name, p) in zip(axes[0], probabilities.items()):
        c = confusion(y, p, threshold)
        sns.heatmap(
            [[c["tn"], c["fp"]], [c["fn"], c["tp"]]],
            annot=True,
            fmt="d",
            cmap="Blues",
            cbar=False,
            square=True,
            ax=axis,
            xticklabels=short,
            yticklabels=short,
            vmin=0,
        )
        axis.set(title=name, xlabel="model says", ylabel="truth")
    return finish(figure, banner, f"confusion matrices, {len(y)} images, threshold {threshold:.2f}")


def score_intervals(
    table: dict[str, dict[str, tuple[float, float, float]]],
    banner: str = "",
    title: str = "test scores with 95 % intervals",
):
    """Forest plot. ``table[model][score] = (value, low, high)``; one panel a score, one line a model."""
    names = list(table)
    shown = [s for s in TITLES if any(s in table[n] for n in names)]
    with house_style():
        figure, axes = plt.subplots(
            1,
            len(shown),
            figsize=(2.2 * len(shown), 0.45 * len(names) + 1.7),
            sharey=True,
            squeeze=False,
        )
        for axis, score in zip(axes[0], shown):
            for row, name in enumerate(names):
                if score in table[name]:
                    value, low, high = table[name][score]
                    axis.plot([low, high], [row, row], color=_colour(name, row), lw=2)
                    axis.plot(value, row, "o", color=_colour(name, row))
            axis.set(
                title=TITLES[score],
                yticks=range(len(names)),
                yticklabels=names,
                ylim=(len(names) - 0.5, -0.5),
            )
            axis.xaxis.set_major_locator(plt.MaxNLocator(3))
    return finish(figure, banner, title)


def seed_dots(values: dict[str, list[float]], score: str = "test AUC", banner: str = ""):
    """One dot a run, one thin line a seed across the models, a bar at each mean. ``values[model]`` is ordered by seed."""
    names, table = list(values), np.array(list(values.values()))
    with house_style():
        figure, axis = plt.subplots(figsize=(1.6 * len(names) + 2, 3.6))
        axis.plot(range(len(names)), table, color="0.75", lw=1, zorder=1)
        for column, name in enumerate(names):
            axis.scatter(
                [column] * table.shape[1], table[column], color=_colour(name, column), zorder=2
            )
            axis.hlines(
                table[column].mean(), column - 0.2, column + 0.2, color="black", lw=2, zorder=3
            )
        axis.set(
            xticks=range(len(names)), xticklabels=names, ylabel=score, xlim=(-0.5, len(names) - 0.5)
        )
    return finish(figure, banner, f"{table.shape[1]} seed(s): dots are runs, bars are means")


def condition_forest(
    values: dict[str, list[float]],
    reference: str,
    score: str = "test AUC",
    banner: str = "",
    title: str = "",
):
    """One row a condition: grey dots are seeds, the bar is the 95 % interval of their mean (Student's t), the dashed line ``reference``'s mean."""
    with house_style():
        figure, axis = plt.subplots(figsize=(8.5, 0.33 * len(values) + 1.3))
        axis.axvline(np.mean(values[reference]), color="0.6", ls="--", lw=1)
        for row, (name, found) in enumerate(values.items()):
            mean, low, high = mean_interval(found)
            axis.plot(found, [row] * len(found), "o", color="0.75", markersize=4)
            axis.plot([low, high], [row, row], color=_colour(name.split(",")[0], 0), lw=3)
            axis.plot(mean, row, "|", color="black", markersize=12)
        axis.set(
            yticks=range(len(values)),
            yticklabels=values,
            ylim=(len(values) - 0.5, -0.5),
            xlabel=score,
        )
    return finish(figure, banner, title)


def threshold_view(y, p, threshold: float, banner: str = "", where: str = "validation"):
    """Histogram of probabilities by class with the threshold, and the confusion matrix that follows from it."""
    y, p = np.asarray(y), np.asarray(p)
    c = confusion(y, p, threshold)
    with house_style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), width_ratios=[2, 1])
        for label, colour in ((0, "#56B4E9"), (1, "#D55E00")):
            left.hist(
                p[y == label],
                bins=np.linspace(0, 1, 21),
                alpha=0.65,
                color=colour,
                label=CLASS_NAMES[label],
            )
        left.axvline(threshold, color="black", ls="--", label=f"threshold {threshold:.2f}")
        left.set(xlabel="predicted probability of malignant", ylabel=f"{where} images")
        left.legend(fontsize=8)
        sns.heatmap(
            [[c["tn"], c["fp"]], [c["fn"], c["tp"]]],
            annot=True,
            fmt="d",
            cmap="Blues",
            cbar=False,
            ax=right,
            square=True,
            xticklabels=("benign", "malignant"),
            yticklabels=("benign", "malignant"),
            vmin=0,
        )
        right.set(xlabel="model says", ylabel="truth")
    missed = f"{c['fn']} of {c['fn'] + c['tp']} malignant missed, {c['fp']} of {c['fp'] + c['tn']} others called malignant"
    return finish(figure, banner, missed)


def explore(draw, **controls):
    """Show ``draw(**values)`` above ipywidgets controls and redraw on each change; without controls where ``HQNN_STATIC`` is set.

    ``draw`` returns a figure; ``controls`` are ipywidgets. The figure is an ordinary output that is updated in place, not
    one inside a widget as with ``ipywidgets.interact``: an error in ``draw`` stops the notebook, the picture is also there
    on a page without a kernel, and headless clients have been seen to hang on outputs inside widgets.
    """

    def current():
        return draw(**{name: control.value for name, control in controls.items()})

    figure = current()
    if os.environ.get("HQNN_STATIC"):
        return figure
    import ipywidgets
    from IPython.display import display

    shown = display(figure, display_id=True)

    def redraw(change):
        new = current()
        if shown is not None:  # None where no notebook displays anything
            shown.update(new)

    for name, control in controls.items():
        control.description = control.description or name
        control.observe(redraw, names="value")
    display(ipywidgets.VBox(list(controls.values())))
