"""``python -m hqnn_utils.studies heads_28px`` carries out one of the course's plans, or yours."""

from __future__ import annotations

import argparse
from pathlib import Path

from hqnn_utils.records import measured_dir
from hqnn_utils.runtime import results_dir
from hqnn_utils.studies.plans import keeps_test_only, known_plans, plan_path, read_table
from hqnn_utils.studies.study import run_study


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, run the study, print what came out; exit status 1 after failures."""
    given = _parser().parse_args(arguments)
    path = plan_path(given.plan)
    done = run_study(
        read_table(path),
        given.folder or (measured_dir() if given.store else results_dir("plans")),
        family=path.stem,
        workers=given.workers,
        threads=given.threads,
        checkpoints=given.checkpoints,
        test_only=keeps_test_only(path),
    )
    print(done)
    if done.failures:
        raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hqnn_utils.studies", description=__doc__)
    add = parser.add_argument
    add("plan", help=f"one of {', '.join(known_plans())}, or a JSON file with a table of your own")
    add("--folder", type=Path, help="default: my_results, or the measured records with --store")
    add("--store", action="store_true", help="write into the records that the course ships")
    add("--workers", type=int, default=1, help="processes (default 1)")
    add("--threads", type=int, help="threads of torch within a run")
    add("--checkpoints", action="store_true", help="let a run that was cut short go on")
    return parser


if __name__ == "__main__":
    main()
