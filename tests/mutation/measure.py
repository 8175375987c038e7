"""How many changes of behaviour do the tests notice? ``make mutants`` runs this.

mutmut changes one thing at a time (an operator, a number, an argument, a word) and runs the tests
that reach the changed function. A mutant that no test notices *survives*: a test is missing, or the
change makes no difference. Each room is measured in a copy of the working tree under
``build/mutation``; the scores and the survivors go to ``scores.json`` beside this file.

    python tests/mutation/measure.py            # every room, one after the other
    python tests/mutation/measure.py training   # one of them
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCORES = Path(__file__).parent / "scores.json"
WANTED = 0.85  # share of mutants that must be noticed


@dataclass(frozen=True)
class Room:
    """What is mutated, and which tests may notice; both are paths or patterns below the root."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS = {
    "training": Room(("hqnn_utils/training/*",), ("tests/training",)),
    "evaluation": Room(("hqnn_utils/evaluation/*",), ("tests/evaluation",)),
    "splits": Room(("hqnn_utils/data/splits/*",), ("tests/data/splits",)),
    # With the records, and without the comparison of all those stored, which takes long.
    "studies": Room(
        ("hqnn_utils/studies/*", "hqnn_utils/records/*"),
        (
            "tests/records",
            "tests/studies/test_settings.py",
            "tests/studies/test_run.py",
            "tests/studies/test_study.py",
            "tests/studies/test_workers.py",
            "tests/studies/test_tables.py",
            "tests/studies/test_plans.py",
        ),
    ),
    "heads": Room(
        (
            "hqnn_utils/models/heads.py",
            "hqnn_utils/models/cores.py",
            "hqnn_utils/models/classifier.py",
        ),
        (
            "tests/models/test_heads.py",
            "tests/models/test_cores.py",
            "tests/models/test_classifier.py",
        ),
    ),
}


def copy_tree(target: Path) -> None:
    """The working tree as it is, without what git ignores and without stored pages."""
    shutil.rmtree(target, ignore_errors=True)
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    names = [n for n in listing.decode().split("\0") if n and (ROOT / n).is_file()]
    for name in names:
        if name.endswith(".ipynb"):
            continue
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())


def configure(folder: Path, room: Room) -> None:
    """mutmut reads its settings from the copy's own pyproject.toml."""
    settings = {
        "source_paths": ["hqnn_utils"],
        "only_mutate": list(room.sources),
        "pytest_add_cli_args": ["-p", "no:xdist", "-m", "not slow"],
        "pytest_add_cli_args_test_selection": list(room.tests),
        "also_copy": ["notebooks"],
        "timeout_multiplier": 3.0,
        "timeout_constant": 4.0,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    lines.append("use_git_change_detection = false")
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    text += "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def mutmut(folder: Path, *arguments: str) -> str:
    """Run mutmut in the copy, so that the mutated package is the one that is imported."""
    (folder / "mutants").mkdir(exist_ok=True)  # must exist before Python looks at its path
    changes = {"PYTHONPATH": str(folder / "mutants"), "OMP_NUM_THREADS": "1", "HQNN_STATIC": "1"}
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **changes}, capture_output=True, text=True
    )
    return done.stdout


def measure(name: str, room: Room) -> dict:
    """Counts, score and survivors of one room."""
    folder = ROOT / "build" / "mutation" / name
    copy_tree(folder)
    configure(folder, room)
    mutmut(folder, "run", "--max-children", str(os.cpu_count() or 1))
    outcome = dict(
        re.findall(r"^\s+(\S+): ([\w ]+)$", mutmut(folder, "results", "--all", "true"), re.M)
    )
    if not outcome:
        raise SystemExit(f"mutmut gave no results for {name}: look into {folder}")
    survivors = sorted(m for m, what in outcome.items() if what in ("survived", "no tests"))
    unclear = sum(what == "not checked" for what in outcome.values())
    if unclear:
        raise SystemExit(f"{unclear} mutants of {name} were not tried: look into {folder}")
    return {
        "date": date.today().isoformat(),
        "mutants": len(outcome),
        "killed": len(outcome) - len(survivors),
        "score": round(1 - len(survivors) / len(outcome), 3),
        "survivors": {m: changed_lines(mutmut(folder, "show", m)) for m in survivors},
    }


def changed_lines(diff: str) -> list[str]:
    """The lines that a mutant changes, as a diff shows them."""
    return [
        line.rstrip()
        for line in diff.splitlines()
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]


def main() -> None:
    """Measure, write ``scores.json``, fail where a room is below ``WANTED``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", help=f"of {', '.join(ROOMS)}; by default all")
    rooms = parser.parse_args().rooms or list(ROOMS)
    unknown = set(rooms) - set(ROOMS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(ROOMS)}")
    scores = json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else {}
    for name in rooms:
        scores[name] = measure(name, ROOMS[name])
        SCORES.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
        print(
            f"{name}: {scores[name]['killed']} of {scores[name]['mutants']} noticed, "
            f"{scores[name]['score']:.1%}",
            flush=True,
        )
    low = [name for name in rooms if scores[name]["score"] < WANTED]
    if low:
        raise SystemExit(f"below {WANTED:.0%}: {', '.join(low)}")


if __name__ == "__main__":
    main()
