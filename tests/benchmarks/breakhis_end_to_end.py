"""Does notebook 09 get through the whole archive? A trial on a stand-in of its full size.

7,909 synthetic PNG files of 82 patients in the official folders, with the official numbers of
images per class and magnification, are made in a temporary folder. The notebook runs on them from
its first cell to its last, with ``ROOT`` set to that folder, as a reader who has the archive would
do. What it took becomes a JSON record, which the notebook shows. The stand-in's pictures are small
and nobody's tissue: its scores mean nothing and are not kept. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "notebooks"), str(Path(__file__).parent)]

from breakhis_loading import COUNTS  # noqa: E402  (the path comes first)
from coursekit.memory import PeakMemory  # noqa: E402  (same)
from coursekit.running import run_notebook  # noqa: E402  (same)

from hqnn_utils.data.breakhis_names import SUBTYPES, SlideName, format_name  # noqa: E402  (same)
from hqnn_utils.records import write_json_atomically  # noqa: E402  (same)

PATIENTS = {"B": 24, "M": 58}
NOTEBOOK = ROOT / "notebooks" / "09_breakhis_histopathology.ipynb"


def names() -> list[SlideName]:
    """7,909 names of 82 patients. Every sixth patient has two slides, told apart by letters."""
    made = []
    for tumour, by_magnification in COUNTS.items():
        kinds = list(SUBTYPES[tumour])
        patients = PATIENTS[tumour]
        for magnification, count in by_magnification.items():
            for i in range(count):
                patient, sequence = i % patients, i // patients + 1
                section = ("AB", "CD")[sequence % 2] if patient % 6 == 0 else ""
                number = str(10_000 + patient + 5_000 * (tumour == "M"))
                kind = kinds[patient % len(kinds)]
                made.append(
                    SlideName(
                        "SOB", tumour, kind, "14", number, section, magnification, f"{sequence:03d}"
                    )
                )
    return made


def picture(name: SlideName, size: tuple[int, int]) -> np.ndarray:
    """A tint for the patient, dark spots, more of them where malignant. (height, width, 3) uint8"""
    width, height = size
    tint = np.random.default_rng(int(name.number)).uniform((150, 90, 140), (240, 190, 220))
    rng = np.random.default_rng([int(name.number), name.magnification, int(name.sequence)])
    image = tint + rng.normal(0, 10, (height, width, 3))
    for _ in range(rng.poisson(18 if name.label else 11)):
        x, y = rng.integers(0, width - 3), rng.integers(0, height - 3)
        image[y : y + 3, x : x + 3] *= 0.6
    return np.clip(image, 0, 255).astype(np.uint8)


def make_tree(root: Path, size: tuple[int, int] = (70, 46)) -> list[SlideName]:
    """Write all pictures into the official folders below ``root``."""
    from PIL import Image

    made = names()
    for name in made:
        path = root / name.folder / format_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(name, size)).save(path, compress_level=1)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "notebooks" / "results" / "benchmarks")
    parser.add_argument("--profile", default="laptop")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        made = make_tree(Path(scratch, "breakhis"))
        assert len(made) == 7909
        making = time.perf_counter() - began
        print(f"{len(made)} files in {making:.0f} s", flush=True)
        os.environ["HQNN_CACHE"] = str(Path(scratch, "cache"))  # nothing was seen before
        source = Path(scratch, NOTEBOOK.name)
        text = NOTEBOOK.read_text(encoding="utf-8")
        wanted = 'ROOT = \\"auto\\"'
        assert wanted in text, "the notebook's parameter ROOT has another default now"
        source.write_text(
            text.replace(wanted, f'ROOT = \\"{scratch}/breakhis\\"'), encoding="utf-8"
        )
        results = Path(scratch, "results")
        with PeakMemory() as memory:
            notebook, seconds = run_notebook(
                source, Path(scratch, "done.ipynb"), given.profile, results, progress=True
            )
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert f"{len(made)} images" in printed, "the notebook looked at other images"
    assert "of 82 patients" in printed
    record = {
        "date": date.today().isoformat(),
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
        "load_average_at_the_end": round(os.getloadavg()[0], 1),
        "profile": given.profile,
        "files": len(made),
        "patients": sum(PATIENTS.values()),
        "images_by_magnification": dict(sorted(Counter(n.magnification for n in made).items())),
        "making_seconds": round(making, 1),
        "notebook_minutes": round(seconds / 60, 2),
        "peak_gb": round(memory.mebibytes * 2**20 / 1e9, 2),
        "cells": sum(cell.cell_type == "code" for cell in notebook.cells),
    }
    path = write_json_atomically(given.out / "breakhis_end_to_end.json", record)
    print(f"{json.dumps(record, indent=1)}\n{path}")


if __name__ == "__main__":
    main()
