"""The course's own tool: run, execute and store, retarget, render. ``make`` calls it; ``python notebooks/course.py -h``.

It works on the notebooks as files and belongs to the makers of the course; students need ``hqnn_utils`` only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from datetime import date
from functools import lru_cache
from pathlib import Path

import nbformat
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
STORED = HERE / "results"
TIMINGS = STORED / "timings.json"
SHOWN = ("accuracy", "sensitivity", "specificity", "precision", "f1", "auc")
HOSTED = '{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"} & os.environ.keys()'


def load_course() -> dict:
    return yaml.safe_load((HERE / "course.yml").read_text(encoding="utf-8"))


def path_of(entry: dict) -> Path:
    return HERE / f"{entry['name']}.ipynb"


def read(path: Path):
    return nbformat.read(path, as_version=4)


def write(notebook, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.validate(notebook)
    path.write_text(
        nbformat.writes(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def code_digest(notebook) -> str:
    """Digest of the code cells: stored when they are executed, compared by a test. The install cell does not count:
    an instructor's retarget changes it, and no output depends on it."""
    code = [
        c.source for c in notebook.cells if c.cell_type == "code" and "bootstrap" not in tags(c)
    ]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


# ---------------------------------------------------------------- what is generated from course.yml


def clone_address(course: dict) -> str | None:
    """``git+...`` address for pip, or None while no address is set."""
    repository = course["repository"]
    if not repository:
        return None
    if re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        repository = f"https://github.com/{repository}"
    return f"git+{repository}@{course['branch']}"


def bootstrap_source(course: dict) -> str:
    """The install cell: does something in Colab and Kaggle only, and touches no package that is there already."""
    address = clone_address(course)
    then = (
        f'%pip install --quiet "hqnn_utils @ {address}"'
        if address
        else 'raise RuntimeError("no address set: run `make retarget REPO=owner/name` in your copy and open it again")'
    )
    return f"import os  # on Colab and Kaggle this cell installs the course's helpers; elsewhere it does nothing\n\nif {HOSTED}:\n    {then}"


def badges_source(course: dict, entry: dict) -> str:
    """Badges (GitHub addresses only), minutes as measured, needs, data."""
    lines = []
    repository = course["repository"]
    if repository and re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        page = f"github.com/{repository}/blob/{course['branch']}/notebooks/{entry['name']}.ipynb"
        lines += [
            f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/{page.replace('.com', '', 1)}) "
            f"[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=https://{page}) "
            f"[![View source](https://img.shields.io/badge/view-source-lightgrey?logo=github)](https://{page})",
            "",
        ]
    times = minutes(entry["name"])
    lines.append(
        f"**Time** smoke {times['smoke']}, laptop {times['laptop']}, full {times['full']} "
        f"· **Before this** {entry['needs']} · **Data** {entry['data']}"
    )
    return "\n".join(lines)


def minutes(name: str) -> dict[str, str]:
    """Measured time per profile as text, ``not measured yet`` where there is no measurement."""
    measured = json.loads(TIMINGS.read_text()).get(name, {}) if TIMINGS.exists() else {}

    def text(profile: str) -> str:
        seconds = measured.get(profile, {}).get("seconds")
        if seconds is None:
            return "not measured yet"
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"

    return {profile: text(profile) for profile in ("smoke", "laptop", "full")}


def course_table(course: dict) -> str:
    rows = [
        "| notebook | question | smoke | laptop | full | before this |",
        "|---|---|---|---|---|---|",
    ]
    for e in course["notebooks"]:
        name = e["name"]
        needs = re.sub(
            r"\]\((\d\d_)", r"](notebooks/\1", e["needs"]
        )  # links are written as seen from a notebook
        times = " | ".join(minutes(name).values())
        rows.append(
            f"| [{name[:2]} {e['title']}](notebooks/{name}.ipynb) | {e['question']} | {times} | {needs} |"
        )
    about = "Times were measured on two cores without a GPU; the full profile wants one. Stored outputs come from the laptop profile."
    return "\n".join([*rows, "", about])


