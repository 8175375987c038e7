"""Alt texts: what a figure shows, for those who cannot see it.

They stand as comments at the top of the cell that draws, one for each of its figures in order::

    # alt: Two curves over the epochs: the training loss falls throughout, the validation loss
    #   turns up after a while.

and are copied to the metadata of the stored output, ``metadata["image/png"]["alt"]``: there
IPython puts the ``alt`` of an ``Image``, and there the course's page (``pages``) and nbsphinx look.
"""

from __future__ import annotations

from coursekit.comments import alt_texts


def figures(cell) -> list:
    """Return the outputs of a cell that hold a picture."""
    return [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]


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
    if output.metadata.get("image/png", {}).get("alt") == text:
        return False
    output.metadata.setdefault("image/png", {})["alt"] = text
    return True
