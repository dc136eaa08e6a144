"""Loss curves as inline SVG and tables, for a page."""

import html
import itertools
import math
import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

_NOT_LOSSES = ("step", "evaluations", "level", "height", "width", "seconds")

# A chart's sheet, and on it the edges of the rectangle that curves fill.
_SHEET_WIDTH, _SHEET_HEIGHT = 480, 308
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 472, 28, 268
_MAX_X_TICKS, _MAX_DECADES = 5, 12
_NUM_LOOKS = 8  # colors, and as many kinds of dashes, in the style sheet

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def draw_charts(metrics: Sequence[dict]) -> str:
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
        head += escape(name).replace("/", "/<wbr>")
        rows.append(make_row(head, *(_number(end.get(name)) for end in ends)))
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
    return f"<text {place}>{escape(text)}</text>\n"


def make_row(head: str, *cells: str) -> str:
    """Returns a row of a table; its head is HTML, the cells are text."""
    data = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{head}</th>{data}</tr>\n'


def _power(exponent: int) -> str:
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def _number(loss: float | None) -> str:
    if loss is None:
        return "\u2013"
    if loss == 0 or not math.isfinite(loss):
        return f"{loss:g}"
    mantissa, exponent = f"{loss:.3e}".split("e")
    return f"{mantissa} \u00d7 {_power(int(exponent))}"


def escape(text: object) -> str:
    """Makes text fit for an element or an attribute in quotes."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(text)))
