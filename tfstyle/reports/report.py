"""The report of a run: a single HTML file with pictures, charts and flags.

The file works offline and has no scripts. Equal arguments give equal bytes.
"""

import base64
import hashlib
import html
import importlib.resources
import io
import itertools
import re
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.reports.charts import draw_chart

BEGINNING = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';\
 img-src data:; style-src 'sha256-"""
"""First bytes of every report; files without them are not overwritten."""
_LONG_EDGE = 1024  # pixels of a picture on the page
_JPEG_QUALITY = 85
_NUM_LEAD = 3  # pictures at the top: result, content, style

_NOT_LOSSES = ("step", "evaluations", "level", "height", "width", "seconds")
_UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_STYLE = importlib.resources.files(__package__).joinpath("report.css")
_STYLE = _STYLE.read_text(encoding="utf-8")


def make_charts(metrics: Sequence[dict]) -> str:
    """Makes an HTML page with only the charts.

    Args:
        metrics: records of `metrics.jsonl`.
    """
    return (
        f"<!doctype html><html lang=en><style>{_STYLE}</style>"
        f'<div class="charts">{_charts(metrics)}</div></html>'
    )


def make_report(
    *,
    title: str,
    images: Sequence[tuple[str, np.ndarray]],
    metrics: Sequence[dict],
    facts: Mapping[str, str],
    flags: str,
) -> str:
    """Makes the HTML report of a run. All texts are escaped.

    Args:
        title: heading.
        images: captions and pictures, uint8 `[H, W, 3]`, sRGB; the result
            first.
        metrics: records of `metrics.jsonl`; losses may be missing or 0.
        facts: rows of a table, such as versions, times and hashes.
        flags: flagfile that reproduces the run.

    Returns:
        HTML, to be written as UTF-8.
    """
    figures = [_figure(caption, pixels) for caption, pixels in images]
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest())
    return f"""{BEGINNING}{digest.decode()}'; base-uri 'none'">
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


def _summarize(metrics: Sequence[dict]) -> str:
    if not metrics:
        return ""
    last = metrics[-1]
    size = f"{last['width']} \u00d7 {last['height']} pixels"
    return f"{size}, {last['step']} steps, {last['evaluations']} evaluations"


def _charts(metrics: Sequence[dict]) -> str:
    """Makes charts and tables, of the weighted losses and of the raw losses."""
    names = dict.fromkeys(itertools.chain.from_iterable(metrics))
    losses = [name for name in names if name not in _NOT_LOSSES]
    weighted = [n for n in losses if n == "total" or n.startswith("weighted/")]
    raw = [name for name in losses if name not in weighted]
    return _chart("Weighted terms and total", metrics, weighted) + _chart(
        "Raw terms by layer", metrics, raw
    )


def _chart(title: str, metrics: Sequence[dict], names: Sequence[str]) -> str:
    if not names:
        return ""
    light, dark = (
        _data_url("image/svg+xml", svg.encode())
        for svg in draw_chart(metrics, names)
    )
    ends = [metrics[0], *metrics[1:][-1:]]
    heads = [f'<th scope="col">Step {end["step"]:d}</th>' for end in ends]
    rows = []
    for name in names:
        values = (
            f"{end[name]:.3e}" if name in end else "\u2013" for end in ends
        )
        rows.append(_row(_escape(name).replace("/", "/<wbr>"), *values))
    return f"""<section>
<h3>{title}</h3>
<picture>
<source media="screen and (prefers-color-scheme: dark)" srcset="{dark}">
<img src="{light}" alt="{title}: losses over evaluations, on a logarithmic\
 axis. The table below has their first and last values.">
</picture>
<table>
<thead><tr><th scope="col">Loss</th>{"".join(heads)}</tr></thead>
<tbody>
{"".join(rows)}</tbody>
</table>
</section>
"""


def _row(head: str, *cells: str) -> str:
    """Makes a table row; the head is HTML, the cells are plain text."""
    data = "".join(f"<td>{_escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{head}</th>{data}</tr>\n'


def _figure(caption: str, pixels: np.ndarray) -> str:
    height, width = pixels.shape[:2]
    if max(height, width) > _LONG_EDGE:
        height, width = fit_size(height, width, _LONG_EDGE)
    file = io.BytesIO()
    picture = Image.fromarray(resize(pixels, height, width))
    picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    url = _data_url("image/jpeg", file.getvalue())
    return (
        f'<figure><img src="{url}"'
        f' alt="{_escape(caption)}" width="{width}" height="{height}">'
        f"<figcaption>{_escape(caption)}</figcaption></figure>\n"
    )


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _escape(text: object) -> str:
    """Escapes text for an HTML element or a quoted attribute."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(text)))
