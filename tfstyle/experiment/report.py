"""What a run did, as one web page that needs no other file.

The page has its pictures and charts within it, asks nothing of the network,
runs no script, and is the same bytes whenever the arguments are the same.
"""

import base64
import hashlib
import io
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tfstyle.experiment.charts import draw_charts
from tfstyle.experiment.charts import escape
from tfstyle.experiment.charts import make_row
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize

BEGINNING = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';\
 img-src data:; style-src 'sha256-"""
"""Of a report, by which it is known."""
_LONG_EDGE = 1024  # pixels of a picture on the page
_JPEG_QUALITY = 85
_NUM_LEAD = 3  # pictures at the top: result, content, style

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
.charts thead th + th, .charts td { width: 86px; padding-left: 14px;
  text-align: right; white-space: nowrap; }
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


def make_charts(metrics: Sequence[dict]) -> str:
    """Returns a page with the curves of the losses alone.

    Args:
        metrics: the lines of `metrics.jsonl`, as dicts.
    """
    return (
        f"<!doctype html><html lang=en><style>{_STYLE}</style>"
        f'<div class="charts">{draw_charts(metrics)}</div></html>'
    )


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
    return f"""{BEGINNING}{digest.decode()}'; base-uri 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{escape(_summarize(metrics))}</p>
</header>
<main>
<div class="pictures lead">{"".join(figures[:_NUM_LEAD])}</div>
<div class="pictures">{"".join(figures[_NUM_LEAD:])}</div>
<h2>Losses</h2>
<div class="charts">{draw_charts(metrics)}</div>
<h2>Facts</h2>
<table class="facts"><tbody>
{"".join(make_row(escape(name), fact) for name, fact in facts.items())}\
</tbody></table>
<h2>Flags</h2>
<pre>{escape(flags)}</pre>
</main>
</body>
</html>
"""


def _summarize(metrics: Sequence[dict]) -> str:
    if not metrics:
        return ""
    last = metrics[-1]
    size = f"{last['width']} \u00d7 {last['height']} pixels"
    return f"{size}, {last['step']} steps, {last['evaluations']} evaluations"


def _figure(caption: str, pixels: np.ndarray) -> str:
    height, width = pixels.shape[:2]
    if max(height, width) > _LONG_EDGE:
        height, width = fit_size(height, width, _LONG_EDGE)
    file = io.BytesIO()
    picture = Image.fromarray(resize(pixels, height, width))
    picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}"'
        f' alt="{escape(caption)}" width="{width}" height="{height}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )
