"""What a checkpoint belongs to, and what is refused."""

import pytest
import torch
from training_toys import net, toy

from hqnn_utils.training import TrainConfig, TrainingError
from hqnn_utils.training.checkpoint import identity, load_checkpoint, save_checkpoint


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
