"""Figures draw what they are given; those of phantoms say so."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from hqnn_utils.data.images import load_breastmnist
from hqnn_utils.plots import figures

BANNER = "PHANTOM (synthetic images): "
Y = np.r_[np.ones(5, int), np.zeros(9, int)]
P = np.linspace(0.95, 0.05, 14)


def draw_all(data, banner):
    history = [dict(epoch=e, loss=1 / e, val_auc=0.5 + 0.1 * e) for e in (1, 2, 3)]
    return [
        figures.image_grid(data, per_class=3),
        figures.training_curves(
            {"linear": history, "dressed": history}, {"linear": 2}, banner=banner
        ),
        figures.confusion_matrices(Y, {"linear": P, "dressed": 1 - P}, banner=banner),
        figures.score_intervals(
            {
                "linear": {"auc": (0.9, 0.8, 0.95)},
                "mine": {"auc": (0.8, 0.7, 0.9), "f1": (0.5, 0.4, 0.6)},
            },
            banner=banner,
        ),
        figures.threshold_view(Y, P, 0.5, banner=banner),
        figures.seed_dots({"linear": [0.8, 0.9], "dressed": [0.7, 0.95]}, banner=banner),
    ]


def test_titles_say_phantom_exactly_when_it_is_one(medmnist_file):
    plt.close("all")  # figures that other tests left open are not the question here
    phantom, real = load_breastmnist(source="phantom"), load_breastmnist(source=medmnist_file)
    assert all(f.get_suptitle().startswith(BANNER) for f in draw_all(phantom, phantom.banner))
    assert not any("PHANTOM" in f.get_suptitle() for f in draw_all(real, real.banner))
    assert plt.get_fignums() == [], "a returned figure is shown once by the notebook, not twice"


def texts(axis):
    return [t.get_text() for t in axis.texts]


def test_confusion_matrices_hold_the_counts():
    figure = figures.confusion_matrices(Y, {"linear": P}, threshold=0.5)
    c = figures.confusion(Y, P, 0.5)
    assert (
        texts(figure.axes[0])
        == [str(c[k]) for k in ("tn", "fp", "fn", "tp")]
        == ["7", "2", "0", "5"]
    )


def test_score_intervals_draw_value_and_ends():
    axis = figures.score_intervals({"linear": {"auc": (0.9, 0.8, 0.95)}}).axes[0]
    bar, dot = axis.lines
    assert list(bar.get_xdata()) == [0.8, 0.95]
    assert list(dot.get_xdata()) == [0.9]


def test_chosen_epoch_is_marked():
    history = [dict(epoch=e, loss=1.0, val_auc=v) for e, v in ((1, 0.6), (2, 0.9), (3, 0.7))]
    right = figures.training_curves({"linear": history}, {"linear": 2}).axes[1]
    dot = [line for line in right.lines if line.get_marker() == "o"]
    assert len(dot) == 1
    assert (dot[0].get_xdata()[0], dot[0].get_ydata()[0]) == (2, 0.9)


def test_explore_runs_headless_and_does_not_hide_errors(monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    slider = ipywidgets.FloatSlider(value=0.3, min=0, max=1)
    monkeypatch.delenv("HQNN_STATIC", raising=False)
    seen = []
    assert figures.explore(lambda t: seen.append(t), t=slider) is None
    assert seen == [0.3], "drawn once at the start"
    slider.value = 0.7
    assert seen == [0.3, 0.7], "and again when the knob turns"
    with pytest.raises(ZeroDivisionError):
        figures.explore(lambda t: 1 / 0, t=slider)
    monkeypatch.setenv("HQNN_STATIC", "1")
    figure = figures.explore(lambda t: figures.threshold_view(Y, P, t), t=slider)
    assert figure.get_suptitle() == figures.threshold_view(Y, P, 0.7).get_suptitle() != ""


def test_patient_grid_puts_a_patient_in_a_column():
    from hqnn_utils.data.breakhis import phantom_patients

    phantom = phantom_patients(8, 0, patients=(3, 4), per_patient=2)
    figure = figures.patient_grid(phantom, patients=6, images=3)
    assert figure._suptitle.get_text().startswith("PHANTOM")
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 6
    assert all(t.startswith("benign") for t in titles[:3])
    assert all(t.startswith("malignant") for t in titles[3:])
    assert sum(bool(axis.images) for axis in figure.axes) == 12, (
        "two images a patient; the third row stays empty"
    )
