"""What `auto` means for given images, and on this machine."""

import dataclasses
import math
import re

import numpy as np
import pytest

from tfstyle.config.config import Config
from tfstyle.errors import ConfigError
from tfstyle.errors import SetupError
from tfstyle.images.image_set import ImageSet
from tfstyle.system.machine import Machine
from tfstyle.training.plan import NOTHING_DECIDED
from tfstyle.training.plan import choose_network
from tfstyle.training.plan import complete_options
from tfstyle.training.plan import make_plan
from tfstyle.training.size_warnings import warn_if_enlarged
from tfstyle.training.size_warnings import warn_if_thin

CPU = Machine(memory=math.inf)
FULL = Machine(memory=0.0)
GPU = Machine(has_gpu=True, memory=math.inf)


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
    config = complete(picture(90, 120), [picture(9, 9)], image_size=size)
    assert config.num_levels == len(steps)
    assert config.steps_by_level == steps


def test_one_large_level_has_all_steps():
    config = complete(
        picture(90, 120), [picture(9, 9)], image_size=2048, num_levels=1
    )
    assert config.steps_by_level == (90,)


def test_levels_follow_the_picture_s_own_size():
    config = complete(None, [picture(300, 512)], image_size=0)
    assert config.num_levels == 3


@pytest.mark.parametrize(
    ("height", "num_levels"), [(64, 3), (63, 2), (32, 2), (31, 1), (8, 1)]
)
def test_levels_of_a_panorama_have_a_position_of_the_deepest_layer(
    height, num_levels
):
    config = complete(picture(height, 512), [picture(9, 9)], image_size=512)
    assert config.num_levels == num_levels


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
            config = complete(*images, image_size=0, **layers)
            assert (
                complete_options(config, ImageSet.of_arrays(*images)) == config
            )


def test_levels_are_refused_before_anything_is_made():
    with pytest.raises(ConfigError, match="at 64x48 pixels"):
        plan(Config(image_size=64, num_levels=9))


def test_warn_if_thin_names_the_size_that_is_not(caplog):
    asked = Config(image_size=512)
    warn_if_thin(ImageSet.of_arrays(picture(60, 4000), []), asked)
    (record,) = caplog.records
    assert "output has 512x8 pixels" in record.getMessage()
    remedy = int(re.search("--image_size to ([0-9]+)", record.getMessage())[1])
    caplog.clear()
    enough = dataclasses.replace(asked, image_size=remedy)
    warn_if_thin(ImageSet.of_arrays(picture(60, 4000), []), enough)
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
    config = complete(content, [picture(9, 9)], **fields)
    assert config.style_figures == expected


def test_warn_if_enlarged_names_a_scale_that_does_not(caplog):
    content, styles = (
        picture(768, 1024),
        [picture(1024, 900), picture(600, 800)],
    )
    asked = Config(image_size=1024)
    warn_if_enlarged(ImageSet.of_arrays(content, styles), asked)
    (record,) = caplog.records
    assert "Style image 2, 800 pixels long" in record.getMessage()
    scale = float(re.search("--style_scale=([0-9.]+)", record.getMessage())[1])
    caplog.clear()
    for fields in ({"style_scale": scale}, {"style_scale": 0}):
        enough = dataclasses.replace(asked, **fields)
        warn_if_enlarged(ImageSet.of_arrays(content, styles), enough)
    assert not caplog.records


def test_warn_if_enlarged_names_a_size_of_the_content(caplog):
    asked = Config(image_size=1024)
    warn_if_enlarged(ImageSet.of_arrays(picture(600, 800), []), asked)
    (record,) = caplog.records
    assert "--image_size=800" in record.getMessage()
    caplog.clear()
    warn_if_enlarged(
        ImageSet.of_arrays(picture(700, 940), []), asked
    )  # by less than a tenth
    assert not caplog.records


def test_what_is_given_stays():
    given = {"init": "noise", "num_levels": 2, "num_steps": (7,)}
    config = complete(picture(90, 120), [picture(9, 9)], **given)
    assert (config.init, config.num_levels) == ("noise", 2)
    assert config.steps_by_level == (7, 7)


def test_steps_of_several_levels_are_of_as_many():
    config = complete(picture(9, 9), [picture(9, 9)], num_steps=(1, 2, 3, 4))
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
    config = complete(content, [picture(16, 16)] * num_styles)
    assert config.init == init


def test_plan_resolves_every_auto_on_a_cpu():
    config = plan(Config()).config
    assert (config.convolution, config.jit_compile) == ("winograd", "false")
    assert config.precision == "float32"


