"""Board drawings: all texts are there, nothing overlaps, lengths and colours mean something."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from hqnn_utils import plots
from hqnn_utils.plots import board

HYBRID = [
    ("image", "1×28×28", "data"),
    ("three\nconvolutions", "64"),
    ("Linear", "4"),
    ("circuit\n4 qubits", "4", "quantum"),
    ("Linear", "2"),
]
STUDY = [
    ("image", "3×224×224", "data"),
    ("backbone", "1280", "frozen"),
    [[("Linear", "128"), ("Linear", "4"), ("circuit", "4", "quantum")], [("Linear", "32")]],
    ("concatenate", "36"),
    ("Linear", "2"),
]
OFFICIAL = {"train": 546, "val": 78, "test": 156}
BY_CLASS = {
    "malignant": {"train": 147, "val": 21, "test": 42},
    "benign or normal": {"train": 399, "val": 57, "test": 114},
}


def texts(figure):
    return [t for t in figure.axes[0].texts if t.get_text()]


def words(figure):
    return [t.get_text() for t in texts(figure)]


def of_kind(figure, kind):
    return [p for p in figure.axes[0].patches if type(p) is kind]


def boxes_of_texts(figure):
    renderer = FigureCanvasAgg(figure).get_renderer()
    return {
        t.get_text() + f"@{i}": t.get_window_extent(renderer) for i, t in enumerate(texts(figure))
    }


def assert_readable(figure):
    """No text runs into another or over the edge of the board."""
    found = boxes_of_texts(figure)
    for (one, a), (other, b) in combinations(found.items(), 2):
        assert not a.overlaps(b), (one, other)
    for name, extent in found.items():
        assert figure.bbox.x0 <= extent.x0, name
        assert extent.x1 <= figure.bbox.x1, name
        assert figure.bbox.y0 <= extent.y0, name
        assert extent.y1 <= figure.bbox.y1, name


@pytest.mark.parametrize(
    "figure",
    [
        plots.flow(HYBRID, "The hybrid"),
        plots.flow(STUDY, "The study's head"),
        plots.flow([("a", "1")], "a title that is wider than the only box"),
        plots.split_bars(OFFICIAL, "The official split"),
        plots.split_bars(BY_CLASS),
        plots.split_bars({"train": 1000, "val": 12, "calibration": 15, "test": 9}),
    ],
)
def test_drawings_are_readable(figure):
    assert_readable(figure)


def test_a_drawing_is_closed_like_every_figure():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plots.flow(HYBRID)
    assert plt.get_fignums() == before


# ------------------------------------------------------------------------------------ flow


def test_flow_shows_each_name_and_each_shape():
    figure = plots.flow(HYBRID, "The hybrid")
    wanted = [word for name, shape, *_ in HYBRID for word in (name, shape)]
    assert sorted(words(figure)) == sorted([*wanted, "The hybrid"])


def test_each_name_stands_inside_its_box():
    figure = plots.flow(STUDY)
    extents = boxes_of_texts(figure)
    inside = [
        sum(box.get_window_extent().contains(*corner) for corner in extent.corners()) == 4
        for extent in extents.values()
        for box in of_kind(figure, FancyBboxPatch)
    ]
    assert sum(inside) == 8, "eight boxes, each with its name; the shapes stand below"


def test_boxes_are_joined_by_arrows():
    assert len(of_kind(plots.flow(HYBRID), FancyArrowPatch)) == len(HYBRID) - 1
    # one to the backbone, two ways out of it, two arrows in the upper way, two back, one to the end
    assert len(of_kind(plots.flow(STUDY), FancyArrowPatch)) == 1 + 2 + 2 + 2 + 1


def test_boxes_run_from_left_to_right_and_do_not_touch():
    figure = plots.flow(STUDY)
    extents = [box.get_window_extent() for box in of_kind(figure, FancyBboxPatch)]
    assert not any(a.overlaps(b) for a, b in combinations(extents, 2))
    single = [box.get_window_extent() for box in of_kind(plots.flow(HYBRID), FancyBboxPatch)]
    assert all(a.x1 < b.x0 for a, b in pairwise(single))


def test_the_kind_of_a_box_is_its_colour():
    colours = [box.get_facecolor()[:3] for box in of_kind(plots.flow(HYBRID), FancyBboxPatch)]
    kinds = ["data", "classical", "classical", "quantum", "classical"]
    assert colours == [to_rgb(board.KINDS[kind]) for kind in kinds]


def test_flow_says_what_it_cannot_draw():
    with pytest.raises(ValueError, match="unknown kind 'magic' of 'box'; known: data, classical"):
        plots.flow([("box", "1", "magic")])
    with pytest.raises(ValueError, match="flow needs at least one step"):
        plots.flow([])


# ------------------------------------------------------------------------------ split_bars


def test_lengths_are_numbers_of_images():
    figure = plots.split_bars(OFFICIAL, width=8)
    widths = [piece.get_width() for piece in of_kind(figure, Rectangle)]
    assert widths == pytest.approx([8 * n / 780 for n in OFFICIAL.values()])
    assert sorted(words(figure)) == sorted(["train\n546", "val\n78", "test\n156", "780\nimages"])


def test_rows_have_one_scale_and_one_colour_a_part():
    figure = plots.split_bars(BY_CLASS, width=6)
    pieces = of_kind(figure, Rectangle)
    assert sum(p.get_width() for p in pieces[3:]) == pytest.approx(6), "the longer row"
    assert pieces[0].get_width() / pieces[3].get_width() == pytest.approx(147 / 399)
    assert [p.get_facecolor() for p in pieces[:3]] == [p.get_facecolor() for p in pieces[3:]]
    assert len({p.get_facecolor() for p in pieces}) == 3
    assert "malignant\n210" in words(figure)


def test_labels_of_narrow_pieces_stand_above_them():
    figure = plots.split_bars({"train": 1000, "val": 12, "test": 9})
    assert {"val 12", "test 9"} <= set(words(figure))
    top = max(p.get_y() + p.get_height() for p in of_kind(figure, Rectangle))
    assert all(
        t.get_position()[1] > top for t in texts(figure) if t.get_text() in ("val 12", "test 9")
    )


def test_an_empty_part_has_no_label():
    figure = plots.split_bars({"train": 10, "val": 0, "test": 5})
    assert sorted(words(figure)) == ["15\nimages", "test\n5", "train\n10"]


def test_no_images_at_all_is_an_error():
    for nothing in ({}, {"train": 0}):
        with pytest.raises(ValueError, match="split_bars needs parts with at least one image"):
            plots.split_bars(nothing)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["train", "val", "test", "calibration", "external"]),
        st.integers(1, 2000),
        min_size=1,
    )
)
def test_any_split_is_readable(parts):
    assert_readable(plots.split_bars(parts))


@pytest.mark.parametrize(
    ("colour", "ink"),
    [("#000000", "white"), ("#FFFFFF", "black"), ("#0072B2", "white"), ("#E69F00", "black")],
)
def test_ink_has_contrast(colour, ink):
    assert board.ink_on(colour) == ink
