"""The files around the package agree with each other."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from hqnn_utils import __version__

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOP_LEVEL = {
    "notebooks",
    "hqnn_utils",
    "tests",
    "environment.yml",
    "requirements.txt",
    "README.md",
    "Makefile",
    "pyproject.toml",
    "LICENSE",
    "CITATION.cff",
}


def lines(path):
    return [
        line.strip()
        for line in path.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]


def canonical(requirements):
    return sorted(str(Requirement(r)).lower() for r in requirements)


def test_requirements_pyproject_and_environment_agree():
    everything = PROJECT["dependencies"] + [
        r
        for name, extra in PROJECT["optional-dependencies"].items()
        if name not in ("hardware", "mutation")
        for r in extra
    ]
    listed = canonical(lines(ROOT / "requirements.txt"))
    assert canonical(everything) == listed
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert canonical(next(d["pip"] for d in conda if isinstance(d, dict))) == listed
    assert f"python{PROJECT['requires-python']}" in conda


def test_the_fixed_packages_are_all_there():
    names = {Requirement(r).name.lower() for r in lines(ROOT / "requirements.txt")}
    assert {
        "jupyter",
        "torch",
        "torchvision",
        "pennylane",
        "medmnist",
        "matplotlib",
        "seaborn",
        "papermill",
        "nbval",
    } <= names


def pins(path):
    return {
        Requirement(line).name.lower().replace("_", "-"): Requirement(line) for line in lines(path)
    }


def test_constraints_pin_every_requirement_inside_its_range():
    exact = pins(ROOT / "tests" / "constraints.txt")
    for line in lines(ROOT / "requirements.txt"):
        wanted = Requirement(line)
        (pin,) = exact[wanted.name.lower().replace("_", "-")].specifier
        assert pin.operator == "=="
        assert wanted.specifier.contains(pin.version), f"{pin} does not satisfy {line}"


PULLED_UP = ("psutil",)  # the oldest that goes with the other packages' own requirements


def test_the_oldest_versions_are_those_that_the_ranges_begin_with():
    exact = pins(ROOT / "tests" / "constraints-oldest.txt")
    for line in lines(ROOT / "requirements.txt"):
        wanted = Requirement(line)
        (pin,) = exact[wanted.name.lower().replace("_", "-")].specifier
        (least,) = wanted.specifier
        assert wanted.specifier.contains(pin.version), f"{pin} does not satisfy {line}"
        if wanted.name in PULLED_UP:
            continue
        assert Version(pin.version).release[:2] == (*Version(least.version).release, 0)[:2], (
            f"{line} allows older ones than {pin}: make the list anew, its first lines say how"
        )


@pytest.mark.parametrize("host", ["colab-2026-08-19", "kaggle-2026-08-12"])
def test_the_versions_of_colab_and_kaggle_satisfy_the_ranges(host):
    there = pins(ROOT / "tests" / f"{host}.txt")
    known = 0
    for line in PROJECT["dependencies"]:
        wanted = Requirement(line)
        if found := there.get(wanted.name.lower()):
            known += 1
            (pin,) = found.specifier
            assert wanted.specifier.contains(Version(pin.version).public), (
                f"{host} has {found}, we ask for {line}"
            )
    assert known >= 15


def test_version_stands_once():
    assert PROJECT["version"] == __version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__


def tracked():
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [f for f in listing.split("\0") if f and (ROOT / f).exists()]


def test_top_level_is_fixed():
    assert {f.split("/")[0] for f in tracked() if not f.startswith(".")} <= TOP_LEVEL


def test_no_images_of_patients_weights_or_archives_are_committed():
    for f in tracked():
        assert not f.endswith((".npz", ".npy", ".pt", ".pth", ".tar.gz", ".zip", ".dcm")), f
        if f.endswith((".png", ".jpg", ".jpeg")):
            assert f.startswith("notebooks/results/"), (
                f"{f}: only figures of metrics, beside the records"
            )


@pytest.mark.parametrize(
    ("typed", "wanted", "unwanted"),
    [
        ([], "uv pip install", "-m pip install"),
        (["INSTALLER=pip"], "-m pip install --quiet -r requirements.txt", "uv pip"),
        (["CPU=1"], "--torch-backend cpu", "-m pip"),
        (["CPU=1", "INSTALLER=pip"], "CPU=1 TORCH_INDEX=address", "uv pip"),
    ],
)
def test_uv_installs_where_it_is_there(tmp_path, typed, wanted, unwanted):
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", "-n", "-W", "requirements.txt", "install", *typed]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert wanted in done.stdout
    assert unwanted not in done.stdout


def test_help_names_every_target():
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.M)
    for target in phony.split():
        assert re.search(rf"^{target}:.*## \S", makefile, re.M), (
            f"make {target} has no line of help"
        )
    assert {"run", "test", "notebooks", "bench", "student", "retarget", "lint", "clean"} <= set(
        phony.split()
    )


def test_ci_calls_the_readmes_command():
    assert re.search(r"^exec make test$", (ROOT / ".ci" / "run").read_text(), re.M)
    readme = (ROOT / "README.md").read_text()
    assert "make run" in readme
    assert "make test" in readme
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert {"make run", "make test"} <= {s.get("run") for s in workflow["jobs"]["course"]["steps"]}


def test_workflows_are_valid_and_may_write_only_where_they_must():
    """Every workflow says what it may do; tokens that write belong to single purposes."""
    writes = {}
    for path in sorted((ROOT / ".github/workflows").glob("*.yml")):
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["jobs"], path.name
        given = [workflow.get("permissions") or {}]
        given += [job.get("permissions") or {} for job in workflow["jobs"].values()]
        writes[path.stem] = sorted({k for g in given for k, v in g.items() if v == "write"})
        for job in workflow["jobs"].values():
            assert job.get("timeout-minutes") or len(job["steps"]) == 1, path.name
    assert writes == {
        "address": ["contents"],
        "book": ["id-token", "pages"],
        "ci": [],
        "weekly": ["issues"],
    }


def test_the_weekly_run_takes_colabs_image_and_the_systems_of_students_and_reports():
    weekly = yaml.safe_load((ROOT / ".github/workflows/weekly.yml").read_text(encoding="utf-8"))
    jobs = weekly["jobs"]
    assert "schedule" in weekly[True]  # YAML reads "on" as true
    assert "colab-images/public/runtime" in jobs["colab"]["steps"][-1]["run"]
    systems = jobs["newest"]["strategy"]["matrix"]["os"]
    assert {"windows-latest", "macos-latest"} <= set(systems)
    assert jobs["report"]["if"] == "failure()"
    assert set(jobs["report"]["needs"]) == set(jobs) - {"report"}
