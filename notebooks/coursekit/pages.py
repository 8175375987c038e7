"""A notebook as a page: nbconvert's, with alt texts and with folded solutions.

nbconvert alone writes "No description has been provided for this image". Its ``lab`` template with
the changes in the folder ``page`` can also be used by hand::

    jupyter nbconvert --to html --template page \\
        --TemplateExporter.extra_template_basedirs=notebooks/coursekit NOTEBOOK
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from coursekit.alt import write_alts
from coursekit.comments import code_only

HERE = Path(__file__).resolve().parent


def to_html(notebook, path: Path) -> Path:
    """Write an executed notebook as a page, without the comments that speak to pages.

    The notebook itself stays as it is.
    """
    from nbconvert import HTMLExporter

    notebook = deepcopy(notebook)
    write_alts(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = code_only(cell.source)
    exporter = HTMLExporter(template_name="page", extra_template_basedirs=[str(HERE)])
    named = {"metadata": {"name": path.stem}}
    body, _ = exporter.from_notebook_node(notebook, resources=named)
    path.write_text(body, encoding="utf-8")
    return path
