"""A picture with knobs, which is also there where nobody can turn them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from hqnn_utils.plots.player import Player, player
from hqnn_utils.runtime.arguments import checked

MOST_FRAMES = 12


def explore(draw: Callable[..., Figure], frames: Sequence | None = None, **controls):
    """Show ``draw(**values)`` with its controls and redraw on each change.

    Where a kernel is, the controls are live. The figure is an ordinary output that is updated in
    place, not one inside a widget as with ``ipywidgets.interact``: an error in ``draw`` stops the
    notebook, and headless clients have been seen to hang on outputs inside widgets.

    Where the environment variable ``HQNN_STATIC`` is set, as for stored pages, the result is a
    player: the figure for several values, with a slider that needs no kernel.

    Parameters
    ----------
    draw : callable
        Takes the values of the controls by name and returns a figure, always of one size.
    frames : sequence, optional
        What the player shows: values of the first control, or for each frame a dict of controls
        and values. Without it the range or the options of the first control, evenly, in
        at most ``MOST_FRAMES`` steps; fewer where the environment variable ``HQNN_FRAMES`` says so
        (tests do). Controls that are not named keep their value.
    **controls : ipywidgets.Widget
        One widget with a ``value`` for each argument of ``draw``.

    Returns
    -------
    Player or None
        The player where ``HQNN_STATIC`` is set. None elsewhere: figure and controls have been
        displayed.

    Raises
    ------
    ValueError : a frame names an unknown control, or the first control has neither a range nor
        options and ``frames`` is missing.
    """
    if not controls:
        raise ValueError("explore needs a control for each argument of draw, e.g. a=IntSlider()")
    if os.environ.get("HQNN_STATIC", "").strip().lower() not in ("", "0", "no", "false", "off"):
        return _player(draw, frames, controls)
    _live(draw, controls)
    return None


def _live(draw: Callable[..., Figure], controls: dict) -> None:
    """Display figure and controls, and redraw on each change."""
    import ipywidgets
    from IPython.display import display

    def current() -> Figure:
        return draw(**{name: control.value for name, control in controls.items()})

    shown = display(current(), display_id=True)

    def redraw(change) -> None:
        new = current()
        if shown is not None:  # None where no notebook displays anything
            shown.update(new)

    for name, control in controls.items():
        control.description = control.description or name
        control.observe(redraw, names="value")
    display(ipywidgets.VBox(list(controls.values())))


def _player(draw: Callable[..., Figure], frames: Sequence | None, controls: dict) -> Player:
    """Draw the frames and put them together."""
    first = next(iter(controls))
    names = {name: control.description or name for name, control in controls.items()}
    texts: dict[Any, str] = {}
    if frames is None:
        offered = offers(controls[first])
        frames, texts = list(offered), offered
    if not frames:
        raise ValueError("frames holds nothing to show: leave it out, or name some values")
    steps = [dict(f) if isinstance(f, Mapping) else {first: f} for f in frames]
    for step in steps:
        if unknown := sorted(step.keys() - controls.keys()):
            raise ValueError(f"a frame names {unknown}; the controls are {list(controls)}")
    now = {name: control.value for name, control in controls.items()}
    most = _most_frames()
    steps = evenly(steps, most, closest(steps, now))
    figures = [draw(**{**now, **step}) for step in steps]
    labels = [
        ", ".join(f"{names[n]} = {texts.get(v) or as_label(v)}" for n, v in step.items())
        for step in steps
    ]
    moved = {name for step in steps for name in step}
    title = ", ".join(names[name] for name in controls if name in moved)
    others = [f"{names[n]} = {as_label(v)}" for n, v in now.items() if n not in moved]
    if others:
        title += f" ({', '.join(others)})"
    return player(title, labels, figures, closest(steps, now))


def _most_frames() -> int:
    """What the environment allows; ValueError for what is no number."""
    text = os.environ.get("HQNN_FRAMES") or str(MOST_FRAMES)
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError(f"HQNN_FRAMES must be a whole number of at least 1, got {text!r}")
    return int(text)


def offers(control) -> dict[Any, str]:
    """Return the values that a slider, a choice or a switch can have, with their labels."""
    if hasattr(control, "options"):
        options = control.options
        pairs = options.items() if isinstance(options, Mapping) else options
        named = all(isinstance(option, tuple) and len(option) == 2 for option in pairs)
        return {v: str(t) for t, v in pairs} if named else {v: str(v) for v in options}
    if all(hasattr(control, name) for name in ("min", "max", "step")):
        if not control.step > 0:
            raise ValueError(f"the step of a slider must be above 0, got {control.step!r}")
        count = round((control.max - control.min) / control.step)
        whole = all(isinstance(x, int) for x in (control.min, control.step))
        values = control.min + control.step * np.arange(count + 1)
        return {v: as_label(v) for v in (values if whole else values.round(10)).tolist()}
    if isinstance(control.value, bool):
        return {False: "no", True: "yes"}
    raise ValueError(
        f"{type(control).__name__} has neither a range nor options: say frames=[...] to explore"
    )


def evenly(steps: list, most: int, kept: int = 0) -> list:
    """Leave out steps until at most ``most`` are left.

    In equal strides where that is possible, and then, where that is possible too, in strides that
    come by step number ``kept``.
    """
    last = len(steps) - 1
    if last < most:
        return steps
    strides = [last // (n - 1) for n in range(most, most // 2, -1) if n > 1 and last % (n - 1) == 0]
    if strides:
        by_it = [stride for stride in strides if kept % stride == 0]
        return steps[:: (by_it or strides)[0]]
    return [steps[i] for i in np.linspace(0, last, most).round().astype(int)]


def closest(steps: list[dict], now: dict) -> int:
    """Return the step that is closest to the present values of the controls."""

    def distance(value, other) -> float:
        numbers = isinstance(value, (int, float)) and isinstance(other, (int, float))
        return abs(value - other) if numbers else float(value != other)

    return min(
        range(len(steps)), key=lambda i: sum(distance(v, now[n]) for n, v in steps[i].items())
    )


def as_label(value) -> str:
    """A number without needless digits, anything else as text."""
    return f"{value:g}" if isinstance(value, float) else str(value)


checked(__name__)
