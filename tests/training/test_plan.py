"""What `auto` means for given images, and on this machine."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.config.config import Config
from tfstyle.errors import SetupError
from tfstyle.images.image_set import ImageSet
from tfstyle.system.machine import Machine
from tfstyle.training.plan import NOTHING_DECIDED
from tfstyle.training.plan import choose_network
from tfstyle.training.plan import complete_options
from tfstyle.training.plan import make_plan
from tfstyle.training.size_warnings import warn_if_small

CPU = Machine(memory=math.inf)
FULL = Machine(memory=0.0)
GPU = Machine(has_gpu=True, memory=math.inf)
ONES = np.full((64, 64), 255, np.uint8)


def picture(height, width):
    return np.zeros((height, width, 3), np.uint8)


def complete(content, styles, **fields):
    return complete_options(
        Config(**fields), ImageSet.of_arrays(content, styles)
    )


def plan(asked, machine=CPU, decided=NOTHING_DECIDED, **options):
    images = ImageSet.of_arrays(picture(96, 128), [picture(64, 64)])
    return make_plan(asked, images, machine, decided, **options)


@pytest.mark.parametrize(
    ("height", "width", "fields", "steps"),
    [
        *(
            (90, 120, {"image_size": size}, steps)
            for size, steps in (
                (64, (90,)),
                (255, (90,)),
                (256, (45, 90)),
                (512, (30, 45, 90)),
                (724, (30, 45, 90)),
                (726, (45, 90, 90)),
                (1024, (30, 45, 90, 90)),
                (2048, (30, 45, 90, 90, 90)),
            )
        ),
        (90, 120, {"image_size": 2048, "num_levels": 1}, (90,)),
        (300, 512, {"image_size": 0}, (30, 45, 90)),
        # Every level has a position of the deepest layer.
        (64, 512, {"image_size": 512}, (30, 45, 90)),
        (63, 512, {"image_size": 512}, (45, 90)),
        (32, 512, {"image_size": 512}, (45, 90)),
        (31, 512, {"image_size": 512}, (90,)),
        (8, 512, {"image_size": 512}, (90,)),
        # What is given stays.
        (90, 120, {"num_levels": 2, "num_steps": (7,)}, (7, 7)),
        (9, 9, {"num_steps": (1, 2, 3, 4)}, (1, 2, 3, 4)),
    ],
)
def test_levels_and_steps_follow_the_size(height, width, fields, steps):
    for content, style in (
        (picture(height, width), picture(9, 9)),
        (None, picture(height, width)),
    ):
        config = complete(content, [style], **fields)
        assert config.num_levels == len(steps)
        assert config.steps_by_level == steps


@pytest.mark.parametrize("padding", ["replicate", "zero"])
def test_plan_of_a_panorama_has_whole_positions(padding):
    config = Config(image_size=512, num_levels=1, padding=padding)
    images = ImageSet.of_arrays(picture(60, 4000), [picture(9, 9)])
    (level,) = make_plan(config, images, CPU).levels
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
        return complete(
            content,
            [picture(9, 9)],
            content_layers=layers[:1],
            style_layers=layers,
            num_levels=num_levels,
            **fields,
        )

    config = resolve_levels(most)
    assert config.num_levels == most
    images = ImageSet.of_arrays(content, [picture(9, 9)])
    assert complete_options(config, images) == config
    for several in (most + 1, 9, 10**100):
        with refuses(
            "num_levels",
            f"Received: num_levels={several!s:.40} at 512x{height} ",
            f"Give at most {most}, ",
        ):
            resolve_levels(several)
    with refuses("num_levels", f"num_steps for {most + 1} levels"):
        resolve_levels("auto", num_steps=(1,) * (most + 1))


def test_levels_of_auto_are_never_refused():
    for height in range(1, 300):
        images = picture(height, 2048), [picture(9, 9)]
        for layer in ("conv1_1", "conv5_1"):
            layers = {"content_layers": [layer], "style_layers": [layer]}
            config = complete(*images, image_size=0, **layers)
            assert (
                complete_options(config, ImageSet.of_arrays(*images)) == config
            )


@pytest.mark.parametrize(
    ("fields", "images", "field", "text"),
    [
        ({"image_size": 64, "num_levels": 9}, {}, "num_levels", "at 64x64"),
        (
            {"preserve_colors": "match"},
            {"content": None},
            "preserve_colors",
            "content_image",
        ),
        ({}, {"content": None, "styles": []}, "content_image", "nothing"),
        ({}, {"content_masks": [ONES] * 2}, "content_masks", "2 and 0 for 1"),
    ],
)
def test_plan_refuses_options_that_do_not_fit_the_images(
    fields, images, field, text
):
    images = {"content": picture(64, 64), "styles": [picture(9, 9)]} | images
    with refuses(field, text):
        make_plan(Config(**fields), ImageSet.of_arrays(**images), CPU)


def find_warnings(caplog, content, styles, **fields):
    caplog.clear()
    warn_if_small(ImageSet.of_arrays(content, styles), Config(**fields))
    return [record.getMessage() for record in caplog.records]


def find_remedy(message, flag):
    (number,) = re.findall(rf"--{flag}(?: to |=)([0-9.]*[0-9])", message)
    return json.loads(number)


@pytest.mark.parametrize(
    ("content", "styles", "fields", "text", "flag", "remedy"),
    [
        (
            (60, 4000),
            [],
            {},
            "has only 512x8 pixels",
            "image_size",
            1067,
        ),
        (
            (768, 1024),
            [(1024, 900), (600, 800)],
            {"image_size": 1024},
            "Style image 2, 800 pixels long",
            "style_scale",
            0.78,
        ),
        (
            (600, 800),
            [],
            {"image_size": 1024},
            "content image, 800 pixels long",
            "image_size",
            800,
        ),
    ],
)
def test_warning_about_a_small_image_names_a_flag_that_helps(
    caplog, content, styles, fields, text, flag, remedy
):
    images = picture(*content), [picture(*size) for size in styles]
    (said,) = find_warnings(caplog, *images, **fields)
    assert text in said
    assert find_remedy(said, flag) == remedy
    assert not find_warnings(caplog, *images, **(fields | {flag: remedy}))


def test_images_that_are_large_enough_give_no_warning(caplog):
    styles = [picture(600, 800)]
    fields = {"image_size": 1024, "style_scale": 0}
    assert not find_warnings(caplog, picture(768, 1024), styles, **fields)
    nearly = picture(700, 940)  # enlarged by less than a tenth
    assert not find_warnings(caplog, nearly, [], image_size=1024)


@pytest.mark.parametrize(
    ("has_content", "num_styles", "fields", "expected"),
    [
        (True, 1, {}, {"init": "content", "style_figures": "few"}),
        (True, 0, {}, {"init": "noise"}),
        (False, 1, {}, {"init": "noise", "style_figures": "all"}),
        (True, 1, {"loss_scale": "absolute"}, {"style_figures": "all"}),
        *(
            (has_content, 1, given, given)
            for has_content in (True, False)
            for given in (
                {"init": "noise", "style_figures": "few"},
                {"style_figures": "all"},
            )
        ),
    ],
)
def test_defaults_follow_the_images(has_content, num_styles, fields, expected):
    content = picture(16, 16) if has_content else None
    config = complete(content, [picture(16, 16)] * num_styles, **fields)
    assert {name: getattr(config, name) for name in expected} == expected


def test_plan_keeps_what_was_asked_for():
    fields = {
        "convolution": "direct",
        "precision": "float32",
        "jit_compile": "true",
    }
    config = plan(Config(**fields)).config
    assert {name: getattr(config, name) for name in fields} == fields


def choose(machine, **fields):
    network = choose_network(Config(**fields), machine)
    return network.precision, network.convolution


@pytest.mark.parametrize(
    ("fields", "machine", "expected"),
    [
        ({}, {}, ("mixed_bfloat16", "winograd")),
        ({}, {"is_bfloat16_faster": False}, ("float32", "winograd")),
        ({"convolution": "winograd"}, {}, ("mixed_bfloat16", "winograd")),
        ({"convolution": "direct"}, {}, ("float32", "direct")),
        ({"jit_compile": "true"}, {}, ("float32", "winograd")),
        ({"precision": "float32"}, {}, ("float32", "winograd")),
        ({}, {"strategy": "mirrored"}, ("float32", "direct")),
        ({}, {"has_gpu": True}, ("float32", "direct")),
        *(
            ({"precision": precision}, machine, (precision, convolution))
            for precision, machine, convolution in (
                ("mixed_bfloat16", {"is_bfloat16_faster": False}, "winograd"),
                ("mixed_bfloat16", {"has_gpu": True}, "direct"),
                ("mixed_float16", {}, "direct"),
            )
        ),
    ],
)
def test_precision_and_convolution_are_chosen(fields, machine, expected):
    machine = Machine(**({"is_bfloat16_faster": True} | machine))
    assert choose(machine, **fields) == expected


def test_plan_on_a_gpu():
    assert plan(Config(), GPU).config.jit_compile == "auto"
    assert plan(Config(deterministic=True), GPU).config.jit_compile == "false"
    with refuses("convolution", kind=SetupError):
        plan(Config(convolution="winograd"), GPU)


def test_plan_takes_what_was_decided_before_for_auto():
    decided = {
        "convolution": "direct",
        "num_correction_pairs": "5",
        "precision": "mixed_bfloat16",
        "tile_size": "512",
    }
    config = plan(Config(), decided=decided).config
    assert (config.convolution, config.precision) == (
        "direct",
        "mixed_bfloat16",
    )
    assert (config.num_correction_pairs, config.tile_size) == (5, 512)
    asked = Config(convolution="winograd", tile_size=0)
    config = plan(asked, decided=decided).config
    assert (config.convolution, config.tile_size) == ("winograd", 0)


def test_plan_has_smaller_tiles_for_when_memory_runs_out():
    asked = Config(image_size=700)
    assert plan(asked).smaller_tiles == (512, 256)
    two = dataclasses.replace(CPU, num_replicas=2)
    assert plan(asked, two).smaller_tiles == ()
    assert plan(asked, is_whole=True).smaller_tiles == ()
    for fields in ({"tile_size": 0}, {"precision": "mixed_float16"}):
        config = dataclasses.replace(asked, **fields)
        assert plan(config).smaller_tiles == ()
    assert plan(asked, FULL).smaller_tiles == ()
    resumed = plan(asked, decided={"tile_size": "512"})
    assert resumed.smaller_tiles == (256,)


@pytest.mark.parametrize(
    ("fields", "is_whole"),
    [({}, True), ({"precision": "mixed_float16"}, False)],
)
def test_plan_never_cuts_what_must_be_whole(fields, is_whole):
    found = plan(Config(image_size=512, **fields), FULL, is_whole=is_whole)
    assert (found.config.tile_size, found.can_cut) == (0, False)


@pytest.mark.parametrize(
    ("has_gpu", "free", "tile_size", "num_correction_pairs"),
    [
        (True, math.inf, 0, 20),
        (True, 4e9, 0, 20),
        (True, 1.8e9, 256, 20),
        (True, 1e9, 256, 3),
        (False, math.inf, 0, 20),
        (False, 0.0, 256, 3),
    ],
)
def test_plan_fits_the_free_memory_with_any_precision(
    has_gpu, free, tile_size, num_correction_pairs
):
    machine = Machine(has_gpu=has_gpu, memory=free, is_bfloat16_faster=True)
    config = plan(Config(image_size=640), machine).config
    assert config.tile_size == tile_size
    assert config.num_correction_pairs == num_correction_pairs
    assert config.precision == ("float32" if has_gpu else "mixed_bfloat16")


def test_plan_leaves_nothing_open():
    made = plan(Config(image_size=512))
    config = made.config
    for field in dataclasses.fields(config):
        if not field.name.startswith("weights"):  # a choice of origin
            assert getattr(config, field.name) != "auto"
    assert None not in (config.content_weight, config.learning_rate)
    assert [level.frame.width for level in made.levels] == [128, 256, 512]
    assert [level.num_steps for level in made.levels] == [30, 45, 90]
    again = plan(config)  # whose tiles are asked for
    assert again == dataclasses.replace(made, smaller_tiles=())


@pytest.mark.parametrize(
    ("fields", "content_ratio", "pixel_ratio"),
    [
        ({}, 4, 4),
        ({"content_reduction": "mean"}, 1, 4),
        ({"loss_scale": "relative"}, 1, 1),
    ],
)
def test_plan_weighs_every_level_as_the_last(
    fields, content_ratio, pixel_ratio
):
    fields = {"loss_scale": "absolute", "content_layer_weights": (3,)} | fields
    coarse, fine = plan(Config(image_size=256, tv_weight=2, **fields)).levels
    assert fine.options.content_layer_weights == (3,)
    assert fine.options.tv_weight == 2
    assert coarse.options == dataclasses.replace(
        fine.options,
        content_layer_weights=(3 * content_ratio,),
        tv_weight=2 * pixel_ratio,
    )
