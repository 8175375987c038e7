"""Features of a frozen backbone, and their cache."""

import dataclasses
import pickle
import re

import numpy as np
import pytest
import torch

from hqnn_utils.data import ImageData, load_wisconsin
from hqnn_utils.models.backbones import SmallCNN
from hqnn_utils.models.features import (
    TRANSFORMS,
    extract_features,
    extract_pairs,
    feature_key,
    resized,
)


def images(n=6, size=28, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, size, size), dtype=np.uint8)
    split = np.array(["train"] * (n - 2) + ["val", "test"])
    ids = np.array([f"x/{i}" for i in range(n)])
    return ImageData(
        images=pixels,
        labels=np.arange(n) % 2,
        split=split,
        ids=ids,
        name="mine",
        source="file",
        digest="d" * 64,
    )


class Counting(SmallCNN):
    sizes = ()

    def forward(self, x):
        type(self).sizes += (tuple(x.shape),)
        assert not self.training
        assert not torch.is_grad_enabled()
        return super().forward(x)


@pytest.fixture
def counting():
    torch.manual_seed(0)
    Counting.sizes = ()
    return Counting()


def plain(network, x):
    judge = SmallCNN().eval()
    judge.load_state_dict(network.state_dict())
    with torch.no_grad():
        return judge(x).numpy()


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_features_are_computed_once(tmp_path, counting):
    data = images()
    first = extract_features(counting, data, cache=tmp_path, batch_size=4)
    assert first.shape == (6, 64)
    assert first.dtype == np.float32
    assert [shape[0] for shape in Counting.sizes] == [4, 2]
    assert counting.training, "the mode stays as it was"
    again = extract_features(counting, data, cache=tmp_path)
    assert len(Counting.sizes) == 2
    assert np.array_equal(first, again)
    close(first, plain(counting, data.tensors()[0]))
    assert [file.suffix for file in tmp_path.iterdir()] == [".npy"]


def test_evaluation_mode_stays_too(tmp_path, counting):
    extract_features(counting.eval(), images(), cache=tmp_path)
    assert not counting.training


def test_32_images_at_a_time(tmp_path, counting):
    extract_features(counting, images(34, 8), cache=tmp_path)
    assert [shape[0] for shape in Counting.sizes] == [32, 2]


def test_features_of_mirrored_images(tmp_path, counting):
    data = images()
    found = extract_features(counting, data, transform="mirror", cache=tmp_path)
    mirrored = dataclasses.replace(data, images=data.images[:, :, ::-1].copy())
    close(found, plain(counting, mirrored.tensors()[0]))
    assert not np.allclose(found, extract_features(counting, data, cache=tmp_path), atol=1e-3)
    x = torch.arange(6.0).view(1, 1, 2, 3)
    assert TRANSFORMS["mirror"](x).tolist() == [[[[2, 1, 0], [5, 4, 3]]]]
    assert TRANSFORMS["none"](x) is x


def test_resizing(tmp_path, counting):
    data = images()
    found = extract_features(counting, data, size=14, cache=tmp_path)
    assert Counting.sizes == ((6, 1, 14, 14),)
    small = torch.nn.functional.interpolate(
        data.tensors()[0], size=(14, 14), mode="bilinear", antialias=True
    )
    close(found, plain(counting, small))
    same = extract_features(counting, data, size=28, cache=tmp_path)
    assert np.array_equal(same, extract_features(counting, data, cache=tmp_path))
    assert len(Counting.sizes) == 2


def test_the_key_knows_weights_data_size_and_transform(counting):
    data = images()
    keys = [
        feature_key(counting, data, 28, "none"),
        feature_key(counting, images(seed=1), 28, "none"),
        feature_key(counting, data, 32, "none"),
        feature_key(counting, data, 28, "mirror"),
        feature_key(counting, data, 28, "none", "last_block"),
        feature_key(counting, data.take([0, 1]), 28, "none"),
        feature_key(counting, dataclasses.replace(data, digest="e" * 64), 28, "none"),
        feature_key(SmallCNN(depth=2), data, 28, "none"),
    ]
    assert keys[0] == feature_key(counting, images(), 28, "none", "end")
    with torch.no_grad():
        next(counting.parameters())[0, 0, 0, 0] += 0.1
    keys.append(feature_key(counting, data, 28, "none"))
    counting.blocks[0][1].running_mean[0] += 0.1
    keys.append(feature_key(counting, data, 28, "none"))
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 for key in keys)


