"""Charts of loss curves as SVG, drawn with Matplotlib."""

import io
import itertools
import math
import threading
from collections.abc import Sequence

import numpy as np

from tfstyle.errors import SetupError
from tfstyle.errors import one_line

_WIDTH, _HEIGHT, _LEGEND_ROW = 6.0, 4.0, 0.23  # inches
_LONGEST_NAME = 30  # characters, in a legend
_DASHES = ("-", "--", "-.", ":", (0, (8, 2)))
_TEXT, _GRID, *_CURVES = _LIGHT = (
    *("#66666c", "#dededf", "#1d1d1f", "#005bd3", "#ab1005", "#0b987c"),
    *("#9f2194", "#b47008", "#025550", "#957cd1"),
)
_DARK = (
    *("#a0a0a7", "#303035", "#ececee", "#6c92f0", "#ec974e", "#95e594"),
    *("#c9668c", "#a39020", "#75b1ad", "#d5a8ff"),
)
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SETTINGS = {
    **dict.fromkeys(("text.color", "axes.labelcolor"), _TEXT),
    **dict.fromkeys(("xtick.color", "ytick.color"), _TEXT),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), _GRID),
    **dict.fromkeys(("axes.spines.right", "axes.spines.top"), False),
    **dict.fromkeys(("axes.xmargin", "axes.ymargin"), 0),
    "axes.autolimit_mode": "round_numbers",
    "axes.grid": True,
    "font.size": 11,
    "legend.frameon": False,
    "legend.handlelength": 3,
    "svg.hashsalt": "tfstyle",  # otherwise ids are random
}
_LOCK = threading.Lock()
"""Guards Matplotlib's settings, which are global, against other threads."""


def check_library() -> None:
    """Checks that Matplotlib is installed, before the run starts.

    Raises:
        SetupError: if it is missing.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SetupError(
            "`report` draws its charts with Matplotlib: pip install"
            " 'tfstyle[report]'."
        ) from error


def draw_chart(
    metrics: Sequence[dict], names: Sequence[str]
) -> tuple[str, str]:
    """Draws losses over evaluations, on a logarithmic axis.

    A loss that is 0, negative or not finite leaves a gap. Vertical lines mark
    the start of each level. Equal arguments give equal text.

    Args:
        metrics: records of metrics.jsonl, at least one.
        names: names of the losses to draw; records may lack some.

    Returns:
        SVG with a transparent background, for a light and for a dark page.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    file = io.StringIO()
    with _LOCK, matplotlib.style.context(_SETTINGS, after_reset=True):
        legend_height = _LEGEND_ROW * -(-len(names) // 2)
        height = _HEIGHT + legend_height
        figure = Figure((_WIDTH, height))
        axes = figure.add_subplot(xlabel="evaluations", yscale="log")
        # Fixed margins, as a layout engine draws everything twice.
        bottom, top = (legend_height + 0.7) / height, 1 - 0.5 / height
        figure.subplots_adjust(left=0.11, right=0.96, bottom=bottom, top=top)
        lines = _plot(axes, metrics, names)
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", integer=True)
        # Unlike Matplotlib's own labels, these need no slow parser.
        axes.yaxis.set_major_formatter(
            lambda y, _: "10" + f"{math.log10(y):.0f}".translate(_RAISED)
        )
        _mark_levels(axes, metrics)
        labels = [one_line(name, _LONGEST_NAME) for name in names]
        legend = figure.legend(lines, labels, loc="lower left", ncols=2)
        for text in legend.get_texts():
            text.set_parse_math(False)  # $ is plain text
        figure.savefig(
            file,
            format="svg",
            transparent=True,
            metadata={"Creator": None, "Date": None},
        )
    light = dark = file.getvalue()
    for before, after in zip(_LIGHT, _DARK, strict=True):
        dark = dark.replace(before, after)
    return light, dark


def _plot(axes, metrics: Sequence[dict], names: Sequence[str]) -> list:
    """Plots the losses; returns their lines, each with its own appearance."""
    evaluations = [record["evaluations"] for record in metrics]
    lines = []
    # The first colour is reserved for the total.
    for i, name in enumerate(names, "total" not in names):
        losses = [record.get(name, 0) for record in metrics]
        is_drawn = [0 < loss < math.inf for loss in losses]
        beside = np.pad(is_drawn, 1)
        is_alone = is_drawn & ~beside[:-2] & ~beside[2:]
        lines += axes.plot(
            evaluations,
            np.where(is_drawn, losses, np.nan),
            color=_CURVES[i % len(_CURVES)],
            linestyle=_DASHES[(i + i // len(_CURVES)) % len(_DASHES)],
            clip_on=False,
            marker="o" if is_alone.any() else "",
            markevery=np.flatnonzero(is_alone).tolist(),
        )
    return lines


def _mark_levels(axes, metrics: Sequence[dict]) -> None:
    """Marks the start of each level, if there is more than one."""
    pairs = itertools.pairwise(metrics)
    changes = [b for a, b in pairs if a["level"] != b["level"]]
    if not changes:
        return
    begins = [0, *(record["evaluations"] for record in changes)]
    levels = [record["level"] for record in (metrics[0], *changes)]
    for evaluations in begins[1:]:
        axes.axvline(evaluations, color=_TEXT, linestyle=":")
    marks = axes.secondary_xaxis("top")
    marks.set_xticks(begins, levels)
    marks.set_xlabel("level")
