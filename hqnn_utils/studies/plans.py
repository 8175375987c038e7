"""The tables of settings that were measured for the course. ``python -m hqnn_utils.plans heads_28px`` carries one out.

What is here is data, not code: each family can be made anew, or continued, with one line.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hqnn_utils.runtime import choose, data_dir, results_dir
from hqnn_utils.studies.families import measured_dir
from hqnn_utils.studies.run import run_study
from hqnn_utils.studies.settings import grid

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
    """Notebook 08: small CNN at 28 px, each head, ten seeds."""
    return by_seed(
        grid(
            head=["linear", "study_hybrid", "study_matched", "dressed", "matched", "mlp"],
            seed=range(10),
        )
    )


def search_28px() -> list[dict]:
    """Notebook 08: ways to a better hybrid, four seeds each, judged on validation images. What they vary is in ``heads_28px`` and ``reach_28px``."""
    changes = [
        dict(augment=None),
        dict(batch_size=16),
        dict(lr=4e-3),
        dict(weight_decay=0.05),
        dict(size=64, source=source_of(64)),
    ]
    return by_seed(
        [
            dict(backbone="small_cnn_6", head="study_hybrid", test_flips=True, seed=seed) | change
            for seed in range(4)
            for change in changes
        ]
    )


def reach_28px() -> list[dict]:
    """Notebook 08: the best route that validation images found, for the hybrid and its controls alike: two convolutions a block, test-time flips."""
    return by_seed(
        grid(
            backbone="small_cnn_6",
            head=["linear", "study_hybrid", "study_matched"],
            test_flips=True,
            seed=range(10),
        )
    )


def large_64px() -> list[dict]:
    """Notebooks 03 and 08: the three large backbones from scratch at 64 px, with the study's learning rate and batch size."""
    return by_seed(
        grid(
            backbone=LARGE,
            head=["linear", "study_hybrid", "study_matched"],
            seed=range(3),
            size=64,
            source=source_of(64),
            epochs=8,
            lr=3e-4,
            batch_size=16,
            patience=None,
        )
    )


def ablations_28px() -> list[dict]:
    """Notebook 10: one thing changed at a time, on the seeds of ``heads_28px``, which holds the unchanged models."""
    dressed = dict(head="dressed")
    changes = [
        dict(head=h)
        for h in (
            "frozen",
            "identity",
            "shuffled",
            "study_frozen",
            "study_identity",
            "study_mlp",
            "study_branch",
            "study_cut",
            "study_cut_matched",
            "study_shuffled",
        )
    ]
    changes += [
        dressed | dict(spec=spec)
        for spec in (
            dict(entangler="none"),
            *(dict(n_layers=d) for d in (1, 3, 4, 5, 6)),
            *(dict(n_qubits=n) for n in (2, 3, 6, 8)),
            dict(reupload=True),
            dict(reupload=True, entangler="none"),
            dict(encoding="iqp"),
            dict(encoding="amplitude"),
            dict(rotation="Rot", entangler="strong"),
            dict(observable="Z0"),
            dict(observable="parity"),
        )
    ]
    changes += [
        dict(head="matched", spec=spec)
        for spec in (dict(n_layers=6), dict(n_qubits=8), dict(rotation="Rot", entangler="strong"))
    ]
    changes += [dressed | dict(labels="shuffled"), dict(head="linear", labels="shuffled")]
    return by_seed([change | dict(seed=seed) for change in changes for seed in range(10)])


def replication_28px() -> list[dict]:
    """Notebook 10: the conditions of the nine hypotheses once more, with ten seeds that nobody had seen when the verdicts were known."""
    changes = [
        dict(head=h)
        for h in (
            "linear",
            "study_hybrid",
            "study_matched",
            "study_branch",
            "dressed",
            "matched",
            "mlp",
            "frozen",
        )
    ]
    changes += [
        dict(head="dressed", spec=spec)
        for spec in (
            dict(entangler="none"),
            dict(reupload=True),
            dict(n_layers=1),
            dict(n_layers=6),
        )
    ]
    return by_seed([change | dict(seed=seed) for change in changes for seed in range(10, 20)])


def cross_validation_28px() -> list[dict]:
    """Notebook 10: repeated stratified cross-validation over all 780 images with near-duplicates kept together."""
    return by_seed(
        [
            dict(
                head=head,
                seed=repeat,
                protocol=dict(kind="cross_validation", folds=5, fold=fold, seed=repeat),
            )
            for repeat in range(4)
            for fold in range(5)
            for head in ("linear", "study_hybrid", "dressed", "matched")
        ]
    )


def leakage_28px() -> list[dict]:
    """Notebook 10: the study's protocol and what each of its steps adds. The official split is in ``heads_28px``."""
    kinds = [
        dict(kind="grouped"),
        dict(kind="random"),
        dict(kind="augmented", by_original=True),
        dict(kind="augmented"),
    ]
    return by_seed(
        [
            dict(head=head, seed=seed, protocol=kind | dict(seed=seed))
            for seed in range(10)
            for kind in kinds
            for head in ("linear", "study_hybrid")
        ]
    )


def baselines() -> list[dict]:
    """Notebook 03: the small CNN with two convolutions a block, and both small CNNs at 64 px with as many epochs as the large ones."""
    return by_seed(
        grid(backbone="small_cnn_6", seed=range(10))
        + grid(
            backbone=["small_cnn", "small_cnn_6"],
            seed=range(3),
            size=64,
            source=source_of(64),
            epochs=8,
            patience=None,
        )
    )


PLANS = {
    "baselines": baselines,
    "heads_28px": heads_28px,
    "search_28px": search_28px,
    "reach_28px": reach_28px,
    "large_64px": large_64px,
    "ablations_28px": ablations_28px,
    "replication_28px": replication_28px,
    "cross_validation_28px": cross_validation_28px,
    "leakage_28px": leakage_28px,
}


def read_table(path: Path) -> list[dict]:
    """A table from JSON: a list of settings, or one object of lists as for ``grid``."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return grid(**table) if isinstance(table, dict) else table


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m hqnn_utils.plans", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "plan", help=f"one of {', '.join(PLANS)}, or a JSON file with a table of your own"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=None,
        help="default: my_results; the course's own folder of measured records for --store",
    )
    parser.add_argument(
        "--store",
        action="store_true",
        help="write into the records that the course is shipped with (maintainers)",
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--checkpoints", action="store_true")
    given = parser.parse_args(arguments)
    path = Path(given.plan)
    table = (
        read_table(path) if path.suffix == ".json" else PLANS[choose("plan", given.plan, PLANS)]()
    )
    folder = given.folder or (measured_dir() if given.store else results_dir("plans"))
    done = run_study(
        table,
        folder,
        family=path.stem,
        workers=given.workers,
        threads=given.threads,
        checkpoints=given.checkpoints,
    )
    print(done)
    if done.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
