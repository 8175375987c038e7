"""Execute notebooks: ``run`` leaves the tree as it is, ``execute`` stores outputs and records."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from coursekit import tables
from coursekit.alt import write_alts
from coursekit.figures import shrink_figures
from coursekit.files import (
    HERE,
    Tree,
    check_out,
    clear,
    code_digest,
    need_room,
    read,
    replace_folder,
    tags,
    write,
    write_text,
)
from coursekit.folding import fold
from coursekit.generated import sync
from coursekit.memory import PeakMemory
from coursekit.pages import to_html


@contextmanager
def environment(changes: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_notebook(
    source: Path, target: Path, profile: str, results: Path, progress: bool = False
) -> tuple:
    """Execute a notebook through papermill; returns the executed notebook and its seconds.

    Widgets are shown as figures, records go to ``results``.
    """
    import papermill

    if not any("parameters" in tags(cell) for cell in read(source).cells):
        raise SystemExit(
            f"{source.name} has no cell tagged 'parameters': "
            "papermill would silently run another profile"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    changes = {
        "HQNN_RESULTS": str(results),
        "HQNN_STATIC": "1",
        "HQNN_FRAMES": "3" if profile == "smoke" else "",
        # figures go into the notebook, whatever the shell says
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    # A hung kernel must become an error in a test run; a long cell of another profile must not.
    limit = 300 if profile == "smoke" else None
    began = time.perf_counter()
    with environment(changes):
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters={"PROFILE": profile},
            cwd=str(HERE.notebooks),
            progress_bar=progress,
            log_output=False,
            execution_timeout=limit,
            extra_arguments=["--log-level=CRITICAL"],
        )
    return read(target), time.perf_counter() - began


def run(tree: Tree, name: str, profile: str, out: Path) -> None:
    """Execute one notebook outside the tree's own files.

    Prints its result tables and where the HTML copy lies.
    """
    from hqnn_utils.runtime.files import StorageError, locked

    stem = Path(name).stem
    source = tree.notebooks / f"{stem}.ipynb"
    if not source.exists():
        known = ", ".join(entry["name"] for entry in tree.course()["notebooks"])
        raise SystemExit(f"no notebook {stem!r}; known: {known}")
    check_out(tree, out, [out / source.name])
    try:
        # each of two at once would remove the other's records
        with locked(out / stem, 1, "wait until the other run has ended, or give another --out"):
            _run(source, profile, out)
    except StorageError as error:
        raise SystemExit(str(error)) from None


def _run(source: Path, profile: str, out: Path) -> None:
    stem, results = source.stem, out / "results"
    remove_records(results / stem)
    print(f"running {stem} in the {profile} profile ...", flush=True)
    notebook, seconds = run_notebook(source, out / source.name, profile, results, progress=True)
    page = to_html(tidy(notebook), out / f"{stem}.html")
    report = tables.report(results / stem)
    if report:
        print(f"\n{report}")
    print(f"\n{seconds:.0f} s. Page: {page}")


def remove_records(folder: Path) -> None:
    """Remove the records of an earlier run, so that none is taken for new."""
    for old in folder.glob("*.json"):
        old.unlink()


def execute(tree: Tree, names: list[str]) -> None:
    """Run notebooks in smoke (for the time) and laptop profile and store what comes of it.

    Outputs, records, the digest of the code and the times. ``names`` are names or numbers of
    notebooks; all where there are none.
    """
    from hqnn_utils.runtime.files import StorageError, locked

    entries = _entries_of(tree, names)
    scratch = tree.root / "build" / "execute"
    try:
        with locked(scratch, 1, "wait until the other run of make notebooks has ended"):
            for folder in (scratch, tree.notebooks, tree.results):
                need_room(folder)
            for entry in entries:
                _execute(tree, entry, scratch)
            sync(tree, entries=entries)
    except StorageError as error:
        raise SystemExit(str(error)) from None


def _entries_of(tree: Tree, names: list[str]) -> list[dict]:
    """The entries of ``course.yml`` for names or numbers; SystemExit for one that is unknown."""
    entries = tree.course()["notebooks"]
    unknown = [name for name in names if not any(name in _called(e) for e in entries)]
    if unknown:
        known = ", ".join(entry["name"] for entry in entries)
        raise SystemExit(f"no notebook among {unknown}; known: {known}")
    return [e for e in entries if not names or any(name in _called(e) for name in names)]


def _called(entry: dict) -> tuple[str, str]:
    return entry["name"], entry["name"][:2]


def _execute(tree: Tree, entry: dict, scratch: Path) -> None:
    """One notebook. What is stored stays as it is until everything that replaces it is complete."""
    path, name = tree.path_of(entry), entry["name"]
    copy = scratch / path.name
    _, smoke = run_notebook(path, copy, "smoke", scratch / "results")
    stored, made = tree.results / name, scratch / "laptop" / name
    restore(made, stored)
    shutil.rmtree(made, ignore_errors=True)
    if stored.exists():  # what a notebook reads there besides its own records
        shutil.copytree(stored, made)
    remove_records(made)
    with PeakMemory() as memory:
        notebook, laptop = run_notebook(path, copy, "laptop", made.parent, progress=True)
    if made.exists():
        replace_folder(made, stored)
    store_outputs(notebook, path)
    store_times(tree, name, smoke=smoke, laptop=laptop)
    store_memory(tree, name, laptop=memory.mebibytes)
    size = path.stat().st_size / 1024
    print(
        f"{name}: smoke {smoke:.0f} s, laptop {laptop:.0f} s, "
        f"{memory.mebibytes:.0f} MiB of memory, {size:.0f} kB"
    )


def restore(new: Path, old: Path) -> None:
    """What a run that was killed between two renamings had put aside comes back."""
    aside = new.with_name(f"{new.name}.before")
    if aside.exists() and not old.exists():
        os.replace(aside, old)


def store_outputs(notebook, path: Path) -> None:
    """Write an executed notebook as the course keeps it, with the digest of its code."""
    notebook = tidy(notebook)
    shrink_figures(notebook)
    write_alts(notebook)
    fold(notebook)
    for cell in notebook.cells:
        # dataset images are never committed; why a quiz is stored empty stands in quizzes
        if {"draws-images", "quiz"} & set(tags(cell)) and cell.cell_type == "code":
            clear(cell)
    notebook.metadata["hqnn"] = {
        "code_digest": code_digest(notebook),
        "profile": "laptop",
        "executed": date.today().isoformat(),
    }
    write(notebook, path)


def store_times(tree: Tree, name: str, **seconds: float) -> None:
    """Add the measured seconds of each profile to the course's times."""
    _store_measured(tree, name, "seconds", seconds)


