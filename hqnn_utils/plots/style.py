"""What all figures of the course have in common: colours, grid, title and layout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

from hqnn_utils.runtime.arguments import checked

# Okabe and Ito's colours, which colour-blind readers can tell apart: one a head everywhere ...
COLOURS = {
    "linear": "#0072B2",
    "matched": "#009E73",
    "dressed": "#D55E00",
    "study_hybrid": "#CC79A7",
    "mlp": "#E69F00",
}
# ... and one a class: 0 = benign or normal, 1 = malignant.
CLASS_COLOURS = {0: "#56B4E9", 1: "#D55E00"}


def colour_of(name: str, index: int) -> str:
    """Return the colour of a head; any other name gets matplotlib's colour number ``index``."""
    return COLOURS.get(name, f"C{index}")


@contextmanager
def house_style() -> Iterator[None]:
    """Draw on seaborn's white grid inside the ``with``; what the reader has set is left alone."""
    with sns.axes_style("whitegrid"), sns.plotting_context("notebook", font_scale=0.9):
        yield


def finish(figure: Figure, banner: str, title: str) -> Figure:
    """Give a figure its title behind the data's banner and a tidy layout, and close it.

    A notebook shows a returned figure; one that stays open would be shown a second time.
    """
    figure.suptitle(banner + title)
    figure.tight_layout()
    plt.close(figure)
    return figure


checked(__name__)
