"""The README's answer: a sentence, a picture and the table that decides, all from records.

Designs of plan v2 whose runs are not complete are left out and appear by themselves later. The
picture is drawn as plain SVG, so that the same records give the same file on every machine.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape

from coursekit.files import Tree

# Designs in the order of the picture: in words, colour. The first one is the main table.
SHOWN = {
    "frozen_all_v2": ("pretrained network, frozen; all 780 images", "#0072B2"),
    "frozen_official_v2": ("pretrained network, frozen; official split", "#56B4E9"),
    "small_cnn_all_v2": ("small CNN; all 780 images", "#D55E00"),
    "small_cnn_official_v2": ("small CNN; official split", "#E69F00"),
}
SHORT = {
    "equivalent within two points": "equivalent",
    "at least two points excluded": "excluded",
}
PICTURE = "verdicts.svg"
MARGIN = 2  # points
EDGE = 8  # points; what lies beyond is an arrow
LEFT, RIGHT, TOP, SCALE, LINE = 300, 190, 34, 22, 11  # pixels; SCALE is one point of AUC


@lru_cache  # the measured families do not change while this runs
def judged() -> dict:
    """The judge's table of each complete design on breast images and of the positive control."""
    from hqnn_utils.studies.designs import BREAST_IMAGES, is_complete, judge_design

    return {
        name: judge_design(name) for name in (*BREAST_IMAGES, "planted_v2") if is_complete(name)
    }


def answer(tree: Tree) -> str:
    """The README's part: sentence, picture with its alt text, table."""
    from hqnn_utils.studies.designs import answer_in_words

    path = (tree.results / PICTURE).relative_to(tree.root).as_posix()
    lines = [f"**{answer_in_words(judged())}**", f"![{alt_text()}]({path})", *table()]
    return "\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:])


def table() -> list[str]:
    """Markdown: each claim of the main table with its verdict, and the words of the others."""
    tables = _shown()
    (main_name, main), *others = tables.items()
    lines = [
        _row(
            "does A add two points of AUC to B?",
            f"A − B, points (one-sided 95 % bounds); {SHOWN[main_name][0]}",
            "verdict",
            *(SHOWN[name][0] for name, _ in others),
        ),
        _row(*["---"] * (3 + len(others))),
    ]
    for claim, about in main.iterrows():
        asks = f"{claim}: {about['asks']} (`{about['A']}` against `{about['B']}`)"
        gain, lower, upper = (100 * about[k] for k in ("difference", "lower", "upper"))
        words = [_word(t.loc[claim]) if claim in t.index else "not asked" for _, t in others]
        points = f"{gain:+.1f} ({lower:+.1f} to {upper:+.1f})"
        lines.append(_row(asks, points, f"**{_word(about)}**", *words))
    return lines


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown() -> dict:
    """The complete tables of the picture, claims that are judged only."""
    found = {name: judged()[name] for name in SHOWN if name in judged()}
    return {name: table[table["verdict"] != ""] for name, table in found.items()}


def _word(row) -> str:
    return SHORT.get(row["verdict"], row["verdict"])


def alt_text() -> str:
    """What the picture shows, for those who cannot see it."""
    tables = _shown()
    main = 100 * next(iter(tables.values()))[["lower", "upper"]].astype(float)
    inside = ((main["lower"] > -MARGIN) & (main["upper"] < MARGIN)).sum()
    beyond = (main["lower"] > MARGIN).sum()
    return (
        f"Differences of AUC for {len(main)} claims, a bar for each of {len(tables)} tables, over "
        f"a grey band of two points on either side of zero. In the main table {inside} bars lie "
        f"inside the band and {beyond} to the right of it."
    )


def picture() -> str:
    """The picture as SVG: a row a claim, in it a bar a design, between its one-sided bounds."""
    tables = _shown()
    main = next(iter(tables.values()))
    high = LINE * len(tables) + 12  # of a row
    bottom = TOP + high * len(main)
    width = LEFT + 2 * EDGE * SCALE + RIGHT
    parts = [_band(bottom), *_axis(bottom)]
    for row, (claim, about) in enumerate(main.iterrows()):
        y = TOP + high * row
        middle = y + high / 2
        text = f"{claim}  {about['A']} − {about['B']}"
        parts.append(_text(LEFT - 12, middle, text, anchor="end"))
        parts.append(_text(width - RIGHT + 12, middle, _word(about), bold=True))
        bars = [(name, t.loc[claim]) for name, t in tables.items() if claim in t.index]
        for line, (name, found) in enumerate(bars):
            parts += _bar(found, y + 6 + LINE * (line + 0.5), SHOWN[name][1], line == 0)
    parts += _legend(list(tables), bottom + 44)
    height = bottom + 44 + 18 * len(tables)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="Helvetica, Arial, sans-serif" '
            'font-size="13">',
            f"<title>{escape(alt_text())}</title>",
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _x(points: float) -> float:
    return LEFT + (min(max(points, -EDGE), EDGE) + EDGE) * SCALE


def _band(bottom: int) -> str:
    x, wide = _x(-MARGIN), 2 * MARGIN * SCALE
    return f'<rect x="{x:g}" y="{TOP}" width="{wide}" height="{bottom - TOP}" fill="#e8e8e8"/>'


def _axis(bottom: int) -> list[str]:
    look = 'stroke="#888" stroke-width="1"'
    parts = [f'<line x1="{_x(0):g}" y1="{TOP}" x2="{_x(0):g}" y2="{bottom}" {look}/>']
    parts.append(f'<line x1="{_x(-EDGE):g}" y1="{bottom}" x2="{_x(EDGE):g}" y2="{bottom}" {look}/>')
    for points in range(-EDGE, EDGE + 1, 2):
        sign = "−" if points < 0 else "+" if points else ""
        parts.append(_text(_x(points), bottom + 14, f"{sign}{abs(points)}", anchor="middle"))
    title = "A − B, points of AUC; a bar ends at the one-sided 95 % bounds"
    parts.append(_text(_x(0), TOP - 18, title, anchor="middle"))
    return parts


def _bar(row, y: float, colour: str, is_main: bool) -> list[str]:
    low, middle, high = (100 * row[k] for k in ("lower", "difference", "upper"))
    thick = 4 if is_main else 2
    line = f'<line x1="{_x(low):.1f}" y1="{y:g}" x2="{_x(high):.1f}" y2="{y:g}"'
    parts = [f'{line} stroke="{colour}" stroke-width="{thick}"/>']
    for end, way in ((low, -1), (high, 1)):
        if abs(end) > EDGE and end * way > 0:
            x = _x(end)
            points = f"{x:g},{y - 4:g} {x + 7 * way:g},{y:g} {x:g},{y + 4:g}"
            parts.append(f'<polygon points="{points}" fill="{colour}"/>')
    if abs(middle) < EDGE:
        parts.append(f'<circle cx="{_x(middle):.1f}" cy="{y:g}" r="3.5" fill="{colour}"/>')
    return parts


def _legend(names: list[str], top: int) -> list[str]:
    parts = []
    for line, name in enumerate(names):
        about, colour = SHOWN[name]
        y = top + 18 * line
        parts.append(
            f'<line x1="{LEFT}" y1="{y}" x2="{LEFT + 26}" y2="{y}" stroke="{colour}" '
            f'stroke-width="{4 if line == 0 else 2}"/>'
        )
        note = " (its verdicts stand on the right)" if line == 0 else ""
        parts.append(_text(LEFT + 34, y, about + note))
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" dominant-baseline="middle" text-anchor="{anchor}"{weight} '
        f'fill="#222">{escape(text)}</text>'
    )
