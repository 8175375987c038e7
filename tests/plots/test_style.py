"""What all figures have in common."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from hqnn_utils import plots


def test_a_head_has_one_colour_and_other_names_take_the_next():
    assert plots.colour_of("dressed", 7) == plots.COLOURS["dressed"] == "#D55E00"
    assert plots.colour_of("something else", 7) == "C7"


def test_colours_are_told_apart():
    assert len(set(plots.COLOURS.values())) == len(plots.COLOURS) == 5
    assert set(plots.CLASS_COLOURS) == {0, 1}
    assert plots.CLASS_COLOURS[0] != plots.CLASS_COLOURS[1]


def test_house_style_draws_a_grid_and_leaves_the_reader_s_settings_alone():
    before = dict(mpl.rcParams)
    with plots.house_style():
        assert mpl.rcParams["axes.grid"] is True
        assert mpl.rcParams["axes.facecolor"] == "white"
        assert mpl.rcParams["font.size"] == pytest.approx(12 * 0.9)
    assert dict(mpl.rcParams) == before


def test_finish_titles_tidies_and_closes():
    plt.close("all")  # what other tests left open is not the question here
    figure, (left, right) = plt.subplots(1, 2)
    right.set_ylabel("a label that would lie over the left panel " * 2)
    before = left.get_position().width
    assert plots.finish(figure, "PHANTOM: ", "what it shows") is figure
    assert figure.get_suptitle() == "PHANTOM: what it shows"
    assert left.get_position().width != before, "room is made for labels"
    assert plt.get_fignums() == [], "a returned figure is shown once by the notebook, not twice"
