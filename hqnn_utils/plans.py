"""Floor 3: the tables of settings that were measured for the course. ``python -m hqnn_utils.plans heads_28px`` carries one out.

What is here is data, not code: each family can be made anew, or continued, with one line.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .families import measured_dir
from .runtime import choose, data_dir
from .settings import grid
from .study import run_study

LARGE = ["resnet50", "efficientnet_v2_s", "efficientnet_b5"]
# Larger sizes: the official file where it is, else the stand-in that was resampled from BUSI; the record names file and digest.
STAND_IN = "busi_derived_breastmnist_{size}.npz"


def source_of(size: int) -> str:
    """``"medmnist"`` where the official file of this size lies in the data folder, else the path of the stand-in if it is there."""
    official = data_dir() / ("breastmnist.npz" if size == 28 else f"breastmnist_{size}.npz")
    stand_in = data_dir() / STAND_IN.format(size=size)
    return str(stand_in) if stand_in.exists() and not official.exists() else "medmnist"


def by_seed(table: list[dict]) -> list[dict]:
    """All of seed 0 first, then seed 1: a series that is cut short is complete for fewer seeds."""
    return sorted(table, key=lambda s: s["seed"])


def heads_28px() -> list[dict]:
    """Notebook 06: small CNN at 28 px, each head, ten seeds."""
    return by_seed(grid(head=["linear", "study_hybrid", "study_matched", "dressed", "matched", "mlp"], seed=range(10)))


def large_64px() -> list[dict]:
    """Notebooks 03 and 06: the three large backbones from scratch at 64 px, with the study's learning rate and batch size."""
    return by_seed(grid(backbone=LARGE, head=["linear", "study_hybrid", "study_matched"], seed=range(3), size=64, source=source_of(64), epochs=8, lr=3e-4,
                        batch_size=16, patience=None))  # fmt: skip


PLANS = {"heads_28px": heads_28px, "large_64px": large_64px}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m hqnn_utils.plans", description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(PLANS))
    parser.add_argument("--folder", type=Path, default=None, help="default: where the course keeps its measured records")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args(arguments)
    table = PLANS[choose("plan", given.name, PLANS)]()
    done = run_study(table, given.folder or measured_dir(), family=given.name, workers=given.workers, threads=given.threads)
    print(done)
    if done.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
