"""What `auto` means for given images, and on this machine."""

import dataclasses
import math
import re

import numpy as np
import pytest

from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.errors import SetupError
from tfstyle.system import gpus
from tfstyle.system import processors
from tfstyle.training import memory
from tfstyle.training.plan import make_plan
from tfstyle.training.plan import resolve_for_images
from tfstyle.training.plan import resolve_for_machine
from tfstyle.training.plan import warn_if_enlarged
from tfstyle.training.plan import warn_if_thin


def picture(height, width):
    return np.zeros((height, width, 3), np.uint8)


def resolve(content, styles, **fields):
    return resolve_for_images(Config(**fields).resolved(), content, styles)


@pytest.mark.parametrize(
    ("size", "steps"),
    [
        (64, (90,)),
        (255, (90,)),
        (256, (45, 90)),
        (512, (30, 45, 90)),
        (724, (30, 45, 90)),
        (726, (45, 90, 90)),
        (1024, (30, 45, 90, 90)),
        (2048, (30, 45, 90, 90, 90)),
    ],
)
def test_levels_begin_at_128_pixels(size, steps):
    config = resolve(picture(90, 120), [picture(9, 9)], image_size=size)
    assert config.num_levels == len(steps)
    assert config.steps_by_level == steps


def test_one_large_level_has_all_steps():
    config = resolve(
        picture(90, 120), [picture(9, 9)], image_size=2048, num_levels=1
    )
    assert config.steps_by_level == (90,)


def test_levels_follow_the_picture_s_own_size():
    config = resolve(None, [picture(300, 512)], image_size=0)
    assert config.num_levels == 3


@pytest.mark.parametrize(
    ("height", "num_levels"), [(64, 3), (63, 2), (32, 2), (31, 1), (8, 1)]
)
def test_levels_of_a_panorama_have_a_position_of_the_deepest_layer(
    height, num_levels
):
    config = resolve(picture(height, 512), [picture(9, 9)], image_size=512)
    assert config.num_levels == num_levels


@pytest.mark.parametrize("padding", ["replicate", "zero"])
def test_plan_of_a_panorama_has_whole_positions(padding):
    config = Config(image_size=512, num_levels=1, padding=padding)
    plan = make_plan(config, picture(60, 4000), [picture(9, 9)])
    (level,) = plan.levels
    assert level.frame.height == 8
    assert level.frame.size[0] == 16


@pytest.mark.parametrize(
    ("height", "layers", "most"),
    [
        (64, ("conv5_1",), 3),
        (62, ("conv5_1",), 3),  # 15.5 pixels are 16
        (61, ("conv5_1",), 2),
        (31, ("conv5_1",), 2),
        (30, ("conv5_1",), 1),
        (8, ("conv5_1",), 1),
        (64, ("conv1_1",), 7),
        (64, ("conv4_1", "conv2_1"), 4),
    ],
)
def test_coarsest_level_has_a_position_of_the_deepest_layer(
    height, layers, most
):
    content = picture(height, 512)

    def resolve_levels(num_levels, **fields):
        return resolve(
            content,
            [picture(9, 9)],
            content_layers=layers[:1],
            style_layers=layers,
            num_levels=num_levels,
            **fields,
        )

    config = resolve_levels(most)
    assert config.num_levels == most
    assert resolve_for_images(config, content, [picture(9, 9)]) == config
    for several in (most + 1, 9, 10**400):
        with pytest.raises(ConfigError) as caught:
            resolve_levels(several)
        said = str(caught.value)
        assert said.startswith("`num_levels` must")
        assert f"Received: num_levels={several!s:.40} at 512x{height} " in said
        assert f"Give at most {most}, or raise `image_size`." in said
    with pytest.raises(ConfigError, match=f"num_steps for {most + 1} levels"):
        resolve_levels("auto", num_steps=(1,) * (most + 1))


def test_levels_of_auto_are_never_refused():
    for height in range(1, 300):
        images = picture(height, 2048), [picture(9, 9)]
        for layer in ("conv1_1", "conv5_1"):
            layers = {"content_layers": [layer], "style_layers": [layer]}
            config = resolve(*images, image_size=0, **layers)
            assert resolve_for_images(config, *images) == config


def test_levels_are_refused_before_anything_is_made():
    content, style = picture(48, 64), picture(64, 64)
    with pytest.raises(ConfigError, match="at 64x48 pixels"):
        make_plan(Config(image_size=64, num_levels=9), content, [style])


def test_warn_if_thin_names_the_size_that_is_not(caplog):
    asked = Config(image_size=512)
    warn_if_thin(picture(60, 4000), [], asked)
    (record,) = caplog.records
    assert "output has 512x8 pixels" in record.getMessage()
    remedy = int(re.search("--image_size to ([0-9]+)", record.getMessage())[1])
    caplog.clear()
    enough = dataclasses.replace(asked, image_size=remedy)
    warn_if_thin(picture(60, 4000), [], enough)
    assert not caplog.records


