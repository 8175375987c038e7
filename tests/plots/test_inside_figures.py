"""Figures of notebook 11 hold what they are given, and say PHANTOM when they are told to."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from hqnn_utils.evaluation.metrics import reliability
from hqnn_utils.plots import inside as inside_figures

BANNER = "PHANTOM (synthetic images): "
RNG = np.random.default_rng(0)
MASKS = np.zeros((2, 8, 8), bool)
MASKS[:, 2:4, 2:5] = True
TABLE = pd.DataFrame(
    [
        dict(method=m, head=h, score=0.1 + s / 10)
        for m in ("grad_cam", "occlusion")
        for h in ("linear", "dressed")
        for s in range(3)
    ]
)
STEPS = pd.DataFrame(
    [
        dict(method=m, head="linear", kind=k, share=s, value=1 - s)
        for m in ("grad_cam", "occlusion")
        for k in ("signed", "size")
        for s in (0, 0.5, 1)
    ]
)


def draw_all(banner):
    images, maps = (
        RNG.integers(0, 255, (2, 8, 8), dtype=np.uint8),
        {"grad_cam": RNG.random((2, 8, 8)), "zero": np.zeros((2, 8, 8))},
    )
    y, p = np.arange(40) % 2, RNG.random(40)
    return [
        inside_figures.map_grid(images, maps, MASKS, ["test/0", "test/1"], banner),
        inside_figures.localisation(TABLE, {"constant": 0.1, "centre": 0.5}, banner),
        inside_figures.cascade(STEPS, banner),
        inside_figures.outputs_by_class(RNG.uniform(-1, 1, (40, 4)), y, banner),
        inside_figures.information(
            [np.zeros((3, 3)), np.eye(3)], [np.ones(3), np.zeros(3)], banner
        ),
        inside_figures.bloch_planes([RNG.normal(size=(40, 2, 3))] * 2, y, banner),
        inside_figures.response_surface(
            np.linspace(-3, 3, 9),
            RNG.normal(size=(9, 9)),
            RNG.normal(size=(40, 2)),
            y,
            ("a", "b"),
            banner,
        ),
        inside_figures.reliability_lines(
            {"linear": reliability(y, p), "mine": reliability(y, p)}, banner
        ),
    ]


@pytest.mark.parametrize("banner", [BANNER, ""])
def test_titles_say_phantom_exactly_when_it_is_one(banner):
    plt.close("all")
    figures = draw_all(banner)
    assert all(f.get_suptitle().startswith(BANNER) == bool(banner) for f in figures)
    assert plt.get_fignums() == []


def test_localisation_shows_each_seed_and_the_means():
    axis = inside_figures.localisation(TABLE, {"constant": 0.1}).axes[1]
    assert [len(c.get_offsets()) for c in axis.collections if c.get_offsets().shape[0] == 3] == [
        3,
        3,
    ]
    assert axis.get_title() == "occlusion"
    assert [t.get_text() for t in axis.get_xticklabels()] == [
        "linear",
        "dressed",
    ]


def test_surface_draws_the_boundary_only_where_there_is_one():
    grid, points, y = np.linspace(-3, 3, 9), RNG.normal(size=(6, 2)), np.array([0, 1] * 3)
    with_boundary = inside_figures.response_surface(
        grid, np.add.outer(grid, grid), points, y, ("a", "b")
    )
    without = inside_figures.response_surface(grid, np.ones((9, 9)), points, y, ("a", "b"))
    assert len(with_boundary.axes[0].collections) == len(without.axes[0].collections) + 1
