"""Alt texts: what a figure shows, for those who cannot see it.

They stand as comments at the top of the cell that draws, one for each of its figures in order::

    # alt: Two curves over the epochs: the training loss falls throughout, the validation loss
    #   turns up after a while.

and are copied to the metadata of the stored output, ``metadata["image/png"]["alt"]``: there
IPython puts the ``alt`` of an ``Image``, and there the course's page (``pages``) and nbsphinx look.
A player (``hqnn_utils.plots.player``) has it as the label of its group of frames too.
"""

from __future__ import annotations

import re
from html import escape

from coursekit.comments import alt_texts
from coursekit.figures import figures

PLAYER = re.compile(r'(<div data-hqnn-player="\w+" role="group" aria-label=)"[^"]*"')


def write_alts(notebook) -> bool:
    """Copy the alt texts from comments to the outputs; True if that changed anything."""
    changed = False
    for cell in notebook.cells:
        texts = alt_texts(cell.source) if cell.cell_type == "code" else []
        for output, text in zip(figures(cell), texts, strict=False):
            changed |= set_alt(output, text)
    return changed


def set_alt(output, text: str) -> bool:
    """Give one output its alt text; True if it had another one or none."""
    before = (output.metadata.get("image/png", {}).get("alt"), output.data.get("text/html"))
    output.metadata.setdefault("image/png", {})["alt"] = text
    if before[1] is not None:
        output.data["text/html"] = PLAYER.sub(
            lambda match: f'{match[1]}"{escape(text)}"', before[1], count=1
        )
    return before != (text, output.data.get("text/html"))