def bench_table() -> str:
    """The study's circuit in the benchmark's record: milliseconds per contender and size, and how much longer than ours."""
    path = STORED / "benchmarks" / "quantum_layer_cpu.json"
    if not path.exists():
        return "No record yet: `make bench` makes it."
    record = json.loads(path.read_text())
    timings = dict(
        sorted(
            record["timings"]["basic"].items(),
            key=lambda item: [int(v) for v in item[0].split(",")],
        )
    )
    smallest = next(iter(timings.values()))
    lines = [
        "| ms, forward + backward; (times ours) | " + " | ".join(timings) + " |",
        "|" + "---|" * (len(timings) + 1),
    ]
    for name in sorted(smallest, key=lambda n: smallest[n]["ms"]):
        cells = [
            f"{c[name]['ms']:.3g} ({c[name]['ratio']:.0f})" if "ms" in c[name] else "–"
            for c in timings.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    about = f"Columns: qubits, layers, batch. float32, {record['threads']} threads, {record['device']}, {record['date']}, medians; all contenders in one process."
    return "\n".join([*lines, "", about])


def score_rows(folder: Path) -> list[dict]:
    """One row a record with test predictions: name, data, and each score with its 95 % interval, all recomputed."""
    from hqnn_utils.studies.families import load_all
    from hqnn_utils.evaluation.metrics import intervals, scores

    rows = []
    for record in load_all(folder):
        test = record.predictions["test"]
        y, p = test["labels"], test["probabilities"]
        value, interval = scores(y, p), intervals(y, p)
        cells = {s: f"{value[s]:.3f} ({interval[s][0]:.2f}-{interval[s][1]:.2f})" for s in SHOWN}
        data = (
            "PHANTOM " if record.data["phantom"] else ""
        ) + f"{record.data['name']}, {record.data['size']} px"
        rows.append(
            {
                "model": record.settings["head"],
                "seed": record.settings["seed"],
                "n": len(y),
                "data": data,
                "values": value,
                **cells,
            }
        )
    order = ("linear", "mlp", "matched", "dressed")  # controls first
    return sorted(
        rows,
        key=lambda r: (r["seed"], order.index(r["model"]) if r["model"] in order else len(order)),
    )


def seed_rows(rows: list[dict]) -> list[dict]:
    """Mean and standard deviation over seeds, one row a model."""
    import numpy as np

    found = []
    for model in dict.fromkeys(r["model"] for r in rows):
        runs = [r for r in rows if r["model"] == model]
        cells = {s: [r["values"][s] for r in runs] for s in SHOWN}
        spread = {
            s: f"{np.nanmean(v):.3f}" + (f" ± {np.nanstd(v, ddof=1):.3f}" if len(v) > 1 else "")
            for s, v in cells.items()
        }
        found.append({"model": model, "seeds": len(runs), **spread})
    return found


@lru_cache  # the measured families do not change while this runs
def results_table() -> str:
    """The measured records of notebook 08: one row a model, with data, weights and seeds, all recomputed from predictions."""
    from hqnn_utils.studies.families import measured
    from hqnn_utils.studies.tables import by_condition, summary

    def name(record: dict) -> str:
        twice = ", test images also mirrored" if record.settings["test_flips"] else ""
        return f"{record.settings['backbone']}{twice}|{record.settings['head']}|{record.data['name']}, {record.data['size']} px"

    groups = by_condition(
        measured("heads_28px") + measured("reach_28px") + measured("large_64px"), name
    )
    lines = [
        "| backbone | head | data | weights | seeds | " + " | ".join(SHOWN) + " |",
        "|" + "---|" * (5 + len(SHOWN)),
    ]
    for key, row in summary(groups, shown=SHOWN).iterrows():
        weights = groups[key][0].settings["weights"] or "random"
        lines.append("| " + " | ".join([*key.split("|"), weights, *map(str, row)]) + " |")
    about = (
        "Mean ± standard deviation over seeds on the 156 official test images, threshold 0.5. `study_hybrid` is the study's head with its circuit, "
        "`study_matched` the same with a classical map of as many parameters; `dressed` and `matched` are such a pair without a bypass. The 64-pixel file is "
        "resampled from BUSI (a stand-in, not the official file)."
    )
    return "\n".join([*lines, "", about])


@lru_cache
def verdict_table() -> str:
    """The machine's verdicts on the hypotheses of ``results/plan.md``, from the measured records."""
    from hqnn_utils.studies.verdicts import (
        judge,
        measured_conditions,
        replicated_conditions,
        verdict_lines,
    )

    first, again = judge(measured_conditions()), judge(replicated_conditions())
    same = int((first["verdict"] == again["verdict"]).sum())
    about = (
        "Two-level bootstrap over ten seeds and 156 test images; rules and hypotheses were written down first, in `notebooks/results/plan.md`. "
        f"Trained again with ten other seeds, {same} of {len(first)} verdicts come back."
    )
    return "\n".join([*verdict_lines(first), "", about])


def replace_between(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.S)
    if not pattern.search(text):
        raise SystemExit(
            f"README.md lacks the markers <!-- {name}:start --> and <!-- {name}:end -->"
        )
    return pattern.sub(lambda m: f"{m[1]}{content}\n{m[2]}", text)


def sync(check: bool = False) -> list[str]:
    """Rewrite everything generated (badges, install cells, README tables). With ``check``, only name what is stale."""
    course, stale = load_course(), []
    for entry in course["notebooks"]:
        path = path_of(entry)
        if not path.exists():
            raise SystemExit(f"course.yml names {path.name}, which does not exist")
        notebook, changed = read(path), False
        for cell in notebook.cells:
            new = (
                bootstrap_source(course)
                if "bootstrap" in tags(cell)
                else badges_source(course, entry)
                if "badges" in tags(cell)
                else cell.source
            )
            changed |= new != cell.source
            cell.source = new
        if changed:
            stale.append(path.name)
            if not check:
                write(notebook, path)
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = old
    for name, content in (
        ("course", course_table(course)),
        ("results", results_table()),
        ("verdicts", verdict_table()),
        ("bench", bench_table()),
    ):
        new = replace_between(new, name, content)
    if new != old:
        stale.append("README.md")
        if not check:
            readme.write_text(new, encoding="utf-8")
    return stale


def retarget(repository: str | None) -> str:
    """Set the course's address, by default from ``git remote``, and rewrite all that depends on it."""
    if not repository:
        found = subprocess.run(
            ["git", "remote", "get-url", "origin"], cwd=ROOT, capture_output=True, text=True
        )
        if found.returncode:
            raise SystemExit("no git remote called origin: say make retarget REPO=owner/name")
        repository = found.stdout.strip()
    repository = repository.strip().removesuffix("/").removesuffix(".git")
    if match := re.search(r"github\.com[:/]([\w.-]+/[\w.-]+)$", repository):
        repository = match[1]
    if not re.fullmatch(r"[\w.-]+/[\w.-]+|(https|ssh|file)://\S+", repository):
        raise SystemExit(
            f"{repository!r} is no address: give owner/name, or a https, ssh or file address that git can clone"
        )
    path = HERE / "course.yml"
    text = re.sub(
        r"(?m)^repository: \S+", f"repository: {repository}", path.read_text(encoding="utf-8")
    )
    path.write_text(text, encoding="utf-8")
    sync()
    return repository


# ---------------------------------------------------------------- running


def run_notebook(
    source: Path,
    target: Path,
    profile: str,
    results: Path,
    static: bool = True,
    progress: bool = False,
):
    """Execute a notebook through papermill; returns the executed notebook and the seconds it took."""
    import papermill

    if not any("parameters" in tags(c) for c in read(source).cells):
        raise SystemExit(
            f"{source.name} has no cell tagged 'parameters': papermill would silently run another profile"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    changes = {
        "HQNN_RESULTS": str(results),
        "HQNN_STATIC": "1" if static else "",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }  # figures go into the notebook, whatever the shell says
    before = {k: os.environ.get(k) for k in changes}
    os.environ.update(changes)
    began = time.perf_counter()
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters={"PROFILE": profile},
            cwd=str(HERE),
            progress_bar=progress,
            log_output=False,
            # A hung kernel must become an error in a test run; a long cell of the full profile must not.
            execution_timeout=300 if profile == "smoke" else None,
            extra_arguments=["--log-level=CRITICAL"],
        )
    finally:
        for key, value in before.items():
            os.environ.pop(key, None) if value is None else os.environ.update({key: value})
    return read(target), time.perf_counter() - began


def run(name: str, profile: str, out: Path) -> None:
    """Execute one notebook outside the tree's own files, print its result table and where the HTML copy lies."""
    source = HERE / f"{Path(name).stem}.ipynb"
    if not source.exists():
        known = ", ".join(e["name"] for e in load_course()["notebooks"])
        raise SystemExit(f"no notebook {source.stem!r}; known: {known}")
    results = out / "results"
    for old in (results / source.stem).glob("*.json"):
        old.unlink()
    print(f"running {source.stem} in the {profile} profile ...", flush=True)
    notebook, seconds = run_notebook(
        source, out / source.name, profile, results, static=True, progress=True
    )
    html = to_html(notebook, out / f"{source.stem}.html")
    rows = score_rows(results / source.stem)
    if rows:
        import pandas as pd

        first = pd.DataFrame([r for r in rows if r["seed"] == rows[0]["seed"]]).drop(
            columns=["data", "n", "values"]
        )
        print(
            f"\nTest scores with 95 % intervals on {rows[0]['data']} ({rows[0]['n']} images)\n\n{first.to_string(index=False)}"
        )
        print(
            f"\nMean and standard deviation over seeds\n\n{pd.DataFrame(seed_rows(rows)).to_string(index=False)}"
        )
        if rows[0]["data"].startswith("PHANTOM"):
            print(
                "\nPHANTOM: these are synthetic images, because BreastMNIST could not be had. With a network, or HQNN_DATA\n"
                "pointing at a folder that holds breastmnist.npz, the same command uses the real images."
            )
    print(f"\n{seconds:.0f} s. Page: {html}")


def to_html(notebook, path: Path) -> Path:
    from nbconvert import HTMLExporter

    body, _ = HTMLExporter().from_notebook_node(tidy(notebook))
    path.write_text(body, encoding="utf-8")
    return path


def tidy(notebook):
    """Outputs as a reader wants them: of a progress bar only its last state, no injected parameters, no timings."""
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in tags(c)]
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = merge_streams(cell.outputs)
    return notebook


