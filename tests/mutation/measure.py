"""How many changes of behaviour do the tests notice? ``make mutants`` runs this.

mutmut changes one thing at a time (an operator, a number, an argument, a word) and runs the tests
that reach the changed function. A mutant that no test notices *survives*: a test is missing, or the
change makes no difference. Each room is measured in a copy of the working tree under
``build/mutation``; the scores and the survivors go to ``scores.json`` beside this file.

Killed is what a test fails on. A mutant that runs into the time limit, or that ends the process, is
counted apart (``unclear``) and is no kill: a busy machine could have stopped it as well.

A room is measured whole, or by a draw of its mutants. Of a draw the score is an estimate, and it
counts as high enough only where the lower end of its 95 % interval (Wilson) is. The interval is
that of the draw as it first fell: tests that are written for the survivors of a draw raise its
score, but tell nothing of the mutants that were not drawn. After such tests ``--draw`` takes
another one.

    python tests/mutation/measure.py                 # every room, one after the other
    python tests/mutation/measure.py training        # one of them
    python tests/mutation/measure.py --children 1    # as few processes as a shared machine wants
    python tests/mutation/measure.py --sample 300    # of each room a fixed draw of its mutants
    python tests/mutation/measure.py --sample 300 --draw 1    # another draw, fixed as well
    python tests/mutation/measure.py --again         # after new tests: only what was not killed
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).resolve().parents[2]
SCORES = Path(__file__).parent / "scores.json"
ACCEPTED = Path(__file__).parent / "accepted.json"  # why a survivor may stay -> such changes
WANTED = 0.85  # share of mutants that must be noticed


@dataclass(frozen=True)
class Room:
    """What is mutated, and which tests may notice; paths or patterns below the root."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()  # test files that are left out

    def files(self) -> list[Path]:
        """The source files."""
        return [path for pattern in self.sources for path in sorted(ROOT.glob(pattern))]


