"""What a checkpoint belongs to, and what is refused."""

import re
from pathlib import Path

import pytest
import torch
from training_toys import net, toy

from hqnn_utils.runtime.files import StorageError
from hqnn_utils.training import TrainConfig, TrainingError, checkpoint
from hqnn_utils.training.checkpoint import (
    check_place,
    identity,
    load_checkpoint,
    save_checkpoint,
)


def test_identity_sees_settings_data_and_model():
    x, y = toy()
    first = identity(TrainConfig(), net(), [x, y])
    assert first == identity(TrainConfig(), net(), [x.clone(), y.clone()])
    assert first["epochs"] == 40
    assert first["lr"] == 2e-3
    other_settings = identity(TrainConfig(lr=0.1), net(), [x, y])
    assert {k for k in first if first[k] != other_settings[k]} == {"lr"}
    moved = x.clone()
    moved[5, 2] += 1e-3
    shorter = [x.reshape(-1, 1), y]
    for data in ([moved, y], shorter, [x, 1 - y], [x, y, y]):
        found = identity(TrainConfig(), net(), data)
        assert {k for k in first if first[k] != found[k]} == {"data"}
    renamed = torch.nn.Sequential(*net(), torch.nn.Identity())
    for model in (net(1), renamed):
        found = identity(TrainConfig(), model, [x, y])
        assert {k for k in first if first[k] != found[k]} == {"model"}


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "new" / "folder" / "run.pt"
    belongs = {"lr": 0.1, "data": "a", "model": "b"}
    save_checkpoint(path, {"settings": belongs, "more": torch.arange(3)})
    found = load_checkpoint(path, belongs, "cpu")
    assert found["more"].tolist() == [0, 1, 2]
    assert [p.name for p in path.parent.iterdir()] == ["run.pt"]
    (path.parent / "run.pt.tmp").write_bytes(b"left by a process that was killed")
    save_checkpoint(path, {"settings": belongs, "more": 1})
    assert [p.name for p in path.parent.iterdir()] == ["run.pt"]
    assert load_checkpoint(path, belongs, "cpu")["more"] == 1


def test_other_settings_are_listed_and_digests_only_named(tmp_path):
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"settings": {"lr": 0.1, "data": "a" * 64, "old": 1}})
    with pytest.raises(
        TrainingError,
        match=r"^checkpoint .*run.pt belongs to other settings "
        r"\(lr: 0.1 there, 0.2 now; data; warmup: 0 there, 3 now; model\): "
        r"use another file, or delete it to start anew$",
    ):
        load_checkpoint(path, {"lr": 0.2, "data": "b", "warmup": 3, "model": "c"}, "cpu")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_damaged_file_says_what_to_do(tmp_path, content):
    path = tmp_path / "run.pt"
    path.write_bytes(content)
    with pytest.raises(
        TrainingError, match=r"^checkpoint .*run.pt cannot be read \(.+\): delete it to start anew$"
    ):
        load_checkpoint(path, {}, "cpu")
    torch.save({"no": "settings"}, path)
    with pytest.raises(TrainingError, match=r"cannot be read \('settings'\)"):
        load_checkpoint(path, {}, "cpu")


def test_a_checkpoint_belongs_to_the_run_that_began_it(tmp_path):
    """A second process of the very same run may write; one of another run is told so."""
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"settings": {"lr": 0.1, "seed": 0}, "more": 1})
    save_checkpoint(path, {"settings": {"seed": 0, "lr": 0.1}, "more": 2})
    message = (
        f"checkpoint {path} now belongs to another run that writes to the same file: "
        "give each run its own."
    )
    with pytest.raises(TrainingError, match=f"^{re.escape(message)}$"):
        save_checkpoint(path, {"settings": {"lr": 0.2, "seed": 0}, "more": 3})
    assert load_checkpoint(path, {"lr": 0.1, "seed": 0}, "cpu")["more"] == 2
    save_checkpoint(tmp_path / "other.pt", {"settings": {"place": Path("here")}})


def test_a_place_that_is_none_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / "run.pt"
    with pytest.raises(
        TrainingError,
        match=r"^checkpoint .*run.pt cannot be written \(.*[Nn]ot a directory.*\): "
        r"give checkpoint= a place in another folder\.$",
    ):
        save_checkpoint(path, {"settings": {}})
    with pytest.raises(
        TrainingError, match=r"^checkpoint .* cannot be read \(.*[Ii]s a directory.*\)$"
    ):
        load_checkpoint(tmp_path, {}, "cpu")


def test_room_for_weights_optimiser_and_best_weights_is_asked_for(tmp_path, monkeypatch):
    model, asked = torch.nn.Linear(10, 4), []
    monkeypatch.setattr(checkpoint, "need_folder", lambda *given: asked.append(given))
    check_place(tmp_path / "run.pt", model)
    assert asked == [(tmp_path, "give checkpoint= a place in another folder", 5 * 44 * 4)]

    def full(*given):
        raise StorageError("no room here")

    monkeypatch.setattr(checkpoint, "need_folder", full)
    with pytest.raises(TrainingError, match=r"^checkpoint: no room here$"):
        check_place(tmp_path / "run.pt", model)


def test_damage_in_a_file_of_an_earlier_version_is_found(tmp_path):
    path = tmp_path / "run.pt"
    torch.save({"settings": {}, "more": torch.full((1000,), 3.0)}, path)
    assert load_checkpoint(path, {}, "cpu")["more"].sum() == 3000
    content = bytearray(path.read_bytes())
    three = torch.full((1,), 3.0).numpy().tobytes()
    content[content.index(three * 500) + 1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        TrainingError, match=r"cannot be read \(its part .*data/0 is damaged\): delete it"
    ):
        load_checkpoint(path, {}, "cpu")
