"""Pretrained weights; they come from a server on this machine, never the real one."""

import functools
import hashlib
import http.server
import pickle
import re
import threading
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from hqnn_utils.models import WeightsError, build_backbone
from hqnn_utils.models.backbones.weights import imagenet_state, load_state, read_state

NAME = "mobilenet_v3_small"


def exactly(text):
    return f"^{re.escape(text)}$"


@functools.cache
def state():
    torch.manual_seed(0)
    return torchvision.models.get_model(NAME).state_dict()


def same(found, wanted):
    return found.keys() == wanted.keys() and all(torch.equal(found[k], wanted[k]) for k in found)


# ---------------------------------------------------------------- torchvision's server


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch.hub's cache in a folder of the test's own, and a server on the loopback address."""
    served = tmp_path / "served"
    served.mkdir()
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(served))
    )
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()

    def point(url):
        changed = type("W", (), {})()
        changed.url = url
        changed.get_state_dict = lambda *a, **k: (
            torchvision._internally_replaced_utils.load_state_dict_from_url(url, *a, **k)
        )
        table = {NAME: {"IMAGENET1K_V1": changed}}
        monkeypatch.setattr(torchvision.models, "get_model_weights", table.__getitem__)

    yield served, f"http://127.0.0.1:{httpd.server_port}", point
    httpd.shutdown()
    httpd.server_close()


def test_imagenet_from_a_server_with_its_checksum(hub, capfd):
    served, address, point = hub
    torch.save(state(), served / "plain.pth")
    digest = hashlib.sha256((served / "plain.pth").read_bytes()).hexdigest()[:8]
    (served / "plain.pth").rename(served / f"{NAME}-{digest}.pth")
    point(f"{address}/{NAME}-{digest}.pth")
    assert same(imagenet_state(NAME), state())
    assert capfd.readouterr() == ("", ""), "torch.hub would name a folder of this machine"
    (served / f"{NAME}-{digest}.pth").unlink()
    assert same(imagenet_state(NAME, "IMAGENET1K_V1"), state()), "the cache has it"
    backbone = build_backbone(NAME, 3, "imagenet")
    assert torch.equal(backbone.body.features[1].block[0][0].weight, first_block_weight())

    kept = Path(torch.hub.get_dir()) / "checkpoints" / f"{NAME}-{digest}.pth"
    kept.write_bytes(kept.read_bytes()[:-100])  # torchvision alone would not look
    message = (
        f"{kept} is damaged (its SHA-256 does not begin with {digest}): delete it and run again"
    )
    with pytest.raises(WeightsError, match=exactly(message)):
        imagenet_state(NAME)


def first_block_weight():
    return state()["features.1.block.0.0.weight"]


def test_a_wrong_checksum_is_refused(hub):
    served, address, point = hub
    torch.save(state(), served / f"{NAME}-00000000.pth")
    point(f"{address}/{NAME}-00000000.pth")
    with pytest.raises(
        WeightsError,
        match=rf"(?s)^ImageNet weights of {NAME} arrived damaged \(.*00000000.*\): "
        "run again, or use weights=None$",
    ):
        build_backbone(NAME, weights="imagenet")


@pytest.mark.parametrize("where", ["refused", "not found"])
def test_not_reachable_offers_ways_on(hub, where):
    _, address, point = hub
    server = "http://127.0.0.1:9" if where == "refused" else address
    url = f"{server}/{NAME}-f37072fd.pth"
    point(url)
    with pytest.raises(
        WeightsError,
        match=rf"(?s)^ImageNet weights of {NAME} are not reachable \(.*\). "
        "Use weights=None to start from random weights, "
        rf"or fetch {re.escape(url)} elsewhere and give its path as weights=.$",
    ):
        build_backbone(NAME, weights="imagenet")


# ---------------------------------------------------------------- files


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


SAVE_ONE = "save one with torch.save(model.state_dict(), path)"


def test_a_file_is_read_from_a_path_or_its_name(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(state(), path)
    assert same(read_state(path), state())
    assert same(read_state(str(path)), state())


def test_no_file(tmp_path):
    path = tmp_path / "weights.pth"
    message = f"no weights at {path}: check the path, or use weights=None or weights='imagenet'"
    with pytest.raises(WeightsError, match=exactly(message)):
        read_state(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00garbage", b"PK\x03\x04 cut short", pickle.dumps(Evil()), pickle.dumps({})[:-3]],
    ids=["empty", "garbage", "zip", "evil", "cut"],
)
def test_bad_files_are_clear_and_never_run(tmp_path, capsys, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(
        WeightsError,
        match=rf"^weights {re.escape(str(path))} cannot be read as a plain state dict "
        rf"\(.+\): {re.escape(SAVE_ONE)}$",
    ):
        read_state(path)
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {"a": torch.zeros(1), "b": "text"}])
def test_what_is_no_state_dict(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    message = f"weights {path} hold no state dict (names and tensors): {SAVE_ONE}"
    with pytest.raises(WeightsError, match=exactly(message)):
        read_state(path)


# ---------------------------------------------------------------- does it belong?


def small_network():
    features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    return nn.ModuleDict(
        {"features": features, "classifier": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))}
    )


def misfit(n, first):
    return exactly(
        f"the weights do not belong to mine: {n} entries are missing or differ, "
        f"the first is {first!r}"
    )


def test_all_but_the_last_layer_is_loaded():
    wanted, network = small_network().state_dict(), small_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    load_state(network, wanted, "mine", last="classifier.1")
    after = network.state_dict()
    for key in after:
        source = before if key.startswith("classifier.1.") else wanted
        assert torch.equal(after[key], source[key]), key
    load_state(network, wanted, "mine")
    assert same(network.state_dict(), wanted), "without a last layer everything is loaded"


def test_the_last_layer_may_be_of_other_classes_or_missing():
    other = {**small_network().state_dict(), "classifier.1.weight": torch.zeros(7, 2)}
    load_state(small_network(), other, "mine", last="classifier.1")
    other["classifier.2.weight"] = torch.zeros(1)
    del other["classifier.1.bias"]
    load_state(small_network(), other, "mine", last="classifier.1")
    with pytest.raises(WeightsError, match=misfit(3, "classifier.1.weight")):
        load_state(small_network(), other, "mine")


def test_missing_strange_and_misshapen_entries():
    good = small_network().state_dict()
    for key in ("features.0.weight", "classifier.0.bias", "features.1.running_mean"):
        for changed in (
            {k: v for k, v in good.items() if k != key},
            {**good, key: torch.zeros(1, 1)},
        ):
            network = small_network()
            before = {k: v.clone() for k, v in network.state_dict().items()}
            with pytest.raises(WeightsError, match=misfit(1, key)):
                load_state(network, changed, "mine", last="classifier.1")
            assert same(network.state_dict(), before), "nothing is loaded by halves"
    with pytest.raises(WeightsError, match=misfit(1, "features.9.weight")):
        load_state(
            small_network(),
            {**good, "features.9.weight": torch.zeros(1)},
            "mine",
            last="classifier.1",
        )


def test_old_files_lack_a_counter():
    """torchvision's own loader accepts them too."""
    good = small_network().state_dict()
    old = {k: v for k, v in good.items() if not k.endswith("num_batches_tracked")}
    network = small_network()
    load_state(network, old, "mine", last="classifier.1")
    assert torch.equal(network.features[0].weight, good["features.0.weight"])
    counter = "features.1.num_batches_tracked"
    with pytest.raises(WeightsError, match=misfit(1, counter)):
        load_state(network, {**good, counter: torch.zeros(2)}, "mine", last="classifier.1")


def test_densenet_has_old_names_in_its_published_file(tmp_path):
    """As in torchvision's file: ``denselayer1.norm.1.weight``; judged by torchvision's loader."""
    torch.manual_seed(0)
    judge = torchvision.models.densenet121().state_dict()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", key): value
        for key, value in judge.items()
        if not key.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    backbone = build_backbone("densenet121", 3, tmp_path / "old.pth")
    found = backbone.body.state_dict()
    assert all(torch.equal(found[key], judge[key]) for key in found)


@pytest.mark.parametrize("other", ["resnet18", "mobilenet_v3_large"])
def test_another_network_s_file_is_refused(tmp_path, other):
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in torchvision.models.get_model(other).state_dict().items()}
    torch.save({key: torch.zeros(()).expand(s) for key, s in shapes.items()}, tmp_path / "f")
    with pytest.raises(WeightsError, match=f"^the weights do not belong to {NAME}: "):
        build_backbone(NAME, weights=tmp_path / "f")
