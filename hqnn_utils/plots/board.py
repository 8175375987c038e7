"""Drawings that a lecturer would make at the board, in one style.

``flow``        boxes with arrows and the shapes of the tensors between them
``split_bars``  who is in which part of the data

Lengths are inches. A circuit with its symbols is drawn by PennyLane: ``qp.draw_mpl``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.textpath import TextPath
from seaborn.utils import relative_luminance

from hqnn_utils.runtime.arguments import checked

# What a box of ``flow`` is, in light tones of Okabe and Ito's colours; its name says it in words.
KINDS = {
    "data": "#FFFFFF",
    "classical": "#CFE5F3",
    "quantum": "#F9DCC4",
    "frozen": "#E3E3E3",
}
PARTS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
FONT, SMALL_FONT = 10, 8.5  # points
LINE = 0.19  # height of a line of text
PADDING, GAP = 0.14, 0.42  # inside a box; between two boxes
LANE = 0.35  # between two lanes


def text_width(text: str, size: float = FONT) -> float:
    """Return the width of a text's longest line."""
    lines = [line for line in text.split("\n") if line.strip()]
    points = [TextPath((0, 0), line, size=size).get_extents().width for line in lines]
    return max(points, default=0) / 72


def ink_on(colour: str) -> str:
    """Return black or white, whichever has more contrast on a colour (WCAG 2: luminance .179)."""
    return "black" if relative_luminance(colour) > 0.179 else "white"


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty board whose coordinates are inches from its lower left corner."""
    figure = plt.figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    return figure, axes


# ------------------------------------------------------------------------------------ flow


def flow(steps: Sequence, title: str = "") -> Figure:
    """Draw boxes with arrows, each with the shape of what leaves it.

    Parameters
    ----------
    steps : sequence
        From left to right: ``(name, shape)`` or ``(name, shape, kind)``, with kind ``"data"``,
        ``"classical"`` (default), ``"quantum"`` or ``"frozen"``. A name may have several lines, a
        shape may be empty. A list of lists of steps stands for ways side by side that start from
        the step before it and meet in the one after it.

    Examples
    --------
    >>> figure = flow([("image", "1×28×28", "data"), ("CNN", "64"), ("circuit", "4", "quantum")])

    Raises
    ------
    ValueError : an unknown kind, or nothing to draw.
    """
    columns = [_lanes(step) for step in steps]
    if not columns:
        raise ValueError("flow needs at least one step: (name, shape)")
    boxes = [box for lanes in columns for lane in lanes for box in lane]
    tall = max(_height(box) for box in boxes)
    rows = max(len(lanes) for lanes in columns)
    widths = [max(_lane_width(lane) for lane in lanes) for lanes in columns]
    width = sum(widths) + GAP * (len(columns) - 1) + 2 * PADDING
    head = 0.4 if title else PADDING
    pitch = tall + LINE + LANE
    height = rows * pitch - LANE + head + PADDING
    figure, axes = canvas(max(width, text_width(title, 12) + 0.4), height)
    middle = PADDING + (rows * pitch - LANE) / 2
    left, arriving = PADDING, []
    for lanes, wide in zip(columns, widths, strict=True):
        leaving = []
        for number, lane in enumerate(lanes):
            y = middle + (len(lanes) - 1 - 2 * number) * pitch / 2 + LINE / 2
            x = left + (wide - _lane_width(lane)) / 2
            leaving += _draw_lane(axes, lane, x, y, tall, arriving)
        arriving = leaving
        left += wide + GAP
    return _titled(figure, axes, title)


def _lanes(step) -> list[list[tuple[str, str, str]]]:
    """Return a step as ways side by side, a single one as one way of one box."""
    if isinstance(step, list):
        return [[_box(one) for one in lane] for lane in step]
    return [[_box(step)]]


def _box(step: Sequence[str]) -> tuple[str, str, str]:
    """Return name, shape and kind of a step."""
    name, shape, kind = (*step, "classical")[:3]
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r} of {name!r}; known: {', '.join(KINDS)}")
    return name, shape, kind


def _width(box: tuple[str, str, str]) -> float:
    name, shape, _ = box
    return max(text_width(name) + 2 * PADDING, text_width(shape, SMALL_FONT), 0.6)


def _height(box: tuple[str, str, str]) -> float:
    return LINE * len(box[0].split("\n")) + 2 * PADDING


def _lane_width(lane: list) -> float:
    return sum(_width(box) for box in lane) + GAP * (len(lane) - 1)


def _draw_lane(
    axes: Axes, lane: list, x: float, y: float, tall: float, arriving: list
) -> list[tuple[float, float]]:
    """Draw the boxes of one way and the arrows into it; returns where it leaves."""
    for name, shape, kind in lane:
        wide = _width((name, shape, kind))
        axes.add_patch(
            FancyBboxPatch(
                (x, y - tall / 2),
                wide,
                tall,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=KINDS[kind],
                edgecolor="0.25",
            )
        )
        axes.text(x + wide / 2, y, name, ha="center", va="center", fontsize=FONT)
        below = y - tall / 2 - 0.04
        look = dict(ha="center", va="top", fontsize=SMALL_FONT, color="0.3")
        axes.text(x + wide / 2, below, shape, **look)
        for start in arriving:
            axes.add_patch(_arrow(start, (x, y)))
        arriving = [(x + wide, y)]
        x += wide + GAP
    return arriving


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> FancyArrowPatch:
    return FancyArrowPatch(
        start, end, arrowstyle="-|>", mutation_scale=11, color="0.25", shrinkA=1, shrinkB=1
    )


def _titled(figure: Figure, axes: Axes, title: str) -> Figure:
    """Write the title at the top and close the figure, as all figures of the course are."""
    width, height = figure.get_size_inches()
    axes.text(width / 2, height - 0.08, title, ha="center", va="top", fontsize=12)
    plt.close(figure)
    return figure


# ------------------------------------------------------------------------------ split_bars


def split_bars(parts: Mapping, title: str = "", width: float = 8) -> Figure:
    """Draw how many images are in each part, as pieces of a bar whose length is their number.

    Parameters
    ----------
    parts : mapping
        ``{"train": 546, "val": 78, "test": 156}`` for one bar, or ``{"malignant": {"train": 147,
        ...}, "benign or normal": {...}}`` for one bar a row, drawn to one scale. A part has the
        same colour in each row.
    width : of the longest bar.

    Raises
    ------
    ValueError : no images at all.
    """
    rows = parts if any(isinstance(v, Mapping) for v in parts.values()) else {"": parts}
    totals = {name: sum(row.values()) for name, row in rows.items()}
    if not totals or max(totals.values()) <= 0:
        raise ValueError(f"split_bars needs parts with at least one image; got {dict(parts)}")
    names = list(dict.fromkeys(part for row in rows.values() for part in row))
    colours = dict(zip(names, PARTS * len(names), strict=False))
    scale = width / max(totals.values())
    margin = max(text_width(_row_label(name, totals)) for name in rows) + 2 * PADDING
    high, pitch = 0.5, 0.85  # a bar, and from bar to bar: labels of narrow pieces stand between
    head = 0.35 if title else 0
    height = head + pitch * len(rows) + PADDING
    figure, axes = canvas(margin + width + 0.6, height)
    for number, (name, row) in enumerate(rows.items()):
        y = height - head - pitch * (number + 1) + PADDING
        label = _row_label(name, totals)
        axes.text(margin - PADDING, y + high / 2, label, ha="right", va="center", fontsize=FONT)
        _draw_bar(axes, row, (margin, y), high, scale, colours)
    return _titled(figure, axes, title)


def _row_label(name: str, totals: dict[str, int]) -> str:
    return f"{name}\n{totals[name]:,}" if name else f"{totals[name]:,}\nimages"


def _draw_bar(
    axes: Axes,
    row: Mapping[str, int],
    corner: tuple[float, float],
    high: float,
    scale: float,
    colours: dict[str, str],
) -> None:
    """Draw the pieces of one bar; the label of one that is too narrow stands above it."""
    x, y = corner
    above, centres = [], []
    for part, count in row.items():
        wide, label = count * scale, f"{part}\n{count:,}"
        axes.add_patch(Rectangle((x, y), wide, high, facecolor=colours[part], edgecolor="white"))
        if text_width(label) + 0.1 <= wide:
            look = dict(ha="center", va="center", color=ink_on(colours[part]), fontsize=FONT)
            axes.text(x + wide / 2, y + high / 2, label, **look)
        elif count:
            above.append(f"{part} {count:,}")
            centres.append(x + wide / 2)
        x += wide
    widths = [text_width(label, SMALL_FONT) for label in above]
    for label, left in zip(above, spread(centres, widths, axes.get_xlim()[1] - 0.05), strict=True):
        look = dict(ha="left", va="bottom", color="0.2", fontsize=SMALL_FONT)
        axes.text(left, y + high + 0.03, label, **look)


def spread(centres: Sequence[float], widths: Sequence[float], right: float) -> list[float]:
    """Return where texts begin so that none overlap: near their centres, none beyond ``right``."""
    lefts = [centre - width / 2 for centre, width in zip(centres, widths, strict=True)]
    for i in range(1, len(lefts)):
        lefts[i] = max(lefts[i], lefts[i - 1] + widths[i - 1] + 0.12)
    for i in reversed(range(len(lefts))):
        lefts[i] = min(lefts[i], right - widths[i])
        right = lefts[i] - 0.12
    return lefts


checked(__name__)
