"""What a run did, as one web page that needs no other file.

The page has its pictures and charts within it, asks nothing of the network,
runs no script, and is the same bytes whenever the arguments are the same.
"""

import base64
import hashlib
import html
import io
import itertools
import math
import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tfstyle import image_io

_LONG_EDGE = 1024  # pixels of a picture on the page
_JPEG_QUALITY = 85
_NUM_LEAD = 3  # pictures at the top: result, content, style

_NOT_LOSSES = ("step", "evaluations", "level", "height", "width", "seconds")

# A chart's sheet, and on it the edges of the rectangle that curves fill.
_SHEET_WIDTH, _SHEET_HEIGHT = 480, 308
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 472, 28, 268
_MAX_X_TICKS, _MAX_DECADES = 5, 12
_NUM_LOOKS = 8  # colors, and as many kinds of dashes, in the style sheet

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

_STYLE = """
:root { --paper: #fafafa; --mat: #f0f0f1; --line: #dededf; --ink: #1d1d1f;
  --quiet: #66666c; --c1: #005bd3; --c2: #ab1005; --c3: #0b987c;
  --c4: #9f2194; --c5: #b47008; --c6: #025550; --c7: #957cd1; }
@media screen and (prefers-color-scheme: dark) { :root {
  --paper: #141416; --mat: #1d1d20; --line: #303035; --ink: #ececee;
  --quiet: #a0a0a7; --c1: #6c92f0; --c2: #ec974e; --c3: #95e594;
  --c4: #c9668c; --c5: #a39020; --c6: #75b1ad; --c7: #d5a8ff; } }
* { box-sizing: border-box; }
body { max-width: 1184px; margin: 0 auto; padding: 0 16px 64px;
  background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.5 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
    sans-serif; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
header { padding: 40px 0 24px; }
header p, figcaption, th, text { color: var(--quiet); fill: var(--quiet); }
header p { margin: 8px 0 0; }
h1 { margin: 0; font-size: 28px; font-weight: 600; line-height: 1.2;
  letter-spacing: -.015em; text-wrap: balance; }
h2 { margin: 56px 0 16px; font-size: 20px; font-weight: 600; }
h3 { margin: 0; font-size: 16px; font-weight: 600; }
figure { margin: 0; }
figcaption { padding-top: 8px; font-size: 14px; }
img { display: block; width: 100%; height: auto; max-height: 85vh;
  background: var(--mat); object-fit: contain; }
.pictures { display: grid; gap: 24px 16px; margin-bottom: 24px;
  grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); }
.pictures:empty { display: none; }
.lead figure:first-child { grid-column: 1 / -1; }
.charts { display: grid; gap: 48px; }
.charts svg { display: block; width: 100%; height: auto; }
path, circle { fill: none; stroke: var(--ink); stroke-width: 1.75;
  stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.grid { stroke: var(--line); stroke-width: 1; }
.level { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 1 3; }
.c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
.c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); } .c6 { stroke: var(--c6); }
.c7 { stroke: var(--c7); }
.d1 { stroke-dasharray: 9 4; } .d2 { stroke-dasharray: 4 2; }
.d3 { stroke-dasharray: 1.5 2.5; } .d4 { stroke-dasharray: 9 3 2 3; }
.d5 { stroke-dasharray: 18 4; } .d6 { stroke-dasharray: 9 3 2 3 2 3; }
.d7 { stroke-dasharray: 4 3 1.5 3; } circle[class] { stroke-dasharray: none; }
text { font-size: 15px; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; table-layout: fixed;
  font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 0; border-bottom: 1px solid var(--line);
  font-weight: 400; text-align: left; vertical-align: top; }
.charts table { margin-top: 8px; font-size: 13px; }
.charts thead th + th, .charts td { width: 86px; text-align: right; }
.charts tbody th { padding: 7px 4px 7px 42px; color: var(--ink); }
.charts th svg { float: left; width: 32px; height: 20px; margin-left: -42px; }
.facts th { width: 124px; padding-right: 16px; }
pre { margin: 0; padding: 16px; background: var(--mat); white-space: pre-wrap;
  word-break: break-all; font: 13px/1.6 ui-monospace, "SF Mono", Menlo,
    Consolas, "Liberation Mono", monospace; }
@media print, (min-width: 760px) {
  body { padding: 0 32px 96px; }
  header { padding: 56px 0 32px; }
  h1 { font-size: 36px; }
  .pictures { grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); }
  .lead { grid-template: auto 1fr / 2.2fr 1fr; }
  .lead figure:first-child:not(:only-child) { grid-area: 1 / 1 / span 2; }
  .charts { grid-template-columns: 1fr 1fr; }
}
@media (min-width: 1000px) { text { font-size: 12px; } }
@media print {
  :root { color-scheme: only light; --paper: #fff; }
  header, body { padding: 0 0 16px; }
  figure, tr, svg { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""


def make_report(
    *,
    title: str,
    images: Sequence[tuple[str, np.ndarray]],
    metrics: Sequence[dict],
    facts: Mapping[str, str],
    flags: str,
) -> str:
    """Writes the page of one run.

    Args:
        title: the heading; like all other text it may be anything.
        images: captions and uint8 `[H, W, 3]`, sRGB; the result first.
        metrics: the lines of metrics.jsonl; a loss may be missing or 0.
        facts: such as versions, times, sizes and hashes, in their order.
        flags: the flagfile that makes the result again.

    Returns:
        HTML, to be written as UTF-8.
    """
    figures = [_figure(caption, pixels) for caption, pixels in images]
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';\
 img-src data:; style-src 'sha256-{digest.decode()}'; base-uri 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{_escape(title)}</h1>
<p>{_escape(_summarize(metrics))}</p>
</header>
<main>
<div class="pictures lead">{"".join(figures[:_NUM_LEAD])}</div>
<div class="pictures">{"".join(figures[_NUM_LEAD:])}</div>
<h2>Losses</h2>
<div class="charts">{_charts(metrics)}</div>
<h2>Facts</h2>
<table class="facts"><tbody>
{"".join(_row(_escape(name), fact) for name, fact in facts.items())}\
</tbody></table>
<h2>Flags</h2>
<pre>{_escape(flags)}</pre>
</main>
</body>
</html>
"""


