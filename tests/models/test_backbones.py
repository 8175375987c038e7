"""Backbones against torchvision itself; weights come from a server on this machine, never the real one."""

import functools
import hashlib
import http.server
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from hqnn_utils.data import ImageData
from hqnn_utils.models import Classifier, build_head, count_parameters
from hqnn_utils.models import backbones as hb
from hqnn_utils.models.backbones.torchvision_nets import IMAGENET_MEAN, IMAGENET_STD
from hqnn_utils.models.features import extract_features
from hqnn_utils.training.loop import fit

LARGE = [name for name, recipe in hb.BACKBONES.items() if recipe.imagenet is not None]
FEATURES = {
    "small_cnn": 64,
    "small_cnn_6": 64,
    "resnet18": 512,
    "resnet50": 2048,
    "efficientnet_v2_s": 1280,
    "efficientnet_b5": 2048,
}


def images(n=6, size=28, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, size, size), dtype=np.uint8)
    split = np.array(["train"] * (n - 2) + ["val", "test"])
    return ImageData(
        images=pixels,
        labels=np.arange(n) % 2,
        split=split,
        ids=np.array([f"x/{i}" for i in range(n)]),
        name="mine",
        source="file",
        digest="d" * 64,
    )


@pytest.fixture(scope="module")
def resnet_state():
    torch.manual_seed(0)
    model = torchvision.models.resnet18()
    model.train()
    model(torch.randn(4, 3, 32, 32))  # batch-norm statistics that are not the default ones
    return model.eval().state_dict()


@pytest.mark.parametrize("name", list(FEATURES))
@pytest.mark.parametrize("channels", [1, 3])
def test_features_known_without_a_forward_pass(name, channels):
    backbone = hb.build_backbone(name, channels).eval()
    assert backbone.n_features == FEATURES[name]
    with torch.no_grad():
        for size in (28, 33):
            assert backbone(torch.randn(2, channels, size, size)).shape == (2, FEATURES[name])


@pytest.mark.parametrize("name", ["small_cnn", "resnet18"])
def test_largest_size(name):
    with torch.no_grad():
        assert hb.build_backbone(name).eval()(torch.randn(1, 1, 224, 224)).shape == (
            1,
            FEATURES[name],
        )


def test_weights_give_torchvisions_own_answer(tmp_path, resnet_state):
    """Three channels: the network torchvision describes, on inputs normalised as torchvision says. One channel: the grey image in all three."""
    torch.save(resnet_state, tmp_path / "r18.pth")
    judge = torchvision.models.resnet18()
    judge.load_state_dict(resnet_state)
    judge.fc = torch.nn.Identity()
    judge.eval()
    pixels = torch.rand(2, 3, 40, 40)
    normalise = torchvision.transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    ours = hb.build_backbone("resnet18", 3, tmp_path / "r18.pth").eval()
    with torch.no_grad():
        torch.testing.assert_close(
            ours(pixels * 2 - 1), judge(normalise(pixels)), rtol=1e-4, atol=1e-4
        )
        grey, mean, std = pixels[:, :1], np.mean(IMAGENET_MEAN), np.mean(IMAGENET_STD)
        copied = ((grey - mean) / std).float().repeat(1, 3, 1, 1)
        one = hb.build_backbone("resnet18", 1, tmp_path / "r18.pth").eval()
        torch.testing.assert_close(one(grey * 2 - 1), judge(copied), rtol=1e-4, atol=1e-4)


def test_efficientnet_takes_a_file_too(tmp_path):
    torch.manual_seed(0)
    model = torchvision.models.efficientnet_v2_s()
    torch.save(model.state_dict(), tmp_path / "v2.pth")
    ours = hb.build_backbone("efficientnet_v2_s", 1, tmp_path / "v2.pth")
    wanted = model.features[0][0].weight.sum(1, keepdim=True)
    torch.testing.assert_close(ours.body.features[0][0].weight, wanted)