@pytest.mark.parametrize(
    ("content", "fields", "expected"),
    [
        (picture(90, 120), {}, "few"),
        (picture(90, 120), {"style_figures": "all"}, "all"),
        (picture(90, 120), {"loss_scale": "absolute"}, "all"),
        (None, {}, "all"),
        (None, {"style_figures": "few"}, "few"),
    ],
)
def test_figures_of_a_style_are_left_out_of_a_content(
    content, fields, expected
):
    config = resolve(content, [picture(9, 9)], **fields)
    assert config.style_figures == expected


def test_warn_if_enlarged_names_a_scale_that_does_not(caplog):
    content, styles = (
        picture(768, 1024),
        [picture(1024, 900), picture(600, 800)],
    )
    asked = Config(image_size=1024)
    warn_if_enlarged(content, styles, asked)
    (record,) = caplog.records
    assert "Style image 2, 800 pixels long" in record.getMessage()
    scale = float(re.search("--style_scale=([0-9.]+)", record.getMessage())[1])
    caplog.clear()
    for fields in ({"style_scale": scale}, {"style_scale": 0}):
        enough = dataclasses.replace(asked, **fields)
        warn_if_enlarged(content, styles, enough)
    assert not caplog.records


def test_warn_if_enlarged_names_a_size_of_the_content(caplog):
    asked = Config(image_size=1024)
    warn_if_enlarged(picture(600, 800), [], asked)
    (record,) = caplog.records
    assert "--image_size=800" in record.getMessage()
    caplog.clear()
    warn_if_enlarged(picture(700, 940), [], asked)  # by less than a tenth
    assert not caplog.records


def test_what_is_given_stays():
    given = {"init": "noise", "num_levels": 2, "num_steps": (7,)}
    config = resolve(picture(90, 120), [picture(9, 9)], **given)
    assert (config.init, config.num_levels) == ("noise", 2)
    assert config.steps_by_level == (7, 7)


def test_steps_of_several_levels_are_of_as_many():
    config = resolve(picture(9, 9), [picture(9, 9)], num_steps=(1, 2, 3, 4))
    assert config.num_levels == 4


@pytest.mark.parametrize(
    ("content", "num_styles", "init"),
    [
        (picture(16, 16), 1, "content"),
        (picture(16, 16), 0, "noise"),
        (None, 1, "noise"),
    ],
)
def test_init_is_the_content_if_a_style_changes_it(content, num_styles, init):
    config = resolve(content, [picture(16, 16)] * num_styles)
    assert config.init == init


def test_resolve_for_machine_resolves_every_auto_on_a_cpu():
    config = resolve_for_machine(Config())
    assert (config.convolution, config.jit_compile) == ("winograd", "false")
    assert resolve_for_machine(config) == config


def test_resolve_for_machine_keeps_what_was_asked_for():
    asked = Config(
        convolution="direct", precision="float32", jit_compile="true"
    )
    assert resolve_for_machine(asked) == asked


def test_resolve_for_machine_is_direct_in_float16():
    asked = Config(precision="mixed_float16")
    assert resolve_for_machine(asked).convolution == "direct"


def resolve_precision(**fields):
    config = resolve_for_machine(Config(**fields))
    return config.precision, config.convolution


@pytest.fixture(params=[False, True])
def is_faster(request, monkeypatch):
    """Says whether the processor is one that is faster in bfloat16."""
    monkeypatch.setattr(processors, "is_bfloat16_faster", lambda: request.param)
    return request.param


def test_precision_is_bfloat16_where_that_is_faster(is_faster):
    expected = "mixed_bfloat16" if is_faster else "float32"
    assert resolve_precision() == (expected, "winograd")
    assert resolve_precision(convolution="winograd") == (expected, "winograd")


@pytest.mark.parametrize(
    ("precision", "convolution"),
    [
        ("float32", "winograd"),
        ("mixed_bfloat16", "winograd"),
        ("mixed_float16", "direct"),
    ],
)
def test_precision_stays_as_given(is_faster, precision, convolution):
    resolved = resolve_precision(precision=precision)
    assert resolved == (precision, convolution)


def refuse_to_ask(monkeypatch):
    monkeypatch.setattr(
        processors, "is_bfloat16_faster", lambda: pytest.fail("asked")
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"convolution": "direct"},
        {"jit_compile": "true"},
        {"strategy": "mirrored"},
        {"precision": "float32"},
    ],
)
def test_precision_is_float32_by_other_options(monkeypatch, fields):
    refuse_to_ask(monkeypatch)
    assert resolve_precision(**fields)[0] == "float32"


def test_precision_is_float32_on_a_gpu(monkeypatch):
    refuse_to_ask(monkeypatch)
    monkeypatch.setattr(gpus, "has_gpu", lambda: True)
    assert resolve_precision() == ("float32", "direct")
    given = resolve_precision(precision="mixed_bfloat16")
    assert given == ("mixed_bfloat16", "direct")


