"""Remakes the figures of Gatys, Ecker and Bethge (2015) on given pictures.

    python tools/reproduce_gatys2015.py --figure=1 --content=FILE --styles=FILE
    python tools/reproduce_gatys2015.py --figure=2 --content=FILE --styles=A,B
    python tools/reproduce_gatys2015.py --figure=3 --content=FILE --styles=FILE

Figure 1: reconstructions of the content from one layer each, and of the style
from growing sets of layers, all from white noise. Figure 2: the content in
every style. Figure 3: growing sets of style layers, by rows, against four
ratios of content to style weight, by columns.

OUTPUT, by default runs/figureN, gets cells/ (the single pictures), figureN.png
(a labelled sheet, with what each picture came to below it) and figureN.json
(every loss; in figure 1 also how far the features reached are from the
content's, |F - P| / |P|).

Flags come from configs/figures/figureN.cfg, and those of tfstyle.main may be
given besides, such as --image_size=512 for the paper's size, but for those that
the figure sets itself. The pictures are painted as a --manifest is: the same
command goes on where it was, and the processes of a cluster share the cells;
the one that finds all of them there draws the sheet.
"""

import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import app
from absl import flags
from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.flags import flagfile
from tfstyle.flags.command_line import parse
from tfstyle.flags.parsers import make_flags
from tfstyle.image_files import reading as image_files
from tfstyle.image_files import sidecar
from tfstyle.image_files.writing import write_image
from tfstyle.main import run_expecting_errors
from tfstyle.system import atomic_file

ROOT = pathlib.Path(__file__).parents[1]
LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
RATIOS = (1e-3, 1e-2, 1e-1, 1.0)
"""Of relative losses, which weigh alike at every size and in every row."""

SET_BY_TOOL = (
    *("workdir", "content_image", "style_images", "output_image"),
    *("content_masks", "style_masks", "manifest", "export_dir", "film"),
)
SET_BY_FIGURE = {
    1: ("content_layers", "style_layers"),
    2: (),
    3: ("style_layers", "content_weight", "style_weight"),
}