def merge_streams(outputs: list) -> list:
    """Neighbouring stream outputs as one; where a line was overwritten (carriage return) only its last state stays."""
    merged = []
    for output in outputs:
        if output.output_type == "stream" and merged and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    for output in merged:
        if output.output_type == "stream":
            lines = output.text.replace("\r\n", "\n").split("\n")
            output.text = "\n".join(
                next((part for part in reversed(line.split("\r")) if part.strip()), "")
                for line in lines
            )
    return merged


def execute(names: list[str]) -> None:
    """Run notebooks in smoke (for the time) and laptop profile and store outputs, records, digest and timings."""
    from hqnn_utils.studies.records import write_json_atomically

    entries = [
        e
        for e in load_course()["notebooks"]
        if not names or e["name"] in names or e["name"][:2] in names
    ]
    if not entries:
        raise SystemExit(f"no notebook among {names}")
    for entry in entries:
        path = path_of(entry)
        scratch = ROOT / "build" / "execute"
        _, smoke = run_notebook(path, scratch / path.name, "smoke", scratch / "results")
        for old in (STORED / entry["name"]).glob("*.json"):
            old.unlink()
        notebook, laptop = run_notebook(
            path, scratch / path.name, "laptop", STORED, static=True, progress=True
        )
        notebook = tidy(notebook)
        for cell in notebook.cells:
            if "draws-images" in tags(cell):  # dataset images are never committed
                cell.outputs, cell.execution_count = [], None
        notebook.metadata["hqnn"] = {
            "code_digest": code_digest(notebook),
            "profile": "laptop",
            "executed": date.today().isoformat(),
        }
        write(notebook, path)
        timings = json.loads(TIMINGS.read_text()) if TIMINGS.exists() else {}
        common = {
            "cores": os.cpu_count(),
            "date": date.today().isoformat(),
            "python": sys.version.split()[0],
        }
        timings[entry["name"]] = {
            **timings.get(entry["name"], {}),
            "smoke": {"seconds": round(smoke, 1), **common},
            "laptop": {"seconds": round(laptop, 1), **common},
        }
        write_json_atomically(TIMINGS, timings)
        print(
            f"{entry['name']}: smoke {smoke:.0f} s, laptop {laptop:.0f} s, {path.stat().st_size / 1024:.0f} kB"
        )
    sync()