def test_plan_keeps_what_was_asked_for():
    fields = {
        "convolution": "direct",
        "precision": "float32",
        "jit_compile": "true",
    }
    config = plan(Config(**fields)).config
    assert {name: getattr(config, name) for name in fields} == fields


def test_plan_is_direct_in_float16():
    config = plan(Config(precision="mixed_float16")).config
    assert config.convolution == "direct"


def choose(machine, **fields):
    network = choose_network(Config(**fields), machine)
    return network.precision, network.convolution


@pytest.mark.parametrize("is_faster", [False, True])
def test_precision_is_bfloat16_where_that_is_faster(is_faster):
    machine = Machine(is_bfloat16_faster=is_faster)
    expected = "mixed_bfloat16" if is_faster else "float32"
    assert choose(machine) == (expected, "winograd")
    assert choose(machine, convolution="winograd") == (expected, "winograd")


@pytest.mark.parametrize(
    ("precision", "convolution"),
    [
        ("float32", "winograd"),
        ("mixed_bfloat16", "winograd"),
        ("mixed_float16", "direct"),
    ],
)
@pytest.mark.parametrize("is_faster", [False, True])
def test_precision_stays_as_given(is_faster, precision, convolution):
    machine = Machine(is_bfloat16_faster=is_faster)
    assert choose(machine, precision=precision) == (precision, convolution)


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"convolution": "direct"}, {}),
        ({"jit_compile": "true"}, {}),
        ({"precision": "float32"}, {}),
        ({}, {"strategy": "mirrored"}),
        ({}, {"has_gpu": True}),
    ],
)
def test_precision_is_float32_by_other_options(fields, changes):
    machine = Machine(is_bfloat16_faster=True, **changes)
    assert choose(machine, **fields)[0] == "float32"


def test_plan_on_a_gpu():
    config = plan(Config(), GPU).config
    assert (config.convolution, config.jit_compile) == ("direct", "auto")
    assert plan(Config(deterministic=True), GPU).config.jit_compile == "false"
    given = choose(GPU, precision="mixed_bfloat16")
    assert given == ("mixed_bfloat16", "direct")
    with pytest.raises(SetupError, match="`convolution` is winograd"):
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


def test_plan_cuts_what_the_free_memory_does_not_hold():
    whole = plan(Config(image_size=512)).config
    assert (whole.tile_size, whole.convolution) == (0, "winograd")
    assert whole.num_correction_pairs == 20
    cut = plan(Config(image_size=512), FULL).config
    assert (cut.tile_size, cut.convolution) == (256, "winograd")
    assert cut.num_correction_pairs == 3


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


def test_free_memory_does_not_decide_the_precision():
    for machine, tile_size in ((CPU, 0), (FULL, 256)):
        machine = dataclasses.replace(machine, is_bfloat16_faster=True)
        config = plan(Config(image_size=512), machine).config
        assert config.tile_size == tile_size
        assert config.precision == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("fields", "is_whole"),
    [({}, True), ({"precision": "mixed_float16"}, False)],
)
def test_plan_never_cuts_what_must_be_whole(fields, is_whole):
    found = plan(Config(image_size=512, **fields), FULL, is_whole=is_whole)
    assert (found.config.tile_size, found.can_cut) == (0, False)


@pytest.mark.parametrize(
    ("free", "tile_size", "num_correction_pairs"),
    [(math.inf, 0, 20), (4e9, 0, 20), (1.8e9, 256, 20), (1e9, 256, 3)],
)
def test_plan_fits_the_memory_of_the_gpu(free, tile_size, num_correction_pairs):
    machine = Machine(has_gpu=True, memory=free)
    config = plan(Config(image_size=640), machine).config
    assert config.tile_size == tile_size
    assert config.num_correction_pairs == num_correction_pairs


def test_plan_leaves_nothing_open():
    made = plan(Config(image_size=512))
    config = made.config
    for field in dataclasses.fields(config):
        if field.name != "weights":  # a choice of origin
            assert getattr(config, field.name) != "auto"
    assert None not in (config.content_weight, config.learning_rate)
    assert [level.frame.width for level in made.levels] == [128, 256, 512]
    assert [level.num_steps for level in made.levels] == [30, 45, 90]
    again = plan(config)  # whose tiles are asked for
    assert again == dataclasses.replace(made, smaller_tiles=())


def test_plan_weighs_every_level_as_the_last():
    asked = Config(image_size=256, loss_scale="absolute", tv_weight=2.0)
    coarse, fine = plan(asked).levels
    assert fine.options.tv_weight == 2.0
    ratio = math.prod(fine.frame.size) / math.prod(coarse.frame.size)
    assert coarse.options.tv_weight == 2.0 * ratio
