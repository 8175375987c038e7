import random

import numpy as np
import pytest
import torch

from hqnn_utils import runtime


def test_profiles_by_name_and_environment(monkeypatch):
    monkeypatch.delenv("HQNN_PROFILE", raising=False)
    assert runtime.resolve_profile("laptop").name == "laptop"
    assert runtime.resolve_profile("auto").name == (
        "full" if torch.cuda.is_available() else "laptop"
    )
    monkeypatch.setenv("HQNN_PROFILE", "smoke")
    assert runtime.resolve_profile("auto").name == "smoke"
    assert runtime.resolve_profile("full").name == "full", (
        "an explicit profile wins over the environment"
    )


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
        return random.random(), np.random.rand(), torch.rand(1).item()

    assert draw() == draw()


def test_environment_check_names_the_remedy():
    rows = {
        r["package"]: r
        for r in runtime.check_environment(
            {"numpy": "2.0", "torch": "999.0", "no-such-package": "1.2"}
        )
    }
    assert rows["numpy"]["status"] == "OK"
    assert rows["torch"]["status"] == "older than 999.0: pip install -U 'torch>=999.0'"
    assert rows["no-such-package"]["status"] == "missing: pip install 'no-such-package>=1.2'"
    assert "GPU" in rows
    assert rows["python"]["status"] == "OK"


def test_this_environment_is_ok():
    assert all(r["status"].startswith("OK") for r in runtime.check_environment())


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