def student_version(notebook):
    """Without solutions and without outputs; the exercises stay."""
    notebook.cells = [c for c in notebook.cells if "solution" not in tags(c)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("hqnn", None)
    return notebook


def student(out: Path) -> None:
    for entry in load_course()["notebooks"]:
        write(student_version(read(path_of(entry))), out / path_of(entry).name)
        print(out / path_of(entry).name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "run", help="execute one notebook into build/, print its result table"
    )
    one.add_argument("name")
    one.add_argument("--profile", default="laptop")
    one.add_argument("--out", type=Path, default=ROOT / "build" / "run")
    every = commands.add_parser(
        "execute", help="run notebooks in the laptop profile and store their outputs and records"
    )
    every.add_argument("names", nargs="*")
    there = commands.add_parser(
        "retarget", help="set the repository's address in badges and install cells"
    )
    there.add_argument("repo", nargs="?")
    fresh = commands.add_parser(
        "sync", help="rewrite what is generated from course.yml and the records"
    )
    fresh.add_argument(
        "--check", action="store_true", help="change nothing, fail if something is stale"
    )
    learners = commands.add_parser("student", help="versions without solutions and outputs")
    learners.add_argument("--out", type=Path, default=ROOT / "build" / "student")
    a = parser.parse_args()
    if a.command == "run":
        run(a.name, a.profile, a.out.resolve())
    elif a.command == "execute":
        execute(a.names)
    elif a.command == "retarget":
        print(f"the course now points at {retarget(a.repo)}; commit the changed files")
    elif a.command == "sync":
        stale = sync(a.check)
        if a.check and stale:
            raise SystemExit(f"stale: {', '.join(stale)}; run python notebooks/course.py sync")
        print("rewritten: " + ", ".join(stale) if stale else "nothing to rewrite")
    elif a.command == "student":
        student(a.out.resolve())


if __name__ == "__main__":
    main()
