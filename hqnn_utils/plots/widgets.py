"""A picture with knobs, which is also there where nobody can turn them."""

from __future__ import annotations

import os
from collections.abc import Callable

from matplotlib.figure import Figure


def explore(draw: Callable[..., Figure], **controls) -> Figure | None:
    """Show ``draw(**values)`` above its controls and redraw on each change.

    The figure is an ordinary output that is updated in place, not one inside a widget as with
    ``ipywidgets.interact``: an error in ``draw`` stops the notebook, the picture is also there on a
    page without a kernel, and headless clients have been seen to hang on outputs inside widgets.

    Parameters
    ----------
    draw : callable
        Takes the values of the controls by name and returns a figure.
    **controls : ipywidgets.Widget
        One widget with a ``value`` for each argument of ``draw``.

    Returns
    -------
    Figure or None
        The figure where the environment variable ``HQNN_STATIC`` is set: a page without controls.
        None elsewhere: figure and controls have been displayed.
    """

    def current() -> Figure:
        return draw(**{name: control.value for name, control in controls.items()})

    figure = current()
    if os.environ.get("HQNN_STATIC"):
        return figure
    import ipywidgets
    from IPython.display import display

    shown = display(figure, display_id=True)

    def redraw(change) -> None:
        new = current()
        if shown is not None:  # None where no notebook displays anything
            shown.update(new)

    for name, control in controls.items():
        control.description = control.description or name
        control.observe(redraw, names="value")
    display(ipywidgets.VBox(list(controls.values())))
    return None