_FIGURE = flags.DEFINE_integer("figure", None, "of the paper, 1 to 3")
_CONTENT = flags.DEFINE_string("content", None, "the photograph")
_STYLES = flags.DEFINE_list("styles", [], "paintings")
_OUTPUT = flags.DEFINE_string("output", None, "folder; runs/figureN")
FLAGS = make_flags()
FLAGS.append_flag_values(flags.FLAGS)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One picture of a figure.

    Attributes:
        name: of its file, without the ending.
        row: its label.
        column: likewise.
        values: by field of RunConfig, what makes it.
    """

    name: str
    row: str
    column: str
    values: dict[str, Any]


def main(config: RunConfig) -> int:
    """Paints what is not there, and draws the figure once all is."""
    return run_expecting_errors(lambda: _reproduce(config))


def make_cells(
    figure: int, content: str, styles: Sequence[str]
) -> list[list[Cell]]:
    """Returns the cells of a figure by rows.

    Args:
        figure: 1, 2 or 3.
        content: file of the photograph.
        styles: files of paintings; several for figure 2 only.
    """
    sets = [LAYERS[: number + 1] for number in range(len(LAYERS))]
    if figure == 1:
        contents = [
            Cell(
                f"content_{layer}",
                "content",
                layer,
                {"content_image": content, "content_layers": [layer]},
            )
            for layer in LAYERS
        ]
        textures = [
            Cell(
                f"style_{layers[-1]}",
                "style",
                layers[-1],
                {"style_images": [styles[0]], "style_layers": list(layers)},
            )
            for layers in sets
        ]
        return [contents, textures]
    both = {"content_image": content}
    if figure == 2:
        names = _distinct_stems(styles)
        return [
            [
                Cell(name, "result", name, both | {"style_images": [style]})
                for name, style in zip(names, styles, strict=True)
            ]
        ]
    return [
        [
            Cell(
                f"{layers[-1]}_{ratio:.0e}",
                _label_set(layers),
                f"{ratio:.0e}",
                both
                | {
                    "style_images": [styles[0]],
                    "style_layers": list(layers),
                    "content_weight": ratio,
                    "style_weight": 1.0,
                },
            )
            for ratio in RATIOS
        ]
        for layers in sets
    ]


def _reproduce(config: RunConfig) -> int:
    figure, folder = _FIGURE.value, _OUTPUT.value
    if figure not in (1, 2, 3):
        raise ConfigError(f"`figure` must be 1, 2 or 3. Received: {figure}.")
    for name in SET_BY_TOOL + SET_BY_FIGURE[figure]:
        if FLAGS[name].value != FLAGS[name].default:
            raise ConfigError(f"`{name}` is set by the figure. Leave it out.")
    if not _CONTENT.value or not _STYLES.value:
        raise ConfigError(
            "`content` and `styles` must be given: --content=FILE"
            " --styles=FILE, with several for figure 2."
        )
    if figure != 2 and len(_STYLES.value) > 1:
        raise ConfigError(
            f"`styles` must be one file for figure {figure}. Received:"
            f" {len(_STYLES.value)}. Leave out all but one."
        )
    folder = folder or os.path.join("runs", f"figure{figure}")
    rows = make_cells(figure, _CONTENT.value, _STYLES.value)
    cells = [cell for row in rows for cell in row]
    os.makedirs(os.path.join(folder, "cells"), exist_ok=True)
    lines = [
        json.dumps(cell.values | {"output_image": _path(folder, cell)})
        for cell in cells
    ]
    manifest = os.path.join(folder, "cells.jsonl")
    atomic_file.write_text(manifest, "\n".join(lines) + "\n")
    config = dataclasses.replace(config, manifest=manifest, workdir=folder)

    from tfstyle.batch import batch
    from tfstyle.batch.manifest import read_manifest
    from tfstyle.experiment.session import Session

    session = Session(verbose=logging.get_verbosity() > 0)
    status = batch.run_batch(config, session)
    if status:
        return status
    missing = [
        job
        for job in read_manifest(manifest)
        if not _is_whole(job, config, session)
    ]
    if missing:
        logging.info(
            "%d cells are cut short or still with other processes; the same"
            " command goes on, and draws the figure when all are whole",
            len(missing),
        )
        return 0
    _draw(figure, folder, rows, config)
    return 0


def _is_whole(job, config: RunConfig, session) -> bool:
    """Returns whether a cell is there, made by its flags and to its end."""
    from tfstyle.batch.job_painter import workdir_of
    from tfstyle.experiment import inputs
    from tfstyle.experiment import resume

    workdir = workdir_of(config.workdir, job.output)
    config = job.to_config(config, workdir)
    images = inputs.read_images(config)
    return resume.is_finished(
        config, images, lambda: session.hash_weights(config)
    )


def _draw(figure: int, folder: str, rows, config: RunConfig) -> None:
    """Writes the sheet and the table of a figure whose cells are there."""
    from contact_sheet import draw_sheet

    cells = [cell for row in rows for cell in row]
    found = [_read_result(_path(folder, cell)) for cell in cells]
    if figure == 1 and config.loss_scale == "relative":
        _add_errors(cells, found)
    table = [
        {"row": c.row, "column": c.column, "picture": f"cells/{c.name}.png"} | f
        for c, f in zip(cells, found, strict=True)
    ]
    path = os.path.join(folder, f"figure{figure}.json")
    atomic_file.write_text(path, json.dumps(table, indent=1) + "\n")
    logging.info("Wrote %s", path)
    pictures = [[_read(_path(folder, cell)) for cell in row] for row in rows]
    side = max(max(cell.shape) for row in pictures for cell in row)
    texts = iter([_caption(cell) for cell in table])
    captions = [[next(texts) for _ in row] for row in rows]
    labels = [row[0].row for row in rows]
    columns = [cell.column for cell in rows[0]]
    if figure == 1:
        labels = ["content of", "style up to"]
    elif figure == 3:
        columns = [f"alpha/beta {column}" for column in columns]
    else:  # what they are made of goes above and before them
        content = _read(_CONTENT.value)
        blank = np.full_like(content, 255)
        styles = [_read(style) for style in _STYLES.value]
        pictures = [[content, *styles], [blank, *pictures[0]]]
        captions = [[], ["", *captions[0]]]
        labels, columns = ["input", "result"], ["photograph", *columns]
    path = os.path.join(folder, f"figure{figure}.png")
    sheet = draw_sheet(pictures, labels, columns, side, captions)
    write_image(path, sheet)
    logging.info("Wrote %s", path)


def _caption(cell: dict[str, Any]) -> str:
    """Returns what a cell came to, in a few words."""
    if "relative_error" in cell:
        return f"relative error {cell['relative_error']:.2g}"
    losses = cell["losses"]
    content = [v for n, v in losses.items() if n.startswith("content/")]
    words = [f"content {sum(content):.2g}"] if content else []
    return ", ".join([*words, f"style {losses['weighted/style']:.2g}"])


def _add_errors(cells, found: list[dict]) -> None:
    """Adds |F - P| / |P| of content reconstructions with relative losses."""
    for cell, result in zip(cells, found, strict=True):
        if cell.row == "content":
            (loss,) = (
                value
                for name, value in result["losses"].items()
                if name.startswith("content/")
            )
            result["relative_error"] = loss**0.5


def _read_result(path: str) -> dict[str, Any]:
    """Reads from a picture what its run came to."""
    _, facts = flagfile.parse_text(sidecar.read_text(path) or "")
    values = dict(pair.split("=") for pair in facts["result"].split())
    counts = {n: int(values.pop(n)) for n in ("step", "evaluations")}
    return counts | {"losses": {n: float(v) for n, v in values.items()}}


def _read(path: str) -> np.ndarray:
    return image_files.read_image(path).pixels


def _path(folder: str, cell: Cell) -> str:
    return os.path.join(folder, "cells", f"{cell.name}.png")


def _label_set(layers: Sequence[str]) -> str:
    return layers[0] if len(layers) == 1 else f"{layers[0]} ..\n{layers[-1]}"


def _distinct_stems(paths: Sequence[str]) -> list[str]:
    """Returns files' names without endings, numbered if some are alike."""
    stems = [pathlib.Path(path).stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    return [f"{i}_{stem}" for i, stem in enumerate(stems, start=1)]


def _parse(argv: list[str]) -> RunConfig:
    """Puts the figure's flagfile before what is given."""
    given = " ".join(argv[1:])
    figures = re.findall(r"--?figure[= ]([123])\b", given)
    path = ROOT / "configs" / "figures" / f"figure{''.join(figures[-1:])}.cfg"
    first = [f"--flagfile={path}"] if path.exists() else []
    config = parse([argv[0], *first, *argv[1:]], FLAGS)
    flags.FLAGS(argv[:1])
    return config


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
