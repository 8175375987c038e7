"""The pictures that two or more notebooks draw.

A notebook says ``from hqnn_utils import plots`` and then ``plots.seed_dots(...)``.

``style``    colours, the white grid, how a figure is finished
``figures``  one function a picture; each returns its figure, and ``save`` keeps it as a file
``board``    boxes with arrows, split bars
``widgets``  a picture with knobs
``player``   what pages without a kernel show of it

What one notebook alone draws stands in that notebook. ``banner`` is ``ImageData.banner``
everywhere: nothing for real images, ``"PHANTOM (synthetic images): "`` for phantoms.
"""

from hqnn_utils.plots.board import flow, split_bars
from hqnn_utils.plots.figures import (
    save,
    seed_dots,
    spectra,
    threshold_view,
    training_curves,
)
from hqnn_utils.plots.style import CLASS_COLOURS, COLOURS, colour_of, finish, house_style
from hqnn_utils.plots.widgets import explore

__all__ = [
    "CLASS_COLOURS",
    "COLOURS",
    "colour_of",
    "explore",
    "finish",
    "flow",
    "house_style",
    "save",
    "seed_dots",
    "spectra",
    "split_bars",
    "threshold_view",
    "training_curves",
]