@pytest.mark.parametrize("name", ["small_cnn", "resnet18", "efficientnet_v2_s"])
def test_fine_tuning_moves_what_it_should(name):
    """After training, frozen backbones are bit for bit the same, batch-norm statistics included."""
    x, y = torch.randn(8, 1, 28, 28), torch.arange(8) % 2
    trainable = {}
    for how in hb.FINE_TUNE:
        torch.manual_seed(0)
        backbone = hb.build_backbone(name, fine_tune=how)
        before = {k: v.clone() for k, v in backbone.state_dict().items()}
        fit(
            Classifier(backbone, build_head("linear", backbone.n_features)),
            (x, y),
            (x, y),
            epochs=1,
            batch_size=4,
            augment=None,
            progress=False,
        )
        moved = {k for k, v in backbone.state_dict().items() if not torch.equal(v, before[k])}
        last = {
            k
            for k in before
            if any(
                k.startswith(p)
                for p in ("blocks.2.", "body.layer4.", "body.features.6.", "body.features.7.")
            )
        }
        if how == "frozen":
            assert moved == set()
        elif how == "last_block":
            assert moved
            assert moved <= last
        else:
            assert moved - last
        trainable[how] = count_parameters(backbone)
    assert 0 == trainable["frozen"] < trainable["last_block"] < trainable["full"]


def test_state_of_the_small_cnn(tmp_path):
    torch.save(hb.SmallCNN().state_dict(), tmp_path / "small.pt")
    assert hb.build_backbone("small_cnn", 1, tmp_path / "small.pt").n_features == 64
    with pytest.raises(hb.WeightsError, match="small_cnn has no ImageNet weights"):
        hb.build_backbone("small_cnn", weights="imagenet")


