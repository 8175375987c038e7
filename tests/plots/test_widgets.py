"""A picture with knobs: drawn at once, drawn anew when a knob turns, a plain figure elsewhere."""

import matplotlib.pyplot as plt
import pytest

from hqnn_utils import plots

ipywidgets = pytest.importorskip("ipywidgets")


@pytest.fixture
def slider():
    return ipywidgets.FloatSlider(value=0.3, min=0, max=1)


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook would be given to display, and what would replace it later."""
    import IPython.display

    seen = []

    class Handle:
        def update(self, new):
            seen.append(("update", new))

    def display(what, display_id=False):
        seen.append(("display", what))
        return Handle() if display_id else None

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.delenv("HQNN_STATIC", raising=False)
    return seen


def test_a_knob_redraws_the_picture_in_its_place(slider, displayed):
    assert plots.explore(lambda t: f"picture of {t}", t=slider) is None
    (_, first), (_, box) = displayed
    assert first == "picture of 0.3", "the picture stands above the knobs"
    assert list(box.children) == [slider]
    slider.value = 0.7
    assert displayed[2:] == [("update", "picture of 0.7")]


def test_every_control_is_passed_by_its_name(slider, displayed):
    other = ipywidgets.IntSlider(value=2, description="how many")
    plots.explore(lambda t, n: (t, n), t=slider, n=other)
    assert displayed[0] == ("display", (0.3, 2))
    assert slider.description == "t", "a knob without a name is called like its argument"
    assert other.description == "how many"
    other.value = 5
    slider.max = 2  # only the value counts
    assert displayed[2:] == [("update", (0.3, 5))]


def test_outside_a_notebook_it_draws_all_the_same(slider, monkeypatch):
    monkeypatch.delenv("HQNN_STATIC", raising=False)
    seen = []
    assert plots.explore(lambda t: seen.append(t), t=slider) is None
    slider.value = 0.7
    assert seen == [0.3, 0.7]


def test_an_error_in_the_picture_stops_the_notebook(slider):
    with pytest.raises(ZeroDivisionError):
        plots.explore(lambda t: 1 / 0, t=slider)


def test_without_a_reader_there_is_the_figure_alone(slider, displayed, monkeypatch):
    monkeypatch.setenv("HQNN_STATIC", "1")
    figure = plt.figure()
    assert plots.explore(lambda t: figure, t=slider) is figure
    plt.close(figure)
    assert displayed == []
