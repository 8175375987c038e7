"""A picture with knobs: drawn at once, drawn anew when a knob turns, frames for a page."""

import matplotlib.pyplot as plt
import pytest

from hqnn_utils import plots
from hqnn_utils.plots import widgets

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


# ------------------------------------------------------------ frames, where no kernel will be


@pytest.fixture
def drawn(monkeypatch, displayed):
    """A picture for a page, and with what values it was drawn."""
    monkeypatch.setenv("HQNN_STATIC", "1")
    monkeypatch.delenv("HQNN_FRAMES", raising=False)
    calls = []

    def draw(**values):
        calls.append(values)
        figure = plt.figure(figsize=(2, 1))
        plt.close(figure)
        return figure

    return draw, calls


def labels(player):
    return [frame.label for frame in player.frames]


def test_a_page_gets_a_frame_for_each_step_of_the_first_control(drawn, displayed):
    draw, calls = drawn
    t = ipywidgets.FloatSlider(value=0.3, min=0.1, max=0.5, step=0.1)
    n = ipywidgets.IntSlider(value=2, description="how many")
    made = plots.explore(draw, t=t, n=n)
    assert [c["t"] for c in calls] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert {c["n"] for c in calls} == {2}
    assert labels(made) == ["t = 0.1", "t = 0.2", "t = 0.3", "t = 0.4", "t = 0.5"]
    assert made.name == "t (how many = 2)"
    assert made.start == 2, "it opens at the control's value"
    assert displayed == []


def test_whole_numbers_stay_whole(drawn):
    draw, calls = drawn
    made = plots.explore(draw, n=ipywidgets.IntSlider(value=5, min=1, max=7, step=2))
    assert [c["n"] for c in calls] == [1, 3, 5, 7]
    assert all(isinstance(c["n"], int) for c in calls)
    assert labels(made)[made.start] == "n = 5"


@pytest.mark.parametrize(
    ("options", "values", "texts"),
    [
        (["b", "a"], ["b", "a"], ["c = b", "c = a"]),
        ([("small", 1), ("large", 9)], [1, 9], ["c = small", "c = large"]),
        (range(3), [0, 1, 2], ["c = 0", "c = 1", "c = 2"]),
    ],
)
def test_a_choice_gives_its_options(drawn, options, values, texts):
    draw, calls = drawn
    made = plots.explore(draw, c=ipywidgets.Dropdown(options=options))
    assert [c["c"] for c in calls] == values
    assert labels(made) == texts


def test_a_switch_has_two_frames(drawn):
    draw, calls = drawn
    made = plots.explore(draw, on=ipywidgets.Checkbox(value=True))
    assert calls == [{"on": False}, {"on": True}]
    assert labels(made) == ["on = no", "on = yes"]
    assert made.start == 1


def test_frames_can_be_given(drawn, slider):
    draw, calls = drawn
    assert labels(plots.explore(draw, frames=[0, 0.25], t=slider)) == ["t = 0", "t = 0.25"]
    both = [{"t": 0.5, "c": "x"}, {"c": "y"}]
    choice = ipywidgets.Dropdown(options=["x", "y"], value="y")
    made = plots.explore(draw, frames=both, t=slider, c=choice)
    assert calls[2:] == [{"t": 0.5, "c": "x"}, {"t": 0.3, "c": "y"}]
    assert labels(made) == ["t = 0.5, c = x", "c = y"]
    assert made.name == "t, c"
    assert made.start == 1


def test_a_frame_that_names_no_control_is_an_error(drawn, slider):
    with pytest.raises(ValueError, match=r"a frame names \['u'\]; the controls are \['t'\]"):
        plots.explore(drawn[0], frames=[{"u": 1}], t=slider)


def test_what_has_no_range_needs_frames(drawn):
    with pytest.raises(ValueError, match=r"Text has neither a range nor options: say frames="):
        plots.explore(drawn[0], t=ipywidgets.Text("words"))


@pytest.mark.parametrize(
    ("count", "kept", "shown"),
    [
        (12, 0, range(12)),
        (19, 0, range(0, 19, 2)),
        (19, 9, range(0, 19, 3)),  # every second would leave out the ninth
        (25, 16, range(0, 25, 4)),
        (14, 5, [0, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13]),  # 13 is a prime
    ],
)
def test_many_steps_are_thinned_evenly(count, kept, shown):
    assert widgets.evenly(list(range(count)), 12, kept) == list(shown)


def test_tests_draw_fewer_frames(drawn, monkeypatch):
    monkeypatch.setenv("HQNN_FRAMES", "3")
    made = plots.explore(drawn[0], n=ipywidgets.IntSlider(value=1, min=1, max=9))
    assert labels(made) == ["n = 1", "n = 5", "n = 9"]
    made = plots.explore(drawn[0], frames=range(9), n=ipywidgets.IntSlider(value=1, min=1, max=9))
    assert len(made.frames) == 3
