"""Figures hold what they are given; those of phantoms say so."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from sklearn.metrics import confusion_matrix

from hqnn_utils import plots
from hqnn_utils.data import load_breastmnist

BANNER = "PHANTOM (synthetic images): "
truth = np.r_[np.ones(5, int), np.zeros(9, int)]
chance = np.linspace(0.95, 0.05, 14)


def history(*aucs):
    return [dict(epoch=e, loss=1 / e, val_auc=auc) for e, auc in enumerate(aucs, start=1)]


def points(line):
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def texts(axis):
    return [t.get_text() for t in axis.texts]


def legend(axis):
    return [t.get_text() for t in axis.get_legend().get_texts()]


def draw_all(banner):
    curves = {"linear": history(0.6, 0.9), "dressed": history(0.7, 0.8)}
    return [
        plots.training_curves(curves, {"linear": 2}, banner=banner),
        plots.threshold_view(truth, chance, 0.5, banner=banner),
        plots.seed_dots({"linear": [0.8, 0.9]}, banner=banner),
    ]


def test_titles_say_phantom_exactly_when_it_is_one(medmnist_file):
    plt.close("all")  # figures that other tests left open are not the question here
    phantom, real = load_breastmnist(source="phantom"), load_breastmnist(source=medmnist_file)
    assert all(f.get_suptitle().startswith(BANNER) for f in draw_all(phantom.banner))
    assert not any("PHANTOM" in f.get_suptitle() for f in draw_all(real.banner))
    assert plt.get_fignums() == [], "a returned figure is shown once by the notebook, not twice"


# ----------------------------------------------------------------------------- training


def test_training_curves_hold_loss_and_auc():
    curves = {"linear": history(0.6, 0.9, 0.7), "mine": history(0.5, 0.6)}
    left, right = plots.training_curves(curves).axes
    assert [points(line) for line in left.lines] == [
        [(1, 1), (2, 1 / 2), (3, 1 / 3)],
        [(1, 1), (2, 1 / 2)],
    ]
    assert [points(line) for line in right.lines] == [
        [(1, 0.6), (2, 0.9), (3, 0.7)],
        [(1, 0.5), (2, 0.6)],
    ]
    for axis in (left, right):
        assert [line.get_color() for line in axis.lines] == [plots.COLOURS["linear"], "C1"]
        assert axis.get_xlabel() == "epoch"
    assert legend(left) == ["linear", "mine"]
    assert left.get_ylabel() == "training loss (cross-entropy)"
    assert right.get_ylabel() == "validation AUC"


def test_the_chosen_epoch_is_marked():
    curves = {"linear": history(0.6, 0.9, 0.7), "mlp": history(0.5, 0.6)}
    right = plots.training_curves(curves, {"linear": 2}).axes[1]
    (dot,) = [line for line in right.lines if line.get_marker() == "o"]
    assert points(dot) == [(2, 0.9)]
    assert dot.get_color() == plots.COLOURS["linear"]


# -------------------------------------------------------------------------------- scores


def test_seed_dots_join_the_runs_of_a_seed():
    values = {"linear": [0.8, 0.9, 0.7], "mine": [0.7, 0.95, 0.6]}
    figure = plots.seed_dots(values, score="balanced accuracy")
    (axis,) = figure.axes
    seeds = [points(line) for line in axis.lines]
    assert seeds == [[(0, 0.8), (1, 0.7)], [(0, 0.9), (1, 0.95)], [(0, 0.7), (1, 0.6)]]
    dots, _, more, bars = axis.collections
    assert dots.get_offsets().tolist() == [[0, 0.8], [0, 0.9], [0, 0.7]]
    assert more.get_offsets().tolist() == [[1, 0.7], [1, 0.95], [1, 0.6]]
    assert tuple(dots.get_facecolor()[0]) == to_rgba(plots.COLOURS["linear"])
    assert bars.get_segments()[0][:, 1] == pytest.approx([0.75, 0.75]), "the mean of mine"
    assert bars.get_segments()[0][:, 0] == pytest.approx([0.8, 1.2])
    assert [t.get_text() for t in axis.get_xticklabels()] == ["linear", "mine"]
    assert axis.get_ylabel() == "balanced accuracy"
    assert axis.get_xlim() == (-0.5, 1.5)
    assert figure.get_suptitle() == "3 seed(s): dots are runs, bars are means"
    assert plots.seed_dots(values).axes[0].get_ylabel() == "test AUC"


# ----------------------------------------------------------------------------- threshold


@pytest.mark.parametrize("threshold", [0.2, 0.5, chance[2]])
def test_threshold_view_holds_histogram_and_counts(threshold):
    figure = plots.threshold_view(list(truth), list(chance), threshold, where="test")
    left, right = figure.axes
    heights = [[bar.get_height() for bar in bars] for bars in left.containers]
    assert heights == [
        np.histogram(chance[truth == k], np.linspace(0, 1, 21))[0].tolist() for k in (0, 1)
    ]
    assert points(left.lines[0])[0][0] == threshold
    assert legend(left)[:2] == ["benign or normal", "malignant"]
    assert legend(left)[2] == f"threshold {threshold:.2f}"
    assert left.get_xlabel() == "predicted probability of malignant"
    assert left.get_ylabel() == "test images"
    counts = confusion_matrix(
        truth, chance >= threshold
    ).ravel()  # scikit-learn's order: tn, fp, fn, tp
    assert texts(right) == [str(c) for c in counts]
    assert (right.get_xlabel(), right.get_ylabel()) == ("model says", "truth")
    for labels in (right.get_xticklabels(), right.get_yticklabels()):
        assert [t.get_text() for t in labels] == ["benign\nor normal", "malignant"]
    assert figure.get_suptitle() == (
        f"{counts[2]} of 5 malignant missed, {counts[1]} of 9 others called malignant"
    )


def test_threshold_view_is_about_validation_images_unless_told_otherwise():
    left = plots.threshold_view(truth, chance, 0.5).axes[0]
    assert left.get_ylabel() == "validation images"
    classes = [to_rgba(bars[0].get_facecolor())[:3] for bars in left.containers]
    assert classes == [to_rgba(plots.CLASS_COLOURS[k])[:3] for k in (0, 1)]


# ------------------------------------------------------------------------------- spectra


def test_spectra_draw_range_and_mean_up_to_the_highest_frequency():
    found = {
        "one": np.array([[0.1, 0.5, 0.0, 9.0], [0.3, 0.7, 0.2, 9.0]]),
        "two": np.array([[0.0, 0.2, 0.4, 9.0]]),
    }
    figure = plots.spectra(found, highest=2)
    first, second = figure.axes
    assert points(first.lines[0]) == [
        (0, pytest.approx(0.2)),
        (1, pytest.approx(0.6)),
        (2, pytest.approx(0.1)),
    ]
    ranges = [segment[:, 1].tolist() for segment in first.collections[0].get_segments()]
    assert ranges == [[0.1, 0.3], [0.5, 0.7], [0.0, 0.2]]
    assert points(second.lines[0]) == [(0, 0.0), (1, 0.2), (2, 0.4)]
    assert [axis.get_title() for axis in figure.axes] == ["one", "two"]
    assert all(axis.get_xlabel() == "frequency k" for axis in figure.axes)
    assert first.get_ylabel() == "size of coefficient |c_k|"
    assert figure.get_suptitle().startswith("Fourier coefficients of the output")
    assert len(plots.spectra({"one": found["one"]}, highest=1).axes) == 1