def test_what_goes_into_the_last_block(tmp_path, counting):
    data = images()
    found = extract_features(counting, data, at="last_block", cache=tmp_path, batch_size=4)
    assert found.shape == (6, 32, 7, 7)
    assert counting.training, "the mode stays as it was"
    with torch.no_grad():
        close(found, counting.eval().blocks[:2](data.tensors()[0]).numpy())
    again = extract_features(counting, data, at="last_block", cache=tmp_path)
    assert np.array_equal(found, again)
    (file,) = tmp_path.glob("*.npy")
    for wrong in (np.zeros((6, 64), np.float32), np.zeros((5, 32, 7, 7), np.float32)):
        np.save(file, wrong)
        again = extract_features(counting, data, at="last_block", cache=tmp_path)
        assert np.array_equal(found, again)
    key = feature_key(counting, data, 28, "none", "last_block")
    counting.last_block = lambda: [counting.blocks[1]]
    assert feature_key(counting, data, 28, "none", "last_block") != key
    assert feature_key(counting, data, 28, "none") == feature_key(counting, data, 28, "none", "end")
    with pytest.raises(
        ValueError, match=r"^unknown place 'middle'; known: end, last_blocks, last_block$"
    ):
        extract_features(counting, data, at="middle", cache=tmp_path)


def test_pairs_of_an_image_and_its_mirror_image(tmp_path, counting):
    data = images()
    mirrored = dataclasses.replace(data, images=data.images[:, :, ::-1].copy())
    frozen = extract_pairs(counting.set_fine_tune("frozen"), data, cache=tmp_path)
    assert frozen.shape == (6, 2, 64)
    close(frozen[:, 0].numpy(), plain(counting, data.tensors()[0]))
    close(frozen[:, 1].numpy(), plain(counting, mirrored.tensors()[0]))
    for how, shape in (("last_block", (32, 3, 3)), ("last_blocks", (16, 7, 7))):
        pairs = extract_pairs(counting.set_fine_tune(how), data, size=14, cache=tmp_path)
        assert pairs.shape == (6, 2, *shape)
        for place, part in enumerate((data, mirrored)):
            wanted = extract_features(counting, part, size=14, at=how, cache=tmp_path / "own")
            close(pairs[:, place].numpy(), wanted)


def test_resized():
    x = torch.randn(2, 1, 28, 28)
    assert resized(x, None) is x
    assert resized(x, 28) is x
    assert resized(x, 56).shape == (2, 1, 56, 56)
    assert resized(torch.randn(2, 3, 28, 14), 28).shape == (2, 3, 28, 28)


def test_unknown_transform(tmp_path, counting):
    with pytest.raises(ValueError, match=r"^unknown transform 'rotate'; known: none, mirror$"):
        extract_features(counting, images(), transform="rotate", cache=tmp_path)


def test_a_table_has_its_features(tmp_path, counting):
    message = "a table holds its features already: take data.tensors(), and fine_tune='full'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        extract_features(counting, load_wisconsin(), cache=tmp_path)


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_a_damaged_entry_is_computed_anew(tmp_path, counting, capsys):
    data = images()
    wanted = extract_features(counting, data, cache=tmp_path)
    (file,) = tmp_path.glob("*.npy")
    for content in (b"", file.read_bytes()[:100], pickle.dumps(Evil())):
        file.write_bytes(content)
        np.testing.assert_array_equal(extract_features(counting, data, cache=tmp_path), wanted)
    np.save(file, np.zeros((2, 2), np.float32))
    np.testing.assert_array_equal(extract_features(counting, data, cache=tmp_path), wanted)
    np.save(file, np.array([Evil()], dtype=object), allow_pickle=True)
    np.testing.assert_array_equal(extract_features(counting, data, cache=tmp_path), wanted)
    assert len(Counting.sizes) == 6
    assert "must not run" not in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, counting):
    (tmp_path / "file").write_text("in the way")
    below = tmp_path / "file" / "below"
    with pytest.warns(UserWarning, match="features are not kept") as caught:
        found = extract_features(counting, images(), cache=below)
    assert found.shape == (6, 64)
    assert str(caught[0].message) == (
        f"features are not kept: {below} cannot be written (Not a directory): "
        "set HQNN_CACHE to a folder of yours"
    )
    assert caught[0].filename == __file__, "it names the line that called"


def test_the_usual_folder(tmp_path, counting, monkeypatch):
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path / "new" / "cache"))
    extract_features(counting, images())
    (file,) = (tmp_path / "new" / "cache").glob("*.npy")
    assert file.stem == feature_key(counting, images(), 28, "none")


def test_a_bar_with_a_label_or_silence(tmp_path, counting, capsys):
    extract_features(counting, images(), cache=tmp_path)
    assert capsys.readouterr() == ("", "")
    extract_features(counting, images(seed=1), cache=tmp_path, progress="resnet18-random")
    shown = capsys.readouterr()
    assert "resnet18-random: 100%" in shown.out
    assert shown.err == ""


def test_the_network_is_put_back_where_it_was(monkeypatch, tmp_path):
    """The device of a machine with a GPU is played by one that computes nothing."""

    class Moving(SmallCNN):
        at = ()

        def to(self, device=None, **options):
            self.at += () if device is None else (torch.device(device).type,)
            return self

        def forward(self, x):
            assert self.at == ("meta",)
            return torch.zeros(len(x), self.n_features)

    monkeypatch.setattr("hqnn_utils.models.features.default_device", lambda: "meta")
    network = Moving()
    extract_features(network, images(), cache=tmp_path)
    assert network.at == ("meta", "cpu")
    assert network.training
