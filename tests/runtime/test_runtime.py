import random
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement

from hqnn_utils import __main__ as command
from hqnn_utils import runtime
from hqnn_utils.runtime import environment


def test_profiles_by_name_and_environment(monkeypatch):
    monkeypatch.delenv("HQNN_PROFILE", raising=False)
    assert runtime.resolve_profile("laptop").name == "laptop"
    assert runtime.resolve_profile("auto").name == "laptop"
    assert runtime.resolve_profile().name == "laptop"
    monkeypatch.setenv("HQNN_PROFILE", "smoke")
    assert runtime.resolve_profile("auto").name == "smoke"
    assert runtime.resolve_profile("full").name == "full", (
        "an explicit profile wins over the environment"
    )


@pytest.mark.parametrize("gpu", [True, False])
@pytest.mark.parametrize("unset", [None, "", "auto"])
def test_auto_does_what_was_measured_also_beside_a_gpu(monkeypatch, gpu, unset):
    """A Colab GPU must not turn minutes that are printed on a card into an unmeasured hour."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.delenv("HQNN_PROFILE", raising=False)
    if unset is not None:
        monkeypatch.setenv("HQNN_PROFILE", unset)
    assert runtime.resolve_profile("auto") is runtime.PROFILES["laptop"]
    assert runtime.resolve_profile("full") is runtime.PROFILES["full"], "full is asked for by name"


def test_unknown_profile_names_the_known_ones_and_where_it_came_from(monkeypatch):
    with pytest.raises(ValueError, match="unknown profile 'fast'; known: smoke, laptop, full"):
        runtime.resolve_profile("fast")
    monkeypatch.setenv("HQNN_PROFILE", "quick")
    with pytest.raises(ValueError, match="HQNN_PROFILE 'quick'"):
        runtime.resolve_profile("auto")


def test_profile_is_frozen_and_picks():
    profile = runtime.PROFILES["smoke"]
    assert profile.pick(smoke=1, laptop=2, full=3) == 1
    with pytest.raises(AttributeError):
        profile.epochs = 3


def test_seed_everything_repeats():
    def draw():
        runtime.seed_everything(3)
        legacy = np.random.rand()  # noqa: NPY002 (notebooks may call what still uses it)
        return random.random(), legacy, torch.rand(1).item()

    assert draw() == draw()


def test_environment_check_names_the_remedy():
    wanted = ["numpy>=2.0", "torch>=999.0", "no-such-package>=1.2"]
    rows = {row["package"]: row for row in runtime.check_environment(wanted)}
    assert list(rows) == ["python", "numpy", "torch", "no-such-package", "GPU"]
    assert rows["numpy"]["status"] == "OK"
    torch_status = f"{runtime.version_of('torch')} is not >=999.0: pip install -U 'torch>=999.0'"
    assert rows["torch"]["status"] == torch_status
    assert rows["no-such-package"]["status"] == "missing: pip install 'no-such-package>=1.2'"
    assert rows["no-such-package"]["version"] == "-"
    assert rows["python"]["status"] == "OK"


def test_the_package_asks_for_what_pyproject_says():
    asked = {Requirement(r).name for r in environment.own_requirements()}
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert asked <= {Requirement(r).name for r in project["dependencies"]}
    assert {"torch", "pennylane", "medmnist"} <= asked
    assert not asked & {"dask", "pytest", "jupyter"}, "extras are not asked for"


def test_a_checkout_that_was_never_installed_asks_for_the_same(monkeypatch):
    def missing(name):
        raise environment.metadata.PackageNotFoundError(name)

    installed = environment.own_requirements()
    monkeypatch.setattr(environment.metadata, "requires", missing)
    found = {Requirement(r).name for r in environment.own_requirements()}
    assert found >= {Requirement(r).name for r in installed}
    assert {"torch", "pennylane", "medmnist"} <= found


def test_this_environment_is_ok():
    assert all(r["status"].startswith("OK") for r in runtime.check_environment())


def test_the_command_prints_ok_or_fail_with_the_remedy(monkeypatch, capsys):
    rows = [
        dict(package="python", version="3.12.1", status="OK"),
        dict(
            package="torch", version="1.0", status="1.0 is not >=2.9: pip install -U 'torch>=2.9'"
        ),
        dict(package="medmnist", version="-", status="missing: pip install 'medmnist>=3.0'"),
        dict(package="GPU", version="none", status="OK (a CPU will do)"),
    ]
    monkeypatch.setattr(command, "check_environment", lambda: rows)
    assert command.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "OK    python    3.12.1",
        "FAIL  torch     1.0           1.0 is not >=2.9: pip install -U 'torch>=2.9'",
        "FAIL  medmnist  -             missing: pip install 'medmnist>=3.0'",
        "OK    GPU       none",
        "",
        "2 to mend: torch, medmnist",
    ]
    monkeypatch.setattr(command, "check_environment", lambda: rows[::3])
    assert command.main() == 0
    assert capsys.readouterr().out == "OK    python  3.12.1\nOK    GPU     none\n"


def test_the_command_finds_this_environment_in_order():
    done = subprocess.run([sys.executable, "-m", "hqnn_utils"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("OK    python")


def test_data_and_results_folders_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HQNN_DATA", str(tmp_path))
    monkeypatch.setenv("HQNN_RESULTS", str(tmp_path / "r"))
    assert runtime.data_dir() == tmp_path
    assert runtime.results_dir("00") == tmp_path / "r" / "00"
    monkeypatch.delenv("HQNN_DATA")
    monkeypatch.delenv("HQNN_RESULTS")
    assert runtime.data_dir().name == ".medmnist"
    assert runtime.results_dir("00").parts[0] == "my_results", (
        "an ordinary run never touches the committed records"
    )


def test_provenance_holds_no_path():
    stamp = runtime.provenance(runtime.PROFILES["smoke"], seed=1)
    assert stamp["profile"] == "smoke"
    assert stamp["seed"] == 1
    assert stamp["torch"]
    assert "/" not in str(stamp)
