"""A picture with a knob for pages without a kernel: many frames and a slider of the page's own.

``matplotlib.animation`` has ``to_jshtml`` for that. It was not taken: its pages are more than twice
as large, its frames have no alt text, its slider has no name, it loads a style sheet from another
server, and without JavaScript it shows nothing.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from string import Template

from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image, ImageDraw, ImageFont

from hqnn_utils.runtime.arguments import checked

FRAME_WIDTH = 720  # pixels
FRAME_BYTES = 25_000
FRAME_COLOURS = 128
COLUMNS, COLUMN_WIDTH, LABEL_HEIGHT = 3, 400, 22  # of the small multiples, in pixels

# Without JavaScript the frames stand side by side. The script shows one of them and adds a slider.
PAGE = Template(
    """\
<div data-hqnn-player="$key" role="group" aria-label="$about">
$frames
</div>
<script>
document.querySelectorAll('[data-hqnn-player="$key"]').forEach(function (player) {
  if (player.dataset.ready) return;
  player.dataset.ready = "yes";
  var frames = Array.from(player.querySelectorAll("figure"));
  var label = document.createElement("label"), slider = document.createElement("input");
  var output = document.createElement("output");
  slider.type = "range"; slider.min = 0; slider.max = frames.length - 1; slider.step = 1;
  slider.style.cssText = "width:min(24em,60%);vertical-align:middle;margin:0 0.8em";
  function show() {
    var text = frames[slider.value].querySelector("figcaption").textContent;
    frames.forEach(function (frame, i) { frame.style.display = i == slider.value ? "" : "none"; });
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  }
  frames.forEach(function (frame) {
    frame.style.width = "auto";
    frame.querySelector("figcaption").style.display = "none";
  });
  label.append($name, slider, output);
  label.style.cssText = "display:block;font-family:sans-serif;font-size:14px;padding:4px";
  player.append(label);
  slider.addEventListener("input", show);
  slider.value = $start;
  show();
});
</script>"""
)
FRAME = Template(
    """\
<figure style="display:inline-block;width:32%;margin:0;vertical-align:top">\
<img alt="$label" src="data:image/png;base64,$png" style="max-width:100%">\
<figcaption>$label</figcaption></figure>"""
)


@dataclass(frozen=True)
class Frame:
    """One picture and what its controls say: ``"threshold = 0.5"``."""

    label: str
    png: bytes


@dataclass(frozen=True)
class Player:
    """What a notebook shows of some frames.

    As HTML a player, in which a slider steps through the frames; as PNG, for a PDF and wherever
    HTML is not shown, the same frames side by side.

    Attributes
    ----------
    name : of the control that is stepped through.
    frames : the pictures, of equal size.
    start : which of them is shown at first.
    """

    name: str
    frames: tuple[Frame, ...]
    start: int = 0

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        """Called by notebooks."""
        return {
            "text/html": self.html(),
            "image/png": as_text(self.small_multiples()),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        first, last = self.frames[0].label, self.frames[-1].label
        return f"Player of {len(self.frames)} frames: {first} ... {last}"

    def html(self) -> str:
        """Return the player as a piece of a page that needs nothing else."""
        key = hashlib.sha256(b"".join(frame.png for frame in self.frames)).hexdigest()[:12]
        frames = "\n".join(
            FRAME.substitute(label=escape(frame.label), png=as_text(frame.png))
            for frame in self.frames
        )
        about = escape(f"{self.name}: {len(self.frames)} frames")
        name = json.dumps(self.name).replace("<", r"\u003c")  # a string of JavaScript
        return PAGE.substitute(key=key, about=about, frames=frames, name=name, start=self.start)

    def small_multiples(self) -> bytes:
        """Return the frames side by side as one PNG."""
        pictures = [Image.open(io.BytesIO(frame.png)).convert("RGB") for frame in self.frames]
        width, height = pictures[0].size
        size = (COLUMN_WIDTH, round(height * COLUMN_WIDTH / width))
        columns = min(COLUMNS, len(pictures))
        rows = -(-len(pictures) // columns)
        sheet = Image.new("RGB", (columns * size[0], rows * (size[1] + LABEL_HEIGHT)), "white")
        draw = ImageDraw.Draw(sheet)
        font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 14)
        for i, (frame, picture) in enumerate(zip(self.frames, pictures, strict=True)):
            left, top = i % columns * size[0], i // columns * (size[1] + LABEL_HEIGHT)
            draw.text((left + 4, top + 3), frame.label, fill="black", font=font)
            sheet.paste(picture.resize(size, Image.Resampling.LANCZOS), (left, top + LABEL_HEIGHT))
        return small_png(sheet)


def player(name: str, labels: Sequence[str], figures: Sequence[Figure], start: int = 0) -> Player:
    """Make a player of figures; all frames get the size of the first.

    Raises
    ------
    ValueError : figures of different sizes, whose frames would jump.
    """
    sizes = {tuple(figure.get_size_inches()) for figure in figures}
    if len(sizes) != 1:
        raise ValueError(f"the frames of a player have one size; found {sorted(sizes)} (inches)")
    box = common_box(figures)
    dpi = min(100.0, FRAME_WIDTH / box.width)
    pictures = [picture_of(figure, dpi, box) for figure in figures]
    largest = max(len(png) for png in pictures)
    if largest > FRAME_BYTES:  # photographs do not compress: fewer pixels
        dpi *= max(0.5, (FRAME_BYTES / largest) ** 0.5)
        pictures = [picture_of(figure, dpi, box) for figure in figures]
    frames = tuple(Frame(label, png) for label, png in zip(labels, pictures, strict=True))
    return Player(name, frames, start)


def common_box(figures: Sequence[Figure]) -> Bbox:
    """Return the part of the figures, in inches, that holds all that any of them draws.

    Notebooks cut each figure to what it draws; frames that are cut each by itself would jump.
    """
    boxes = [figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer()) for figure in figures]
    return Bbox.union(boxes).padded(0.1)


def picture_of(figure: Figure, dpi: float, box: Bbox) -> bytes:
    """Return the part of a figure that lies in a box as a small PNG."""
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=dpi, facecolor="white", bbox_inches=box)
        return small_png(Image.open(file).convert("RGB"))


def small_png(picture: Image.Image) -> bytes:
    """Return a picture as PNG with a palette of few colours, which drawings need no more of.

    The palette covers all colours, also those of few pixels: a colour bar keeps its ends.
    """
    few = picture.quantize(FRAME_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    with io.BytesIO() as file:
        few.save(file, "PNG", optimize=True)
        return file.getvalue()


def as_text(png: bytes) -> str:
    """Return a PNG as a notebook stores it."""
    return base64.b64encode(png).decode("ascii")


checked(__name__)
