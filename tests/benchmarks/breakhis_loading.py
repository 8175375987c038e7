"""Do listing, parsing, splitting and loading keep up with BreakHis's 7,909 files?

Seconds and peak memory, as a JSON record. The tree is synthetic: official layout, official numbers
of images per class and magnification, 24 benign and 58 malignant slides. Two kinds of content:
``small`` files of 70 x 46 pixels, which show what the course's code costs; and, where real images
are given with ``--real``, links to these under 7,909 names, which show what decoding costs at the
real file sizes (many of those files are read repeatedly, so the disk is flattered).

Linux only. Each load runs in a fresh process. Its peak is that of the whole process (resident set,
pages of the mapped cache included); the peak after importing alone is given beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from hqnn_utils.data.archive import extract_archive  # noqa: E402  (the path comes first)
from hqnn_utils.data.breakhis_names import (  # noqa: E402  (same)
    SUBTYPES,
    SlideName,
    format_name,
    list_images,
)
from hqnn_utils.data.splits import assign_folds  # noqa: E402  (same)
from hqnn_utils.records import write_json_atomically  # noqa: E402  (same)

COUNTS = {
    "B": {40: 625, 100: 644, 200: 623, 400: 588},
    "M": {40: 1370, 100: 1437, 200: 1390, 400: 1232},
}
SLIDES = {"B": 24, "M": 58}


def names() -> list[SlideName]:
    """7,909 names as the official archive has them.

    Every third slide carries letters, and two such slides share a patient.
    """
    made = []
    for tumour, by_magnification in COUNTS.items():
        kinds = list(SUBTYPES[tumour])
        for magnification, count in by_magnification.items():
            for i in range(count):
                slide = i % SLIDES[tumour]
                section = {0: "AB", 1: "CD"}.get(slide % 6, "")
                number = 10_000 + slide - (slide % 6 == 1) + 1_000 * (tumour == "M")
                made.append(
                    SlideName(
                        "SOB",
                        tumour,
                        kinds[slide // 6 % 4],
                        "14",
                        str(number),
                        section,
                        magnification,
                        f"{i // SLIDES[tumour] + 1:03d}",
                    )
                )
    return made


def make_tree(root: Path, real: list[Path] | None) -> None:
    from PIL import Image

    for i, name in enumerate(names()):
        path = root / name.folder / format_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if real:
            path.symlink_to(real[i % len(real)])
        else:
            Image.effect_noise((70, 46), 40).convert("RGB").save(path)


CHILD = """
import json, sys, time
from hqnn_utils.data.breakhis import load_breakhis
def peak():  # of this process alone: getrusage's peak is inherited from its parent
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)
imported, began = peak(), time.perf_counter()
root, size, cache, workers, touch = sys.argv[1:]
options = dict(size=int(size), cache=cache, workers=int(workers), progress=False)
data = load_breakhis(root, **options)
found = dict(seconds=time.perf_counter() - began, peak_mb=peak(), imported_mb=imported)
found |= dict(images=len(data), patients=len(set(data.patients)))
if touch == "touch":
    data.images.sum()
    found["peak_after_reading_every_pixel_mb"] = peak()
print(json.dumps(found))
"""


def load(root: Path, size: int, cache: Path, workers: int, touch: bool) -> dict:
    command = [
        sys.executable,
        "-c",
        CHILD,
        str(root),
        str(size),
        str(cache),
        str(workers),
        "touch" if touch else "-",
    ]
    out = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ).stdout
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in json.loads(out).items()}


def measure(root: Path, sizes: list[int], workers: int) -> dict:
    found = {}
    began = time.perf_counter()
    listed = list_images(root)
    found["list_and_parse_seconds"] = round(time.perf_counter() - began, 3)
    assert len(listed) == 7909
    import numpy as np

    labels, patients = (
        np.array([n.label for _, n in listed]),
        np.array([n.patient for _, n in listed]),
    )
    began = time.perf_counter()
    assign_folds(labels, patients, 5)
    found["five_folds_by_patient_seconds"] = round(time.perf_counter() - began, 3)
    for size in sizes:
        with tempfile.TemporaryDirectory() as cache:
            found[f"{size}px, first load"] = load(root, size, Path(cache), workers, False)
            found[f"{size}px, second load"] = load(root, size, Path(cache), workers, True)
        print(size, found[f"{size}px, first load"], found[f"{size}px, second load"], flush=True)
    return found


def unpack(root: Path, folder: Path) -> dict:
    """An archive of the small tree: unpack it, and find it unpacked."""
    import tarfile

    archive = folder / "BreaKHis_v1.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(root / "BreaKHis_v1", "BreaKHis_v1")
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        extract_archive(archive, progress=False)
        seconds.append(round(time.perf_counter() - began, 3))
    return {"unpack_seconds": seconds[0], "found_unpacked_seconds": seconds[1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "notebooks" / "results" / "benchmarks")
    parser.add_argument(
        "--real",
        type=Path,
        help="folder with some real BreakHis images, to measure decoding at real file sizes",
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 224])
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    record = {
        "date": date.today().isoformat(),
        "python": sys.version.split()[0],
        "workers": given.workers,
        "cores": os.cpu_count(),
        "files": 7909,
        "load_average_before": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch, "small")
        make_tree(small, None)
        record["small files, 70 x 46"] = {
            **measure(small, given.sizes, given.workers),
            **unpack(small, Path(scratch)),
        }
        if given.real:
            real = [path.resolve() for path, _ in list_images(given.real)]
            make_tree(Path(scratch, "linked"), real)
            record[f"links to {len(real)} real images"] = measure(
                Path(scratch, "linked"), given.sizes, given.workers
            )
    path = write_json_atomically(given.out / "breakhis_loading.json", record)
    print(f"{json.dumps(record, indent=1)}\n{path}")


if __name__ == "__main__":
    main()