def _escape(text: object) -> str:
    """Makes text fit for an element or an attribute in quotes."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(text)))


def _power(exponent: int) -> str:
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def _number(loss: float | None) -> str:
    if loss is None:
        return "\u2013"
    if loss == 0 or not math.isfinite(loss):
        return f"{loss:g}"
    mantissa, exponent = f"{loss:.3e}".split("e")
    return f"{mantissa} \u00d7 {_power(int(exponent))}"


def _summarize(metrics: Sequence[dict]) -> str:
    if not metrics:
        return ""
    last = metrics[-1]
    size = f"{last['width']} \u00d7 {last['height']} pixels"
    return f"{size}, {last['step']} steps, {last['evaluations']} evaluations"


def _figure(caption: str, pixels: np.ndarray) -> str:
    height, width = pixels.shape[:2]
    if max(height, width) > _LONG_EDGE:
        height, width = image_io.fit_size(height, width, _LONG_EDGE)
    file = io.BytesIO()
    picture = Image.fromarray(image_io.resize(pixels, height, width))
    picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}"'
        f' alt="{_escape(caption)}" width="{width}" height="{height}">'
        f"<figcaption>{_escape(caption)}</figcaption></figure>\n"
    )


def _row(head: str, *cells: str) -> str:
    """Returns a row of a table; its head is HTML, the cells are text."""
    data = "".join(f"<td>{_escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{head}</th>{data}</tr>\n'


def _charts(metrics: Sequence[dict]) -> str:
    """Returns a chart and a table for each kind of loss."""
    names = dict.fromkeys(itertools.chain.from_iterable(metrics))
    losses = [name for name in names if name not in _NOT_LOSSES]
    weighted = [n for n in losses if n == "total" or n.startswith("weighted/")]
    raw = [name for name in losses if name not in weighted]
    # Without a total, the raw terms begin at the look of weighted content.
    return _chart("Weighted terms and total", metrics, weighted, 0) + _chart(
        "Raw terms by layer", metrics, raw, 1
    )


def _chart(
    title: str, metrics: Sequence[dict], names: Sequence[str], first_look: int
) -> str:
    """Draws losses over evaluations; their table is the legend, too."""
    if not names:
        return ""
    ends = [metrics[0], *metrics[1:][-1:]]
    heads = [f'<th scope="col">Step {end["step"]:d}</th>' for end in ends]
    looks, rows = {}, []
    for i, name in enumerate(names, first_look):
        dashes = (i + i // _NUM_LOOKS) % _NUM_LOOKS
        looks[name] = f'class="c{i % _NUM_LOOKS} d{dashes}"'
        key = f'<path {looks[name]} d="M0 10H32"/>'
        head = f'<svg viewBox="0 0 32 20" aria-hidden="true">{key}</svg>'
        head += _escape(name).replace("/", "/<wbr>")
        rows.append(_row(head, *(_number(end.get(name)) for end in ends)))
    return f"""<section>