ROOMS = {
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
    "splits": Room(("hqnn_utils/data/splits/*.py",), ("tests/data/splits",)),
    "evaluation": Room(("hqnn_utils/evaluation/*.py",), ("tests/evaluation",)),
    "training": Room(("hqnn_utils/training/*.py",), ("tests/training",)),
    "records": Room(
        ("hqnn_utils/records/*.py",),
        (
            "tests/records",
            "tests/studies/test_study.py",
            "tests/studies/test_tables.py",
            "tests/faults/test_sealed.py",
        ),
    ),
    "studies": Room(
        ("hqnn_utils/studies/*.py",),
        ("tests/studies", "tests/records"),
        # There all records that were ever stored are compared, and models trained until they learn.
        without=("tests/studies/test_measured_records.py", "tests/studies/test_bands.py"),
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
    left_out = [f"--ignore={path}" for path in room.without]
    settings = {
        "source_paths": ["hqnn_utils"],
        "only_mutate": list(room.sources),
        "pytest_add_cli_args": [*PLUGINS_LEFT_OUT, "-m", "not slow", *left_out],
        "pytest_add_cli_args_test_selection": list(room.tests),
        "also_copy": ["notebooks", "README.md"],
        # So long that only an endless loop takes it, on a busy machine too.
        "timeout_multiplier": 12.0,
        "timeout_constant": 4.0,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    lines.append("use_git_change_detection = false")
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    text += "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    with (folder / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(SHORT_FIRST + OF_FIXTURES + NO_COLLECTING + NO_SHRINKING)


# Most mutants fall at once; a test that takes long is asked last, and one that takes longer than
# LONG seconds only where there is no other.
LONG = 20.0
SHORT_FIRST = f"""

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    import json
    from collections import Counter

    try:  # mutmut has measured them, but for its very first run
        seconds = json.loads(Path("mutmut-stats.json").read_text())["duration_by_test"]
    except FileNotFoundError:
        return
    short = [item for item in items if seconds.get(item.nodeid, 0) <= {LONG}] or items
    of_file = Counter()
    for item in short:
        of_file[item.path] += seconds.get(item.nodeid, 0)
    items[:] = sorted(
        short, key=lambda i: (of_file[i.path], str(i.path), seconds.get(i.nodeid, 0))
    )
"""

# mutmut believes that what a fixture of a whole module calls is seen by the first of its tests
# only. All tests that use the fixture may see it.
OF_FIXTURES = """

CALLED = {}  # fixture -> the functions that it called


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef, request):
    from mutmut.state import state

    called = state()._stats
    before = set(called)
    called.clear()
    yield
    CALLED[fixturedef] = set(called)
    called |= before


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item):
    from mutmut.state import state

    for name, defined in item._fixtureinfo.name2fixturedefs.items():
        state()._stats.update(CALLED.get(defined[-1], ()))
"""


# Each mutant has a process of its own that ends with its tests. Looking through a million objects
# for garbage before it ends took two thirds of its time.
PLUGINS_LEFT_OUT = ("-p", "no:xdist", "-p", "no:unraisableexception")
NO_COLLECTING = """

def pytest_sessionfinish():
    pass
"""
# What fails is enough: to look for the shortest example on which it fails takes minutes.
NO_SHRINKING = """

from hypothesis import Phase, settings

settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate))
settings.load_profile("mutants")
"""


def in_copy(folder: Path, *command: str) -> str:
    """Run a command in the copy, so that the mutated package is the one that is imported."""
    (folder / "mutants").mkdir(exist_ok=True)  # must exist before Python looks at its path
    changes = {"PYTHONPATH": str(folder / "mutants"), "OMP_NUM_THREADS": "1", "HQNN_STATIC": "1"}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **changes}, capture_output=True, text=True
    )
    log = "-".join([Path(command[0]).name, command[1]])  # mutmut-run, mutmut-results, python--c
    (folder / f"{log}.log").write_text(done.stdout + done.stderr)
    return done.stdout


def mutmut(folder: Path, *arguments: str) -> str:
    """Run mutmut in the copy."""
    return in_copy(folder, str(Path(sys.executable).with_name("mutmut")), *arguments)


# mutmut itself writes the mutants only when it runs them.
WRITE = """
from mutmut.__main__ import copy_also_copy_files, copy_src_dir, create_mutants, setup_source_paths
copy_src_dir(), copy_also_copy_files(), setup_source_paths(), create_mutants(1)
"""


# "mutmut show" starts anew for each mutant.
SHOW = """
import json, sys
from mutmut.__main__ import find_mutant, get_diff_for_mutant
print(json.dumps({m: get_diff_for_mutant(m, path=find_mutant(m).path) for m in sys.argv[1:]}))
"""


def results(folder: Path) -> dict[str, str]:
    """Name of each mutant -> what became of it."""
    return dict(
        re.findall(r"^\s+(\S+): ([\w ]+)$", mutmut(folder, "results", "--all", "true"), re.M)
    )


def draw(folder: Path, size: int, number: int) -> list[str]:
    """One of the draws of a room's mutants, the same each time; none where it has no more."""
    in_copy(folder, sys.executable, "-c", WRITE)
    names = sorted(results(folder))
    return sorted(random.Random(number).sample(names, size)) if size < len(names) else []


def interval(killed: int, mutants: int) -> list[float]:
    """95 % interval (Wilson) of a room's score from a draw."""
    return [round(float(end), 3) for end in proportion_confint(killed, mutants, method="wilson")]


def is_enough(score: dict) -> bool:
    """Whether a room's score, of a draw the lower end of its interval, is at least ``WANTED``."""
    return (score["interval"][0] if "sampled" in score else score["score"]) >= WANTED


def digest(room: Room) -> str:
    """Of the source files: mutants are numbered in their order, so names hold only for these."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in room.files())).hexdigest()


def measure(name: str, room: Room, children: int, sample: int, number: int) -> dict:
    """Counts, score and survivors of one room."""
    folder = ROOT / "build" / "mutation" / name
    sources = digest(room)  # now: the tree may change while this goes on
    copy_tree(folder)
    configure(folder, room)
    began = time.monotonic()
    chosen = draw(folder, sample, number) if sample else []
    outcome, there = try_mutants(folder, children, chosen)
    found = counted(folder, outcome, len(outcome))
    of_draw = {
        "sampled": f"{len(outcome):,} of {there:,}",
        "draw": number,
        "killed_at_first": found["killed"],
        "interval": interval(found["killed"], len(outcome)),
    }
    return {
        "date": date.today().isoformat(),
        "sources": sources,
        **(of_draw if chosen else {}),
        "minutes": round((time.monotonic() - began) / 60, 1),
        **found,
    }


OF_DRAW = ("sampled", "draw", "killed_at_first", "interval")


def measure_again(name: str, room: Room, children: int, before: dict) -> dict:
    """Only the mutants that were not killed last time, since tests have come and none has gone."""
    if before["sources"] != digest(room):
        raise SystemExit(f"the source of {name} has changed since its measurement: measure anew")
    folder = ROOT / "build" / "mutation" / name
    copy_tree(folder)
    configure(folder, room)
    began = time.monotonic()
    in_copy(folder, sys.executable, "-c", WRITE)
    outcome, _ = try_mutants(folder, children, list(before["not_killed"]))
    minutes = before["minutes"] + (time.monotonic() - began) / 60
    return {
        **{key: before[key] for key in ("sources", *OF_DRAW) if key in before},
        "date": date.today().isoformat(),
        "minutes": round(minutes, 1),
        **counted(folder, outcome, before["mutants"]),
    }


def try_mutants(folder: Path, children: int, chosen: list[str]) -> tuple[dict[str, str], int]:
    """Name of each chosen mutant (or of all) -> what became of it; and how many there are."""
    mutmut(folder, "run", "--max-children", str(children), *chosen)
    found = results(folder)
    outcome = {m: found[m] for m in chosen or found}
    if not outcome or "not checked" in outcome.values():
        raise SystemExit(f"mutmut did not try all mutants: look into {folder}")
    return outcome, len(found)


def counted(folder: Path, outcome: dict[str, str], mutants: int) -> dict:
    """The score, and each mutant that was not killed with the lines it changes."""
    left = {m: what for m, what in sorted(outcome.items()) if what != "killed"}
    survived = sum(what in ("survived", "no tests") for what in left.values())
    killed = mutants - len(left)
    diffs = json.loads(in_copy(folder, sys.executable, "-c", SHOW, *left) or "{}")
    changes = {m: changed_lines(diffs[m]) for m in left}
    return {
        "mutants": mutants,
        "killed": killed,
        "unclear": len(left) - survived,
        "survived": survived,
        "score": round(killed / mutants, 3),
        "kinds": dict(Counter(map(kind_of, changes.values())).most_common()),
        "not_killed": {m: [what, *changes[m]] for m, what in left.items()},
    }


def changed_lines(diff: str) -> list[str]:
    """The lines that a mutant changes, as a diff shows them."""
    return [
        line.rstrip()
        for line in diff.splitlines()
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]


TEXT = re.compile(r'("[^"]*"|\'[^\']*\')')
# What a mutant that was not killed changes, by what stands in its lines; the first that fits. These
# may stay; for every other one ``accepted.json`` says why it may.
KINDS = {
    "the place where a tensor lies, which only a GPU tells": r"device|\.to\(|[sS]caler|autocast",
    "the words of an error or a warning": r"raise |Error\(|warn|\{error\}|cause\(|message",
    "a check of our own that never fails": r"strict=|numbers\(|by_name\(",
    "a number type": r"dtype|astype|, float\)|, int\)",
    "the look of a progress bar": r"ncols|mininterval|tqdm|postfix|unit=|desc=",
}


def kind_of(lines: list[str]) -> str:
    """What a change concerns, so that many survivors can be looked through."""
    before, after = ("\n".join(one[1:] for one in lines if one[0] == sign) for sign in "-+")
    if TEXT.sub("", before) == TEXT.sub("", after):
        return "a text"
    for kind, pattern in KINDS.items():
        if re.search(pattern, before):
            return kind
    if before.replace("=", "") == after.replace("=", "") and re.search("[<>]", before):
        return "a tie: < or <="
    return "other"


def unexplained(score: dict) -> list[str]:
    """Mutants that were not killed and need a reason of their own, but have none."""
    accepted = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    known = {tuple(change) for changes in accepted.values() for change in changes}
    return [
        mutant
        for mutant, (_, *lines) in score["not_killed"].items()
        if kind_of(lines) not in KINDS and tuple(lines) not in known
    ]


def line_of(name: str, score: dict) -> str:
    """A room's result in a line."""
    of_draw = ""
    if "sampled" in score:
        low, high = score["interval"]
        of_draw = f" (drawn {score['sampled']}: 95 % interval {low:.1%} to {high:.1%})"
    return (
        f"{name}: {score['killed']} of {score['mutants']} noticed, {score['score']:.1%}{of_draw}, "
        f"{score['unclear']} unclear, {score['minutes']} minutes"
    )


def read_scores() -> dict[str, dict]:
    """What was measured so far, by room."""
    return json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else {}


def whole(text: str) -> int:
    """A whole number of the command line; an empty text, as make passes it, is 0."""
    return int(text or 0)


def main() -> None:
    """Measure, write ``scores.json``, fail where a room is below ``WANTED``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", help=f"of {', '.join(ROOMS)}; by default all")
    parser.add_argument("--children", type=whole, default=0, help="processes; by default all cores")
    parser.add_argument("--sample", type=whole, default=0, help="mutants a room; by default all")
    parser.add_argument("--draw", type=whole, default=0, help="number of the draw; by default 0")
    parser.add_argument("--again", action="store_true", help="only what was not killed last time")
    given = parser.parse_args()
    rooms = given.rooms or list(ROOMS)
    unknown = set(rooms) - set(ROOMS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(ROOMS)}")
    children = given.children or os.cpu_count() or 1
    for name in rooms:
        if given.again:
            score = measure_again(name, ROOMS[name], children, read_scores()[name])
        else:
            score = measure(name, ROOMS[name], children, given.sample, given.draw)
        scores = read_scores()  # another process may have measured another room meanwhile
        scores[name] = score
        SCORES.write_text(json.dumps(scores, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(line_of(name, score), flush=True)
    low = [name for name in rooms if not is_enough(scores[name])]
    if low:
        raise SystemExit(f"below {WANTED:.0%}: {', '.join(low)}")


if __name__ == "__main__":
    main()