# ---------------------------------------------------------------- weights that cannot be had


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch.hub's cache in a folder of the test's own, and a server on the loopback address for its downloads."""
    served = tmp_path / "served"
    served.mkdir()
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(served))
    )
    threading.Thread(target=httpd.serve_forever, daemon=True).start()

    def point(url):
        changed = type("W", (), {})()
        changed.url = url
        changed.get_state_dict = lambda *a, **k: (
            torchvision._internally_replaced_utils.load_state_dict_from_url(url, *a, **k)
        )
        monkeypatch.setattr(
            torchvision.models, "get_model_weights", lambda name: {"IMAGENET1K_V1": changed}
        )

    yield served, f"http://127.0.0.1:{httpd.server_port}", point
    httpd.shutdown()
    httpd.server_close()


def test_imagenet_from_a_server_with_its_checksum(hub, resnet_state):
    served, address, point = hub
    torch.save(resnet_state, served / "plain.pth")
    digest = hashlib.sha256((served / "plain.pth").read_bytes()).hexdigest()[:8]
    (served / "plain.pth").rename(served / f"resnet18-{digest}.pth")
    point(f"{address}/resnet18-{digest}.pth")
    backbone = hb.build_backbone("resnet18", 3, "imagenet")
    torch.testing.assert_close(
        backbone.body.layer1[0].conv1.weight, resnet_state["layer1.0.conv1.weight"]
    )
    kept = Path(torch.hub.get_dir()) / "checkpoints" / f"resnet18-{digest}.pth"
    kept.write_bytes(
        kept.read_bytes()[:-100]
    )  # damaged in the cache: torchvision alone would not look
    with pytest.raises(hb.WeightsError, match=f"is damaged .* {digest}.*delete it and run again"):
        hb.build_backbone("resnet18", 3, "imagenet")


def test_a_wrong_checksum_is_refused(hub, resnet_state):
    served, address, point = hub
    torch.save(resnet_state, served / "resnet18-00000000.pth")
    point(f"{address}/resnet18-00000000.pth")
    with pytest.raises(hb.WeightsError, match="arrived damaged .*weights=None"):
        hb.build_backbone("resnet18", weights="imagenet")


@pytest.mark.parametrize("where", ["refused", "not found"])
def test_not_reachable_offers_ways_on(hub, where):
    _, address, point = hub
    point(
        "http://127.0.0.1:9/resnet18-f37072fd.pth"
        if where == "refused"
        else f"{address}/resnet18-f37072fd.pth"
    )
    with pytest.raises(
        hb.WeightsError,
        match="(?s)ImageNet weights of resnet18 are not reachable.*weights=None.*give its path",
    ):
        hb.build_backbone("resnet18", weights="imagenet")


def test_the_table_names_weights_that_torchvision_has():
    for name in LARGE:
        weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        assert weights.url.startswith("https://download.pytorch.org/models/")
        assert len(weights.url.rsplit("-", 1)[1]) >= 12


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    "content, message",
    [
        ("missing", "no weights at"),
        (b"\x00garbage", "cannot be read as a plain state dict"),
        ("pickle", "cannot be read as a plain state dict"),
        ([1, 2], "hold no state dict"),
        ({"conv1.weight": torch.zeros(2)}, "do not belong to resnet18"),
        ("small", "do not belong to resnet18"),
    ],
)
def test_bad_files_are_clear_and_never_run(tmp_path, capsys, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "pickle":
        path.write_bytes(pickle.dumps(Evil()))
    elif content == "small":
        torch.save(hb.SmallCNN().state_dict(), path)
    elif content != "missing":
        torch.save(content, path)
    with pytest.raises(hb.WeightsError, match=message):
        hb.build_backbone("resnet18", weights=path)
    assert "must not run" not in capsys.readouterr().out


def test_unknown_settings():
    with pytest.raises(
        ValueError, match="unknown fine_tune 'half'; known: full, last_block, frozen"
    ):
        hb.build_backbone(fine_tune="half")
    with pytest.raises(
        ValueError, match="unknown backbone 'vgg'; known: small_cnn, small_cnn_6, resnet18"
    ):
        hb.build_backbone("vgg")


# ---------------------------------------------------------------- features and their cache


class Counting(hb.SmallCNN):
    calls = 0

    def forward(self, x):
        type(self).calls += 1
        return super().forward(x)


@pytest.fixture
def counting():
    torch.manual_seed(0)
    Counting.calls = 0
    return Counting()


def test_features_are_computed_once(tmp_path, counting):
    data = images()
    first = extract_features(counting, data, cache=tmp_path, batch_size=4)
    assert first.shape == (6, 64)
    assert first.dtype == np.float32
    assert Counting.calls == 2
    assert counting.training
    again = extract_features(counting, data, cache=tmp_path)
    assert Counting.calls == 2
    assert np.array_equal(first, again)
    with torch.no_grad():
        np.testing.assert_allclose(
            first, counting.eval()(data.tensors()[0]).numpy(), rtol=1e-5, atol=1e-6
        )


def test_the_key_knows_weights_data_size_and_transform(tmp_path, counting):
    data = images()
    extract_features(counting, data, cache=tmp_path)
    extract_features(counting, images(seed=1), cache=tmp_path)
    extract_features(counting, data, size=32, cache=tmp_path)
    extract_features(counting, data, transform="mirror", cache=tmp_path)
    with torch.no_grad():
        next(counting.parameters()).add_(0.1)
    extract_features(counting, data, cache=tmp_path)
    extract_features(counting, data.take([0, 1]), cache=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 6 == Counting.calls
    mirrored = extract_features(counting, data, transform="mirror", cache=tmp_path)
    assert not np.allclose(mirrored, extract_features(counting, data, cache=tmp_path))
    with pytest.raises(ValueError, match="unknown transform 'rotate'; known: none, mirror"):
        extract_features(counting, data, transform="rotate", cache=tmp_path)


def test_a_damaged_entry_is_computed_anew(tmp_path, counting):
    data = images()
    wanted = extract_features(counting, data, cache=tmp_path)
    (file,) = tmp_path.glob("*.npy")
    for content in (b"", file.read_bytes()[:100], pickle.dumps(Evil())):
        file.write_bytes(content)
        np.testing.assert_array_equal(extract_features(counting, data, cache=tmp_path), wanted)
    np.save(file, np.zeros((2, 2), np.float32))
    np.testing.assert_array_equal(extract_features(counting, data, cache=tmp_path), wanted)


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, counting, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="features are not kept.*HQNN_CACHE"):
        found = extract_features(counting, images(), cache=tmp_path / "file" / "below")
    assert found.shape == (6, 64)
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path / "elsewhere"))
    extract_features(counting, images())
    assert len(list((tmp_path / "elsewhere").glob("*.npy"))) == 1
