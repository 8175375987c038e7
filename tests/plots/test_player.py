"""The player of a page without a kernel: small, with alt texts, run by a real browser."""

import base64
import io
import shutil
import subprocess

import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from hqnn_utils.plots import player as players

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")


def figure(height, size=(6, 3)):
    """A bar of some height."""
    made, axis = plt.subplots(figsize=size)
    axis.bar([0], [height], color="#D55E00")
    axis.set(ylim=(0, 10), ylabel="height")
    plt.close(made)
    return made


def player(count=6, start=2, name="height"):
    heights = range(1, count + 1)
    return players.player(name, [f"{name} = {h}" for h in heights], map_to(figure, heights), start)


def map_to(draw, values):
    return [draw(value) for value in values]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)


def test_frames_are_small_and_of_one_size():
    made = player()
    (size,) = {Image.open(io.BytesIO(frame.png)).size for frame in made.frames}
    assert 500 <= size[0] <= 600
    assert 250 <= size[1] <= 300
    assert all(len(frame.png) < 5_000 for frame in made.frames)
    (wide,) = players.player("x", ["x = 1"], [figure(1, size=(20, 5))]).frames
    assert abs(Image.open(io.BytesIO(wide.png)).width - 720) <= 1


@pytest.fixture
def colourful():
    """A map in which nearly all pixels are blue, and a colour bar that ends in dark red."""
    drawn, axis = plt.subplots(figsize=(6, 4))
    values = np.linspace(-1, -0.2, 2500).reshape(50, 50)
    shown = axis.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
    drawn.colorbar(shown)
    plt.close(drawn)
    return drawn


def test_few_colours_look_the_same(colourful):
    """The palette changes no pixel of a drawing by more than a shade."""
    drawn = colourful
    with io.BytesIO() as file:
        box = players.common_box([drawn])
        drawn.savefig(file, dpi=100, facecolor="white", bbox_inches=box)
        full = pixels(file.getvalue())
    few = pixels(players.picture_of(drawn, 100, box))
    assert np.abs(full - few).max() <= 16
    assert np.abs(full - few).mean() < 1.5


def test_frames_that_do_not_compress_get_fewer_pixels():
    rng = np.random.default_rng(0)

    def noise(_):
        made, axis = plt.subplots(figsize=(6, 6))
        axis.imshow(rng.random((300, 300)), cmap="gray")
        plt.close(made)
        return made

    made = players.player("n", ["n = 1", "n = 2"], map_to(noise, range(2)))
    (size,) = {Image.open(io.BytesIO(frame.png)).size for frame in made.frames}
    assert 240 <= size[0] <= 300, "half as wide, not less"


def test_nothing_is_cut_off_in_any_frame():
    """What one figure draws outside its edges, as an inline figure may, is in all frames."""
    inside, outside = figure(1), figure(1)
    outside.text(1.1, 1.2, "outside", color="#0072B2")
    made = players.player("x", ["x = 1", "x = 2"], [inside, outside])
    first, second = (pixels(frame.png) for frame in made.frames)
    assert first.shape == second.shape
    assert first.shape[1] > 600
    blue = np.abs(second - (0x00, 0x72, 0xB2)).sum(axis=2) < 60
    assert blue.any()
    assert not blue[:, -5:].any()


def test_figures_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="the frames of a player have one size"):
        players.player("x", ["x = 1", "x = 2"], [figure(1), figure(2, size=(5, 3))])


def test_a_notebook_gets_a_page_a_picture_and_a_text():
    bundle = player()._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/png", "text/plain"]
    assert bundle["text/plain"] == "Player of 6 frames: height = 1 ... height = 6"
    sheet = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    width, height = Image.open(io.BytesIO(player().frames[0].png)).size
    tall = round(400 * height / width) + 22
    assert sheet.size == (3 * 400, 2 * tall), "two rows of three, each with a label"
    again = player()._repr_mimebundle_()
    assert bundle == again, "the same figures give the same file"


def test_small_multiples_show_the_frames_in_their_order():
    """In each cell of the sheet the bar is as high as in its frame."""
    sheet = pixels(player().small_multiples())
    tall = len(sheet) // 2
    orange = np.abs(sheet - (0xD5, 0x5E, 0x00)).sum(axis=2) < 60
    cells = [
        orange[tall * row :][:222, 400 * c :][:, :400].sum() for row in (0, 1) for c in (0, 1, 2)
    ]
    assert cells == sorted(cells)
    assert cells[5] / cells[0] == pytest.approx(6, rel=0.1)
    labels = sheet[:20, :200]
    assert labels.min() < 100, "a label is written above the first"


def test_without_javascript_all_frames_are_there_with_alt_texts():
    page = BeautifulSoup(player().html(), "html.parser")
    group = page.find(attrs={"data-hqnn-player": True})
    assert group["role"] == "group"
    assert group["aria-label"] == "height: 6 frames"
    assert [image["alt"] for image in page.find_all("img")] == [
        f"height = {i}" for i in range(1, 7)
    ]
    assert not page.find_all("input"), "no slider that does nothing"
    assert "http" not in player().html(), "nothing is loaded from elsewhere"


def run_in_browser(body, folder, script=""):
    """The page after its scripts, and one of ours, have run."""
    path = folder / "page.html"
    path.write_text(f"<!DOCTYPE html><html><body>{body}<script>{script}</script></body></html>")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return BeautifulSoup(done.stdout, "html.parser")


def shown(group):
    return [
        figure.figcaption.text
        for figure in group.find_all("figure")
        if "display: none" not in figure["style"] and "display:none" not in figure["style"]
    ]


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="no Chromium or Chrome")
def test_a_real_browser_turns_the_knobs(tmp_path):
    """Two players on a page, one of them twice: each slider moves its own frames only."""
    one, other = player(), player(name="</script>\"'<b>", start=0, count=4)
    script = """
        var sliders = document.querySelectorAll('input[type=range]');
        sliders[1].value = 3;
        sliders[1].dispatchEvent(new Event('input'));
    """
    page = run_in_browser(one.html() + other.html() + one.html(), tmp_path, script)
    groups = page.find_all(attrs={"data-hqnn-player": True})
    assert [shown(group) for group in groups] == [
        ["height = 3"],
        ["</script>\"'<b> = 4"],
        ["height = 3"],
    ]
    assert [len(group.find_all("input")) for group in groups] == [1, 1, 1]
    label = groups[0].find("label")
    assert label.text == "heightheight = 3", "the slider's name and what is shown"
    assert label.input["aria-valuetext"] == "height = 3"
    assert (label.input["min"], label.input["max"], label.input["step"]) == ("0", "5", "1")
    assert groups[1].find("label").output.text == "</script>\"'<b> = 4"
