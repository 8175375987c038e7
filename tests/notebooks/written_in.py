"""What a notebook defines, without running it: its imports and functions, for tests of them."""

import ast

from coursekit.files import HERE, read


def written_in(number: str, **given) -> dict:
    """The functions of a notebook by name.

    ``given`` are the values that they find in their notebook, and what they need of it. Stubs are
    left out: of a name that is defined twice, the solution counts.
    """
    entry = next(e for e in HERE.course()["notebooks"] if e["name"].startswith(number))
    cells = [c for c in read(HERE.path_of(entry)).cells if c.cell_type == "code"]
    installs = "bootstrap"  # the tag of the install cell, which is IPython's and not Python's
    code = [c.source for c in cells if installs not in c.metadata.get("tags", [])]
    wanted = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    body = [s for source in code for s in ast.parse(source).body if isinstance(s, wanted)]
    namespace = dict(given)
    exec(compile(ast.Module(body, type_ignores=[]), entry["name"], "exec"), namespace)
    return namespace