def test_resolve_for_machine_on_a_gpu(monkeypatch):
    monkeypatch.setattr(gpus, "has_gpu", lambda: True)
    config = resolve_for_machine(Config())
    assert (config.convolution, config.jit_compile) == ("direct", "auto")
    text = (
        "`convolution` is winograd, which is for the CPU, but a GPU runs. Give"
        " convolution=direct, or hide it: CUDA_VISIBLE_DEVICES=''."
    )
    with pytest.raises(SetupError, match=f"^{re.escape(text)}$"):
        resolve_for_machine(Config(convolution="winograd"))


def scarce(monkeypatch):
    """Leaves no free memory."""
    monkeypatch.setattr(memory, "free_for_run", lambda enough: 0)


def test_plan_cuts_what_the_free_memory_does_not_hold(monkeypatch):
    content, style = picture(96, 128), picture(64, 64)
    whole = make_plan(Config(image_size=512), content, [style]).config
    assert (whole.tile_size, whole.convolution) == (0, "winograd")
    assert whole.num_correction_pairs == 20
    scarce(monkeypatch)
    cut = make_plan(Config(image_size=512), content, [style]).config
    assert (cut.tile_size, cut.convolution) == (256, "winograd")
    assert cut.num_correction_pairs == 3


def test_plan_has_smaller_tiles_for_when_memory_runs_out(monkeypatch):
    images = picture(96, 128), [picture(64, 64)]
    asked = Config(image_size=700)
    assert make_plan(asked, *images).smaller_tiles == (512, 256)
    assert make_plan(asked, *images, 2).smaller_tiles == ()
    assert make_plan(asked, *images, is_whole=True).smaller_tiles == ()
    for fields in ({"tile_size": 0}, {"precision": "mixed_float16"}):
        config = dataclasses.replace(asked, **fields)
        assert make_plan(config, *images).smaller_tiles == ()
    scarce(monkeypatch)
    assert make_plan(asked, *images).smaller_tiles == ()


def test_free_memory_does_not_decide_the_precision(monkeypatch):
    monkeypatch.setattr(processors, "is_bfloat16_faster", lambda: True)
    images = picture(96, 128), [picture(64, 64)]
    whole = make_plan(Config(image_size=512), *images).config
    assert (whole.tile_size, whole.precision) == (0, "mixed_bfloat16")
    scarce(monkeypatch)
    cut = make_plan(Config(image_size=512), *images).config
    assert (cut.tile_size, cut.precision) == (256, "mixed_bfloat16")


@pytest.mark.parametrize(
    ("fields", "is_whole"),
    [
        ({}, True),
        ({"precision": "mixed_float16"}, False),
    ],
)
def test_plan_never_cuts_what_must_be_whole(monkeypatch, fields, is_whole):
    scarce(monkeypatch)
    asked = Config(image_size=512, **fields)
    content, style = picture(96, 128), picture(64, 64)
    plan = make_plan(asked, content, [style], is_whole=is_whole)
    assert plan.config.tile_size == 0


@pytest.mark.parametrize(
    ("free", "tile_size", "num_correction_pairs"),
    [(math.inf, 0, 20), (4e9, 0, 20), (1.8e9, 256, 20), (1e9, 256, 3)],
)
def test_plan_fits_the_memory_of_the_gpu_not_of_the_machine(
    monkeypatch, free, tile_size, num_correction_pairs
):
    monkeypatch.setattr(memory, "free_memory", lambda with_swap=False: 0.0)
    monkeypatch.setattr(gpus, "has_gpu", lambda: True)
    monkeypatch.setattr(gpus, "free_gpu_memory", lambda: free)
    content, style = picture(96, 128), picture(64, 64)
    config = make_plan(Config(image_size=640), content, [style]).config
    assert config.tile_size == tile_size
    assert config.num_correction_pairs == num_correction_pairs


def test_plan_leaves_nothing_open():
    content, style = picture(96, 128), picture(64, 64)
    asked = Config(image_size=512)
    plan = make_plan(asked, content, [style])
    config = plan.config
    for field in dataclasses.fields(config):
        assert getattr(config, field.name) != "auto" or field.name in (
            "weights",  # a choice of origin
            "strategy",  # of the machine, before there is a plan
            "resume",
        )
    assert None not in (config.content_weight, config.learning_rate)
    assert [level.frame.width for level in plan.levels] == [128, 256, 512]
    assert [level.num_steps for level in plan.levels] == [30, 45, 90]
    again = make_plan(config, content, [style])  # whose tiles are asked for
    assert again == dataclasses.replace(plan, smaller_tiles=())


def test_plan_weighs_every_level_as_the_last():
    content, style = picture(96, 128), picture(64, 64)
    asked = Config(image_size=256, loss_scale="absolute", tv_weight=2.0)
    coarse, fine = make_plan(asked, content, [style]).levels
    assert fine.options.tv_weight == 2.0
    ratio = math.prod(fine.frame.size) / math.prod(coarse.frame.size)
    assert coarse.options.tv_weight == 2.0 * ratio