<h3>{title}</h3>
<svg viewBox="0 0 {_SHEET_WIDTH} {_SHEET_HEIGHT}" role="img">
<title>{title}</title>
<desc>Losses over evaluations, on a logarithmic axis. The table below has\
 their first and last values.</desc>
{"".join(_draw(metrics, looks))}</svg>
<table>
<thead><tr><th scope="col">Loss</th>{"".join(heads)}</tr></thead>
<tbody>
{"".join(rows)}</tbody>
</table>
</section>
"""


def _draw(metrics: Sequence[dict], looks: Mapping[str, str]) -> Iterator[str]:
    """Yields a chart's elements: axes, levels, then curves.

    Args:
        metrics: as for `make_report`, not empty.
        looks: the class attribute of each curve, by its loss's name.
    """
    curves = {name: _runs(metrics, name) for name in looks}
    points = itertools.chain(*itertools.chain(*curves.values()))
    logs = [log for _, log in points] or [0]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    if low == high:
        low, high = low - 1, high + 1
    interval = _interval(high - low, _MAX_DECADES)
    low, high = low - low % interval, high + -high % interval
    last = max(record["evaluations"] for record in metrics) or 1

    def x(evaluations: int) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * evaluations / last, 1)

    def y(log: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * (log - low) / (high - low), 1)

    ticks = {log: _power(log) for log in range(low, high + 1, interval)}
    if high - low <= 2:  # too few lines to read a curve by
        for log, m in itertools.product(range(low, high), (2, 5)):
            ticks[log + math.log10(m)] = m
    for log, label in ticks.items():
        yield f'<path class="grid" d="M{_LEFT} {y(log)}H{_RIGHT}"/>\n'
        yield _text(_LEFT - 8, y(log) + 4, "end", label)
    for tick in range(0, last + 1, _interval(last, _MAX_X_TICKS)):
        yield _text(x(tick), _BOTTOM + 18, "middle", tick)
    yield _text(_RIGHT, _SHEET_HEIGHT - 4, "end", "evaluations")
    pairs = itertools.pairwise(metrics)
    changes = [b for a, b in pairs if a["level"] != b["level"]]
    if changes:
        yield _text(_LEFT - 8, _TOP - 14, "end", "level")
        yield _text(_LEFT, _TOP - 14, "middle", metrics[0]["level"])
    for record in changes:
        at = x(record["evaluations"])
        yield f'<path class="level" d="M{at} {_TOP - 10}V{_BOTTOM}"/>\n'
        yield _text(at, _TOP - 14, "middle", record["level"])
    for name, look in looks.items():
        for run in curves[name]:
            places = [(x(evaluations), y(log)) for evaluations, log in run]
            if len(places) == 1:  # no line: a ring
                cx, cy = places[0]
                yield f'<circle {look} cx="{cx}" cy="{cy}" r="2.5"/>\n'
            else:
                line = "L".join(f"{px} {py}" for px, py in places)
                yield f'<path {look} d="M{line}"/>\n'


def _runs(metrics: Sequence[dict], name: str) -> list[list[tuple]]:
    """Returns a loss's points (evaluations, log10 of the loss).

    A loss without a logarithm is left out and parts one run from the next.
    """
    runs = [[]]
    for record in metrics:
        loss = record.get(name, 0)
        if 0 < loss < math.inf:
            runs[-1].append((record["evaluations"], math.log10(loss)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _interval(span: int, most: int) -> int:
    """Returns the first of 1, 2, 5, 10 ... to cut a span in `most` or less."""
    sizes = (m * 10**k for k in itertools.count() for m in (1, 2, 5))
    return next(size for size in sizes if span <= size * most)


def _text(x: float, y: float, anchor: str, text: object) -> str:
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f"<text {place}>{_escape(text)}</text>\n"