def store_memory(tree: Tree, name: str, **mebibytes: float) -> None:
    """Add the largest memory of each profile, in MiB, to the course's times."""
    _store_measured(tree, name, "peak_mib", mebibytes)


def _store_measured(tree: Tree, name: str, what: str, values: dict[str, float]) -> None:
    from hqnn_utils.runtime.files import locked

    measured_on = {
        "cores": os.cpu_count(),
        "date": date.today().isoformat(),
        "python": sys.version.split()[0],
    }
    with locked(tree.timings, 60, "run again when the other process has ended"):
        times = tree.times()
        found = times.setdefault(name, {})
        for profile, value in values.items():
            found.setdefault(profile, {}).update({what: round(value, 1), **measured_on})
        # without a digest: git joins the times of two people
        write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", tree.timings)


def tidy(notebook):
    """Outputs as a reader wants them.

    Of a progress bar only its last state, no injected parameters, no leftovers of papermill.
    """
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in tags(c)]
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = merge_streams(cell.outputs)
    return notebook


def merge_streams(outputs: list) -> list:
    """Neighbouring outputs of one stream as one, as a terminal would show them."""
    merged = []
    for output in outputs:
        if output.output_type == "stream" and merged and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    for output in merged:
        if output.output_type == "stream":
            lines = output.text.replace("\r\n", "\n").split("\n")
            output.text = "\n".join(last_state(line) for line in lines)
    return merged


def last_state(line: str) -> str:
    """What is left of a line that was overwritten (carriage return): its last state."""
    states = [state for state in line.split("\r") if state.strip()]
    return states[-1] if states else ""
