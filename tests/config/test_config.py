"""RunConfig: every rule with its message, and the way to flags and back."""

import dataclasses
import os
import re
import tempfile

import pytest
from absl import flags
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests import ROOT
from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import check_images
from tfstyle.errors import ConfigError
from tfstyle.flags import command_line as config_flags
from tfstyle.flags import flagfile

FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}
NOT_OF_THE_PICTURE = {
    "metadata",
    "shard",
    "output_image",
    "output_bits",
    "max_image_pixels",
    "workdir",
    "overwrite",
    "image_every_steps",
    "preview_every_seconds",
    "log_every_steps",
    "report",
    "export_dir",
    "film",
    "checkpoint_every_seconds",
    "resume",
    "manifest",
    "strategy",
    "cluster_timeout",
}
AT_LEAST = (
    ("style_scale", 0),
    ("content_weight", 0),
    ("style_weight", 0),
    ("tv_weight", 0),
    ("max_image_pixels", 1),
    ("chroma_weight", 0),
    ("range_weight", 0),
    ("image_every_steps", 0),
    ("preview_every_seconds", 0),
    ("checkpoint_every_seconds", 0),
    ("max_evaluations", 1),
    ("seed", 0),
    ("log_every_steps", 1),
    ("intra_op_threads", 0),
    ("inter_op_threads", 0),
)
NAN, INFINITY = float("nan"), float("inf")


def exactly(text):
    return f"^{re.escape(text)}$"


def parse_lines(lines, *, in_file):
    """Reads flags as a command line or as a flagfile does."""
    flag_values = flags.FlagValues()
    config_flags.define_flags(flag_values)
    if not in_file:
        return config_flags.parse(["tfstyle", *lines], flag_values)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "flags.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(flagfile.make_text(lines, {}))
        return config_flags.parse(
            ["tfstyle", f"--flagfile={path}"], flag_values
        )


# What a RunConfig is.


def test_config_defaults_are_the_best_picture_known():
    config = RunConfig().resolved()
    assert config.content_image is None
    assert config.style_images == ()
    assert config.image_size == 512
    assert config.content_layers == ("block4_conv2",)
    assert config.style_layers == (
        "block1_conv1",
        "block2_conv1",
        "block3_conv1",
        "block4_conv1",
        "block5_conv1",
    )
    assert config.loss_scale == "relative"
    assert (config.content_weight, config.style_weight) == (0.06, 1.0)
    assert (config.tv_weight, config.range_weight) == (0.12, 10.0)
    assert config.chroma_weight == 12.0
    assert (config.pooling, config.padding) == ("rms", "replicate")
    assert (config.init, config.num_levels) == ("auto", "auto")
    assert (config.optimizer, config.preconditioner) == ("lbfgs", "frequency")
    assert config.num_steps == ()
    assert config.weights == "auto"


def test_photo_cfg_is_the_defaults():
    path = ROOT / "configs" / "photo.cfg"
    flag_values = flags.FlagValues()
    config_flags.define_flags(flag_values)
    given = ["tfstyle", f"--flagfile={path}"]
    config = config_flags.parse(given, flag_values)
    assert config.resolved() == RunConfig().resolved()


def test_absolute_losses_have_the_paper_s_defaults():
    config = RunConfig(loss_scale="absolute").resolved()
    assert (config.content_weight, config.style_weight) == (1e-3, 1.0)
    assert (config.tv_weight, config.range_weight) == (0.0, 0.0)
    assert (config.chroma_weight, config.pooling) == (0.0, "average")
    given = RunConfig(loss_scale="absolute", tv_weight=1e-2).resolved()
    assert given.tv_weight == 1e-2


def test_content_reduction_is_refused_with_relative_losses():
    with pytest.raises(ConfigError, match="a choice among absolute losses"):
        RunConfig(content_reduction="mean")


def test_preconditioner_is_refused_with_adam():
    with pytest.raises(ConfigError, match="`preconditioner` is for lbfgs"):
        RunConfig(optimizer="adam", preconditioner="frequency")
    assert RunConfig(optimizer="adam").resolved().preconditioner == "none"


