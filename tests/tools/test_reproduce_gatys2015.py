"""`tools/reproduce_gatys2015.py` as a process; what the figures say holds."""

import importlib
import json
import sys

import numpy as np
import pytest

from tests import ROOT
from tests.processes import run_tool
from tfstyle.config.run_config import RunConfig
from tfstyle.image_files.reading import read_image
from tfstyle.images.image_set import ImageSet
from tfstyle.images.resize import resize
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.extractor import make_extractor
from tfstyle.training.stylize import stylize

LAYERS = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
SCENE, STROKES = (f"tfstyle/samples/{n}.jpg" for n in ("scene", "strokes"))


def reproduce(folder, figure, *arguments, tool=("reproduce_gatys2015",)):
    """Returns status, stderr and the table of a figure of few pixels."""
    done = run_tool(
        *(*tool, f"--figure={figure}", f"--output={folder}"),
        *(f"--content={SCENE}", f"--styles={STROKES}", "--weights=random"),
        *("--image_size=48", "--num_steps=1", *arguments),
    )
    path = folder / f"figure{figure}.json"
    table = json.loads(path.read_text()) if path.exists() else None
    return done.returncode, done.stderr, table


def check_files(folder, figure, table):
    sheet = read_image(str(folder / f"figure{figure}.png")).pixels
    assert sheet.std() > 10
    for cell in table:
        pixels = read_image(str(folder / cell["picture"])).pixels
        assert max(pixels.shape) == 48
        assert cell["step"] == 1
        assert np.isfinite(cell["losses"]["total"])


@pytest.mark.soak
def test_figure_1_has_content_by_layer_and_style_by_layers(tmp_path):
    status, said, table = reproduce(tmp_path, 1)
    assert status == 0, said
    assert [(c["row"], c["column"]) for c in table] == [
        *(("content", layer) for layer in LAYERS),
        *(("style", layer) for layer in LAYERS),
    ]
    check_files(tmp_path, 1, table)
    for number, cell in enumerate(table):
        layers = [loss for n, loss in cell["losses"].items() if "/block" in n]
        assert len(layers) == (1 if number < 5 else number - 4)
        assert ("relative_error" in cell) == (number < 5)
        if number < 5:
            error = cell["relative_error"]
            assert 0 < error < 2
            assert error == pytest.approx(layers[0] ** 0.5, rel=1e-6)


@pytest.mark.slow
def test_figure_2_has_every_style_and_goes_on(tmp_path):
    styles = f"--styles={STROKES},{SCENE}"
    status, said, table = reproduce(tmp_path, 2, styles)
    assert status == 0, said
    assert [cell["column"] for cell in table] == ["strokes", "scene"]
    check_files(tmp_path, 2, table)
    (tmp_path / "cells" / "scene.png").unlink()
    (tmp_path / "figure2.json").unlink()
    status, said, again = reproduce(tmp_path, 2, styles)
    assert "1 done, 1 finished before" in said
    assert again == table


def test_figure_3_has_layers_by_ratio(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    tool = importlib.import_module("reproduce_gatys2015")
    rows = tool.make_cells(3, SCENE, [STROKES])
    assert [[cell.column for cell in row] for row in rows] == [
        ["1e-03", "1e-02", "1e-01", "1e+00"]
    ] * 5
    for number, row in enumerate(rows, start=1):
        for cell, ratio in zip(row, tool.RATIOS, strict=True):
            config = RunConfig(**cell.values)
            assert config.content_weight / config.style_weight == ratio
            assert config.style_layers == RunConfig().style_layers[:number]
            assert config.content_layers == RunConfig().content_layers
    names = [cell.name for row in rows for cell in row]
    assert len(set(names)) == 20


@pytest.mark.soak
@pytest.mark.distributed
def test_processes_share_the_cells_and_the_last_draws(tmp_path):
    tool = ("launch_local", "--workers=2", "--", sys.executable)
    tool = (*tool, "tools/reproduce_gatys2015.py")
    styles = f"--styles={STROKES},{SCENE}"
    status, said, table = reproduce(tmp_path, 2, styles, tool=tool)
    assert status == 0, said
    assert said.count("1 of them belong to this process") == 2
    check_files(tmp_path, 2, table)


@pytest.mark.soak
def test_pictures_of_other_flags_or_cut_short_are_not_drawn(tmp_path):
    reproduce(tmp_path, 2)
    (tmp_path / "figure2.json").unlink()
    longer = ("--num_steps=9", "--time_limit=1e-3")
    status, said, table = reproduce(tmp_path, 2, *longer)
    assert status == 0, said
    assert table is None
    assert "1 cells are cut short" in said


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--figure=4"], "error: `figure` must be 1, 2 or 3. Received: 4."),
        (["--styles="], "error: `content` and `styles` must be given"),
        (["--content=none.jpg"], "none.jpg"),
        (["--film=x.mp4"], "error: `film` is set by the figure"),
    ],
)
def test_wrong_flags_are_told_in_a_line(tmp_path, arguments, text):
    status, said, _ = reproduce(tmp_path / "figure", 2, *arguments)
    assert status in (1, 2)
    assert text in said
    assert "Traceback" not in said


@pytest.mark.weights
@pytest.mark.soak
def test_lower_layers_keep_more_of_the_pixels(samples, real_weights):
    content = resize(samples[0], 72, 96).astype(float)
    errors = []
    for layer in LAYERS[::2]:
        config = RunConfig(
            image_size=96,
            content_layers=(layer,),
            content_weight=1.0,
            tv_weight=0.0,
            num_steps=30,
        )
        pixels = stylize(ImageSet.of_arrays(samples[0], []), config).pixels
        errors.append(np.abs(pixels - content).mean())
    assert errors == sorted(errors)
    assert errors[0] < errors[-1] / 3


@pytest.mark.weights
@pytest.mark.soak
@pytest.mark.parametrize(
    ("size", "num_steps", "least"),
    [(128, 60, 100), (224, 400, 1000)],
)
def test_style_loss_of_a_texture_falls(real_weights, size, num_steps, least):
    mosaic = read_image(str(ROOT / "tfstyle/samples/mosaic.jpg")).pixels
    totals = []
    config = RunConfig(
        image_size=size,
        num_levels=1,
        loss_scale="absolute",
        padding="zero",
        preconditioner="none",
        num_steps=num_steps,
    )
    action = EverySteps(1, lambda record: totals.append(record.total))
    stylize(ImageSet.of_arrays(None, [mosaic]), config, actions=[action])
    assert totals[-1] < totals[0] / least


@pytest.mark.weights
@pytest.mark.soak
def test_alpha_trades_style_for_content_along_each_row(samples, real_weights):
    extractor = make_extractor(RunConfig())
    for layers in (LAYERS[:1], LAYERS):
        contents, styles = [], []
        for ratio in (1e-2, 1e-1, 1.0):
            config = RunConfig(
                image_size=64,
                style_layers=layers,
                content_weight=ratio,
                init="noise",
                num_steps=40,
            )
            losses = stylize(
                ImageSet.of_arrays(samples[0], samples[1:]),
                config,
                extractor=extractor,
            ).losses
            contents.append(losses["content/block4_conv2"])
            styles.append(losses["weighted/style"])
        assert contents == sorted(contents, reverse=True)
        assert styles == sorted(styles)