def test_config_is_frozen_and_hashable():
    config = RunConfig(style_images=["a.jpg"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.num_steps = 1
    assert hash(config) == hash(RunConfig(style_images=("a.jpg",)))


def test_config_turns_lists_into_tuples():
    config = RunConfig(
        style_images=["a.jpg", "b.jpg"],
        style_blend_weights=[1.0, 2.0],
        content_layers=["conv4_2"],
        style_layers=["conv1_1", "conv2_1"],
        content_layer_weights=[1.0],
        style_layer_weights=[0.25, 0.75],
    )
    assert config.style_images == ("a.jpg", "b.jpg")
    assert config.style_blend_weights == (1.0, 2.0)
    assert config.content_layers == ("block4_conv2",)
    assert config.style_layers == ("block1_conv1", "block2_conv1")
    assert config.content_layer_weights == (1.0,)
    assert config.style_layer_weights == (0.25, 0.75)


def test_config_makes_layer_names_canonical():
    names = ["conv5_4", "relu1_2", "block3_conv1", "pool2"]
    expected = ("block5_conv4", "block1_conv2", "block3_conv1", "block2_pool")
    assert RunConfig(content_layers=names).content_layers == expected
    assert RunConfig(style_layers=names).style_layers == expected


# Rules of one field.


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x00b", "a\udc80b"])
@pytest.mark.parametrize(
    "name",
    [
        "content_image",
        "output_image",
        "weights",
        "init",
        "workdir",
        "style_images",
    ],
)
def test_config_refuses_name_that_no_line_can_hold(name, value):
    text = (
        f"`{name}` must be a name in UTF-8, without line breaks."
        f" Received: {value!r}. Rename the file."
    )
    given = ["good.jpg", value] if name == "style_images" else value
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(**{name: given})


@pytest.mark.parametrize(
    ("name", "value", "choices"),
    [
        ("loss_scale", "paper", "relative, absolute"),
        ("pooling", "Average", "auto, average, max, rms"),
        ("padding", "same", "replicate, zero"),
        ("preconditioner", "fft", "auto, frequency, none"),
        ("convolution", "fast", "auto, direct, winograd"),
        ("precision", "16", "auto, float32, mixed_bfloat16, mixed_float16"),
        ("jit_compile", "yes", "auto, true, false"),
        ("optimizer", "", "lbfgs, adam"),
    ],
)
def test_config_prints_choices(name, value, choices):
    text = f"`{name}` must be one of {choices}. Received: {name}={value!r}."
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(**{name: value})
    for choice in choices.split(", "):
        assert getattr(RunConfig(**{name: choice}), name) == choice


def test_config_prints_choices_that_are_numbers():
    text = "`output_bits` must be one of 8, 16. Received: output_bits=12."
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(output_bits=12)


def test_config_prints_choices_of_content_reduction():
    with pytest.raises(ConfigError, match=re.escape("one of sum, mean.")):
        RunConfig(loss_scale="absolute", content_reduction="median")
    for choice in ("sum", "mean"):
        RunConfig(loss_scale="absolute", content_reduction=choice)


def test_config_refuses_winograd_in_float16():
    text = (
        "`convolution` is winograd, which is for the CPU, and mixed_float16 is"
        " for GPUs. Received: precision=mixed_float16. Give convolution=direct"
        " or precision=mixed_bfloat16."
    )
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(convolution="winograd", precision="mixed_float16")
    for precision in ("auto", "float32", "mixed_bfloat16"):
        RunConfig(convolution="winograd", precision=precision)


@pytest.mark.parametrize(("name", "least"), AT_LEAST)
def test_config_names_least_number(name, least):
    for value in (least - 1, least - 0.001, NAN, INFINITY, -INFINITY):
        with pytest.raises(ConfigError, match=f"^`{name}` must be "):
            RunConfig(**{name: value})
    assert getattr(RunConfig(**{name: least}), name) == least


@pytest.mark.parametrize("value", [0, -1, NAN, INFINITY])
@pytest.mark.parametrize(
    "name", ["learning_rate", "time_limit", "cluster_timeout"]
)
def test_config_refuses_rate_and_limit_not_above_zero(name, value):
    with pytest.raises(ConfigError, match=f"^`{name}` must be above 0. "):
        RunConfig(**{name: value})
    assert getattr(RunConfig(**{name: 1e-9}), name) == 1e-9


@pytest.mark.parametrize("value", [-16, 1, 15, 65501, NAN])
def test_config_refuses_image_size_out_of_range(value):
    with pytest.raises(ConfigError, match=r"^`image_size` must be "):
        RunConfig(image_size=value)


def test_config_takes_image_size_at_the_ends_of_its_range():
    for value in (0, 16, 65500):
        assert RunConfig(image_size=value).image_size == value


@pytest.mark.parametrize("name", ["num_steps", "style_weight", "time_limit"])
def test_config_refuses_number_beyond_floating_point(name):
    with pytest.raises(ConfigError, match=f"`{name}`"):
        RunConfig(**{name: 10**400})


@pytest.mark.parametrize("name", ["intra_op_threads", "inter_op_threads"])
def test_config_refuses_more_threads_than_tensorflow_can_count(name):
    assert getattr(RunConfig(**{name: 2**31 - 1}), name) == 2**31 - 1
    with pytest.raises(ConfigError, match=f"`{name}`"):
        RunConfig(**{name: 2**31})


@pytest.mark.parametrize("name", ["content_layers", "style_layers"])
@pytest.mark.parametrize(
    ("layer", "hint"),
    [
        ("conv3_9", "Block 3 has conv3_1 to conv3_4."),
        ("block1_conv3", "Block 1 has conv1_1 to conv1_2."),
        ("conv6_1", "VGG19 has conv1_1 to conv5_4 and pool1 to pool5."),
        ("", "VGG19 has conv1_1 to conv5_4 and pool1 to pool5."),
    ],
)
def test_config_refuses_unknown_layer(name, layer, hint):
    text = (
        f"`{name}` must name layers of VGG19, such as conv3_1 or block3_conv1."
        f" Received: {name}={['conv1_1', layer]}. VGG19 has no layer"
        f" {layer!r}. {hint}"
    )
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(**{name: ["conv1_1", layer]})


@pytest.mark.parametrize("name", ["content_layers", "style_layers"])
@pytest.mark.parametrize("layers", [[], ["conv1_1", "block1_conv1"]])
def test_config_refuses_no_layer_and_one_layer_twice(name, layers):
    text = (
        f"`{name}` must name at least one layer, each once. Received:"
        f" {name}={layers}."
    )
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(**{name: layers})


@pytest.mark.parametrize("values", [[1.0, -1.0], [NAN, 1.0], [INFINITY, 1.0]])
@pytest.mark.parametrize(
    "name",
    ["style_blend_weights", "content_layer_weights", "style_layer_weights"],
)
def test_config_refuses_list_of_wrong_numbers(name, values):
    layers = {
        "content_layers": ["conv1_1", "conv2_1"],
        "style_layers": ["conv1_1", "conv2_1"],
    }
    text = f"`{name}` must be numbers of at least 0, not all 0. Received:"
    for wrong in (values, [0.0, 0.0]):
        with pytest.raises(
            ConfigError, match=exactly(f"{text} {name}={wrong}.")
        ):
            RunConfig(**layers, **{name: wrong})
    right = RunConfig(**layers, **{name: [0.0, 2.0]})
    assert getattr(right, name) == (0.0, 2.0)


@pytest.mark.parametrize("kind", ["content", "style"])
def test_config_refuses_layer_weights_of_another_number(kind):
    text = (
        f"`{kind}_layer_weights` must have one value for each of"
        f" `{kind}_layers`. Received: 3 for 2. Give as many, or none for equal"
        " ones."
    )
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(
            **{
                f"{kind}_layers": ["conv1_1", "conv2_1"],
                f"{kind}_layer_weights": [1.0, 1.0, 1.0],
            }
        )


# Rules about the images.


@pytest.mark.parametrize(
    ("settings", "has_content", "num_styles", "text"),
    [
        (
            {},
            False,
            0,
            "`content_image` and `style_images` are both missing: there is"
            " nothing to paint. Give one of them, or both.",
        ),
        (
            {"init": "content"},
            False,
            1,
            "`init` is content, but `content_image` is missing. Give it, or"
            " init=noise.",
        ),
        (
            {"init": "style"},
            True,
            0,
            "`init` is style, but `style_images` is missing. Give it, or"
            " init=noise.",
        ),
        (
            {"style_blend_weights": [1.0, 2.0]},
            True,
            3,
            "`style_blend_weights` must have one value for each of"
            " `style_images`. Received: 2 for 3. Give as many, or none for"
            " equal ones.",
        ),
        (
            {"style_blend_weights": [1.0]},
            True,
            0,
            "`style_blend_weights` must have one value for each of"
            " `style_images`. Received: 1 for 0. Give as many, or none for"
            " equal ones.",
        ),
    ],
)
def test_check_images_refuses(settings, has_content, num_styles, text):
    with pytest.raises(ConfigError, match=exactly(text)):
        check_images(RunConfig(**settings), has_content, num_styles)


@pytest.mark.parametrize(
    ("content_weight", "style_weight", "has_content", "num_styles"),
    [(0, 0, True, 1), (0, 1, True, 0), (1, 0, False, 1)],
)
def test_check_images_refuses_when_there_is_nothing_to_paint(
    content_weight, style_weight, has_content, num_styles
):
    config = RunConfig(content_weight=content_weight, style_weight=style_weight)
    text = (
        "`content_weight` or `style_weight` must be above 0 for an image that"
        " is given: there is nothing to paint."
    )
    with pytest.raises(ConfigError, match=exactly(text)):
        check_images(config, has_content, num_styles)


@pytest.mark.parametrize(
    ("settings", "has_content", "num_styles"),
    [
        ({}, True, 1),
        ({}, True, 0),
        ({}, False, 1),
        ({"init": "content"}, True, 0),
        ({"init": "style"}, False, 2),
        ({"init": "style.png"}, True, 0),
        ({"style_blend_weights": [1.0, 2.0]}, False, 2),
        ({"style_weight": 0}, True, 1),
        ({"content_weight": 0}, True, 1),
    ],
)
def test_check_images_takes_what_can_be_painted(
    settings, has_content, num_styles
):
    check_images(RunConfig(**settings), has_content, num_styles)


# Defaults that depend.


@pytest.mark.parametrize(("optimizer", "rate"), [("lbfgs", 1.0), ("adam", 5.0)])
def test_resolved_fills_in_learning_rate(optimizer, rate):
    config = RunConfig(optimizer=optimizer)
    assert config.resolved().learning_rate == rate
    assert config.learning_rate is None
    given = RunConfig(optimizer=optimizer, learning_rate=0.5)
    assert given.resolved().learning_rate == 0.5


def test_resolved_fills_in_equal_layer_weights():
    config = RunConfig(content_layers=["conv3_1", "conv4_1"])
    resolved = config.resolved()
    assert resolved.content_layer_weights == (0.5, 0.5)
    assert resolved.style_layer_weights == (0.2, 0.2, 0.2, 0.2, 0.2)
    assert config.content_layer_weights == ()
    assert resolved.resolved() == resolved


def test_resolved_keeps_what_is_given():
    config = RunConfig(
        learning_rate=0.25,
        content_layer_weights=[3.0],
        style_layer_weights=[0.0, 1.0, 2.0, 3.0, 4.0],
        content_weight=2.0,
        tv_weight=0.0,
        chroma_weight=0.0,
        range_weight=0.0,
        pooling="max",
        preconditioner="none",
    )
    assert config.resolved() == config


@pytest.mark.parametrize(
    ("fields", "pooling"),
    [
        ({}, "rms"),
        ({"loss_scale": "absolute"}, "average"),
        ({"export_dir": "features"}, "average"),
        ({"export_dir": "features", "pooling": "rms"}, "rms"),
        ({"loss_scale": "absolute", "pooling": "rms"}, "rms"),
    ],
)
def test_pooling_is_the_paper_s_for_its_losses_and_exports(fields, pooling):
    assert RunConfig(**fields).resolved().pooling == pooling


@pytest.mark.parametrize("name", ["a.csv", "b/a.JSONL", "a b.json", "a.tsv"])
def test_config_takes_a_manifest(name):
    assert RunConfig(manifest=name, seed=1, init="a.jpg").manifest == name


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods", "csv", "a.csv.gz"])
def test_config_refuses_a_manifest_of_another_ending(name):
    text = (
        "`manifest` must end in one of .csv, .tsv, .txt, .json, .jsonl,"
        f" .ndjson. Received: {name!r}. Save a spreadsheet as CSV."
    )
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(manifest=name)


@pytest.mark.parametrize(
    "name",
    [
        *("content_image", "style_images", "content_masks", "style_masks"),
        *("output_image", "export_dir"),
    ],
)
def test_config_refuses_beside_a_manifest_what_its_lines_name(name):
    text = (
        f"`{name}` is given beside `manifest`, whose lines name the pictures."
        " Leave out one of them."
    )
    is_list = name.endswith("s")
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(manifest="a.csv", **{name: ["x.png"] if is_list else "x.png"})


# To flags and back.


def test_to_flags_writes_every_field_that_has_a_value():
    assert RunConfig().to_flags() == [
        "--output_bits=8",
        "--shard=auto",
        "--preserve_colors=none",
        "--image_size=512",
        "--style_scale=1.0",
        "--max_image_pixels=178956970",
        "--content_layers=block4_conv2",
        "--style_layers=block1_conv1,block2_conv1,block3_conv1,block4_conv1,"
        "block5_conv1",
        "--style_figures=auto",
        "--loss_scale=relative",
        "--style_weight=1.0",
        "--content_reduction=sum",
        "--pooling=auto",
        "--padding=replicate",
        "--rescale_filters=false",
        "--weights=auto",
        "--init=auto",
        "--optimizer=lbfgs",
        "--num_correction_pairs=auto",
        "--preconditioner=auto",
        "--num_levels=auto",
        "--seed=0",
        "--overwrite=false",
        "--metadata=names",
        "--log_every_steps=10",
        "--image_every_steps=0",
        "--preview_every_seconds=0.0",
        "--checkpoint_every_seconds=30.0",
        "--resume=auto",
        "--report=false",
        "--intra_op_threads=0",
        "--inter_op_threads=1",
        "--convolution=auto",
        "--precision=auto",
        "--jit_compile=auto",
        "--tf32=true",
        "--deterministic=false",
        "--tile_size=auto",
        "--strategy=auto",
        "--cluster_timeout=300.0",
    ]


def test_to_flags_leaves_out_what_decides_no_pixel():
    config = RunConfig(
        style_images=["a.jpg"],
        output_image="out.png",
        workdir="run",
        overwrite=True,
    )
    names = {
        line.removeprefix("--").split("=")[0]
        for line in config.to_flags(only_pixels=True)
    }
    assert not names & NOT_OF_THE_PICTURE
    assert {"style_images", "seed", "weights", "intra_op_threads"} <= names
    assert {
        name
        for name, field in FIELDS.items()
        if field.metadata["scope"] == "run"
    } == NOT_OF_THE_PICTURE


def test_to_flags_quotes_commas_and_quotes():
    config = RunConfig(
        content_image='a "b", c.jpg',
        style_images=["plain.jpg", "one, two.jpg", 'the "third".jpg'],
        style_blend_weights=[0.1, 1e-12, 2.0],
        overwrite=True,
    )
    lines = config.to_flags()
    assert '--content_image=a "b", c.jpg' in lines
    assert (
        '--style_images=plain.jpg,"one, two.jpg","the ""third"".jpg"' in lines
    )
    assert "--style_blend_weights=0.1,1e-12,2.0" in lines
    assert "--overwrite=true" in lines


names = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\0"),
    min_size=1,
    max_size=20,
)
names |= st.text("a ,\"'=-#\\é", min_size=1, max_size=6)
inner_spaces = names.filter(lambda name: name == name.strip())
weights = st.floats(0, 1e300, exclude_min=True)
configs = st.builds(
    RunConfig,
    content_image=st.none() | inner_spaces,
    style_images=st.lists(inner_spaces, max_size=3),
    style_blend_weights=st.lists(weights, max_size=3),
    init=inner_spaces,
    workdir=st.none() | inner_spaces,
    style_layers=st.lists(
        st.sampled_from(["conv1_1", "relu3_2", "pool5"]),
        min_size=1,
        unique=True,
    ),
    style_weight=weights,
    learning_rate=st.none() | weights,
    image_size=st.just(0) | st.integers(16, 65500),
    max_evaluations=st.none() | st.integers(1, 2**63),
    seed=st.integers(0, 2**64),
    overwrite=st.booleans(),
)


@settings(deadline=None, max_examples=100)
@given(configs, st.booleans())
def test_config_comes_back_from_its_flags(config, in_file):
    assert parse_lines(config.to_flags(), in_file=in_file) == config


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("name", [" a.jpg", "a.jpg "])
@pytest.mark.parametrize("field", ["content_image", "style_images"])
def test_config_comes_back_or_is_refused_when_name_ends_in_a_space(
    field, name, in_file
):
    value = (name,) if field == "style_images" else name
    try:
        config = RunConfig(**{field: value})
    except ConfigError as error:
        assert f"`{field}`" in str(error)  # noqa: PT017
    else:
        assert parse_lines(config.to_flags(), in_file=in_file) == config


def test_resolved_config_comes_back_from_its_flags():
    config = RunConfig(
        content_layers=["conv3_1", "conv4_1", "conv5_1"], optimizer="adam"
    ).resolved()
    assert config.content_layer_weights == (1 / 3, 1 / 3, 1 / 3)
    assert parse_lines(config.to_flags(), in_file=True) == config


@pytest.mark.parametrize(
    ("num_steps", "num_levels", "expected"),
    [(7, 1, (7,)), ((7,), 3, (7, 7, 7)), ([1, 0, 2], 3, (1, 0, 2))],
)
def test_steps_by_level_has_one_number_a_level(num_steps, num_levels, expected):
    config = RunConfig(num_steps=num_steps, num_levels=num_levels)
    assert config.steps_by_level == expected


@pytest.mark.parametrize(
    ("num_steps", "text"),
    [
        ([1, 2], "Received: 2 numbers for num_levels=3."),
        ([5, -1, 2], "Received: num_steps=[5, -1, 2]."),
    ],
)
def test_config_refuses_steps_for_other_levels(num_steps, text):
    with pytest.raises(ConfigError, match=re.escape(text)):
        RunConfig(num_steps=num_steps, num_levels=3)


@pytest.mark.parametrize("given", [0, -1, "many", "", 1.5])
@pytest.mark.parametrize("name", ["num_levels", "num_correction_pairs"])
def test_config_refuses_counts_that_are_none(name, given):
    with pytest.raises(ConfigError, match=rf"^`{name}` must be auto or "):
        RunConfig(**{name: given})
    assert RunConfig(**{name: "3"}) == RunConfig(**{name: 3})


def test_masks_and_blend_weights_are_refused_together():
    config = RunConfig(style_blend_weights=[1, 2])
    with pytest.raises(ConfigError, match="Give one or the other"):
        check_images(config, True, 2, 2, 2)


@pytest.mark.parametrize("given", [512, "512"])
def test_tile_size_is_a_number(given):
    assert RunConfig(tile_size=given).tile_size == 512


@pytest.mark.parametrize("given", [20, -16, "many", 10**6, 512.0])
def test_tile_size_of_other_kinds_is_refused(given):
    with pytest.raises(ConfigError, match=r"^`tile_size` must be auto"):
        RunConfig(tile_size=given)


@pytest.mark.parametrize("cut", [{"tile_size": 512}, {"strategy": "mirrored"}])
def test_frames_are_not_cut_in_float16(cut):
    ((cause, value),) = cut.items()
    text = (
        "`precision` mixed_float16 needs the whole frame at once. Received:"
        f" {cause}={value}, which cuts it. Leave out one of them."
    )
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(precision="mixed_float16", **cut)
    auto = RunConfig(precision="mixed_float16", tile_size="auto")
    assert auto.tile_size == "auto"


def test_winograd_is_for_one_device():
    text = (
        "`convolution` winograd is for one device. Received:"
        " strategy=mirrored. Leave out one of them."
    )
    with pytest.raises(ConfigError, match=exactly(text)):
        RunConfig(convolution="winograd", strategy="mirrored")
    assert RunConfig(convolution="winograd", tile_size=512).tile_size == 512


def test_cluster_timeout_is_at_most_some_days():
    assert RunConfig(cluster_timeout=1e6).cluster_timeout == 1e6
    with pytest.raises(ConfigError, match="above 0 and at most 1000000"):
        RunConfig(cluster_timeout=1e7)


@pytest.mark.parametrize(
    "name", ["export_dir", "film", "output_image", "workdir"]
)
def test_addresses_are_refused_by_name(name):
    with pytest.raises(ConfigError, match=f"`{name}` must be a path of this"):
        RunConfig(**{name: "gs://bucket/folder/a.png"})


def test_film_is_of_one_picture():
    with pytest.raises(ConfigError, match="lines a column `film`"):
        RunConfig(manifest="jobs.csv", film="a.gif")
    with pytest.raises(ConfigError, match="`export_dir` paints none"):
        RunConfig(export_dir="model", film="a.gif")


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "-1/3", "1/3/3"])
def test_shard_is_a_part_of_a_whole(shard):
    with pytest.raises(ConfigError, match="`shard` must be auto or a part"):
        RunConfig(manifest="jobs.csv", shard=shard)


def test_shard_needs_a_manifest():
    with pytest.raises(ConfigError, match="`shard` is a part of a `manifest`"):
        RunConfig(shard="1/3")
    assert RunConfig(manifest="jobs.csv", shard="3/3").shard == "3/3"


@pytest.mark.parametrize("name", ["red, blue.jpg", "red,blue.jpg"])
def test_file_with_a_comma_in_its_name_is_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    config = config_flags.read_config([f"--style_images={name}"])
    assert config.style_images == (name,)
    config = config_flags.read_config(["--style_images=red,green.jpg"])
    assert config.style_images == ("red", "green.jpg")
