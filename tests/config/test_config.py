"""RunConfig: every rule, and the way to flags and back."""

import dataclasses
import inspect
import os
import pathlib
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests import ROOT
from tests.refusals import refuses
from tfstyle.config.config import Config
from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import check_images
from tfstyle.flags import flagfile
from tfstyle.flags.command_line import read_config

NOT_OF_THE_PICTURE = {
    *("checkpoint_every_seconds", "cluster_timeout", "export_dir", "film"),
    *("image_every_steps", "log_every_steps", "manifest", "max_image_pixels"),
    *("metadata", "output_bits", "output_image", "overwrite", "report"),
    *("preview_every_seconds", "resume", "shard", "strategy", "workdir"),
    *("output_video", "frames", "frame_rate", "chunk_frames"),
    *("engine", "num_gpus"),
}
AT_LEAST_1 = ("max_image_pixels", "max_evaluations", "log_every_steps")
AT_LEAST_0 = (
    *("style_scale", "content_weight", "style_weight", "tv_weight", "seed"),
    *("chroma_weight", "range_weight", "image_every_steps"),
    *("preview_every_seconds", "checkpoint_every_seconds"),
    *("intra_op_threads", "inter_op_threads"),
)
AT_LEAST = dict.fromkeys(AT_LEAST_0, 0) | dict.fromkeys(AT_LEAST_1, 1)
NAN, INFINITY = float("nan"), float("inf")


def parse_file(lines):
    """Reads flags from a flagfile."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "flags.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(flagfile.make_text(lines, {}))
        return read_config([f"--flagfile={path}"])


# What a RunConfig is.


def test_photo_cfg_is_the_defaults():
    path = ROOT / "configs" / "photo.cfg"
    config = read_config([f"--flagfile={path}"])
    assert config.resolved() == RunConfig().resolved()


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (Config(), "Config()"),
        (Config(image_size=256), "Config(image_size=256)"),
        (
            Config(pooling="max", style_layers=["conv1_1"], num_steps=7),
            "Config(style_layers=('block1_conv1',), pooling='max',"
            " num_steps=(7,))",
        ),
        (
            RunConfig(seed=1, content_image="a.jpg"),
            "RunConfig(seed=1, content_image='a.jpg')",
        ),
    ],
)
def test_repr_is_a_call_without_the_defaults(config, text):
    assert repr(config) == text
    assert eval(text) == config


def test_signature_of_config_names_every_option():
    parameters = inspect.signature(Config).parameters
    assert list(parameters) == [f.name for f in dataclasses.fields(Config)]


def test_config_is_frozen_and_hashable():
    config = RunConfig(style_images=["a.jpg"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.num_steps = 1
    assert hash(config) == hash(RunConfig(style_images=("a.jpg",)))


LAYERS = ["conv5_4", "relu1_2", "block3_conv1", "pool2"]
KERAS = ("block5_conv4", "block1_conv2", "block3_conv1", "block2_pool")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("style_images", ["a.jpg", "b.jpg"], ("a.jpg", "b.jpg")),
        ("style_blend_weights", [1, 2.5], (1.0, 2.5)),
        ("content_layers", LAYERS, KERAS),
        ("style_layers", LAYERS, KERAS),
        ("num_steps", 7, (7,)),
        ("num_levels", "16", 16),
        ("num_correction_pairs", "16", 16),
        ("tile_size", "16", 16),
        ("tile_size", np.int64(16), 16),
        ("content_weight", np.float32(0.5), 0.5),
        ("tf32", np.bool_(False), False),
        ("num_steps", np.array([3, 4]), (3, 4)),
        ("style_blend_weights", np.ones(2, np.float32), (1.0, 1.0)),
        ("content_image", pathlib.Path("a.jpg"), "a.jpg"),
    ],
)
def test_config_converts_values(name, value, expected):
    found = getattr(RunConfig(**{name: value}), name)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "fields",
    [
        *({"image_size": size} for size in (0, 16, 65500)),
        *({"tile_size": size} for size in ("auto", 0, 512)),
        *({"intra_op_threads": 2**31 - 1}, {"inter_op_threads": 2**31 - 1}),
        *({"learning_rate": 1e-9}, {"time_limit": 1e-9}),
        *({"cluster_timeout": 1e-9}, {"cluster_timeout": 1e6}),
        *({"manifest": "a.csv", "shard": x} for x in ("3/3", "auto/1")),
        *({"manifest": name} for name in ("b/a.JSONL", "a b.json", "a.tsv")),
        {"manifest": "a.csv", "seed": 1, "init": "a.jpg"},
        {"content_reduction": "mean", "loss_scale": "absolute"},
        {"convolution": "winograd", "precision": "mixed_bfloat16"},
        {"convolution": "winograd", "tile_size": 512},
        {"precision": "mixed_float16", "tile_size": "auto"},
    ],
)
def test_config_takes_values_at_the_ends_of_their_range(fields):
    config = RunConfig(**fields)
    assert {name: getattr(config, name) for name in fields} == fields


# Rules of one field.


@pytest.mark.parametrize(
    "value", ["a\nb", "a\rb", "a\x00b", "a\udc80b", " a.jpg", "a.jpg "]
)
@pytest.mark.parametrize("name", ["content_image", "init", "style_images"])
def test_config_refuses_name_that_no_line_can_hold(name, value):
    given = ["good.jpg", value] if name == "style_images" else value
    with refuses(name, repr(value)):
        RunConfig(**{name: given})


@pytest.mark.parametrize(
    ("name", "value", "choices"),
    [
        ("loss_scale", "paper", ("relative", "absolute")),
        ("content_reduction", "median", ("sum", "mean")),
        ("pooling", "Average", ("auto", "average", "max", "rms")),
        ("padding", "same", ("replicate", "zero")),
        ("preconditioner", "fft", ("auto", "frequency", "none")),
        ("convolution", "fast", ("auto", "direct", "winograd")),
        (
            "precision",
            "16",
            ("auto", "float32", "mixed_bfloat16", "mixed_float16"),
        ),
        ("jit_compile", "yes", ("auto", "true", "false")),
        ("optimizer", "", ("lbfgs", "adam")),
        ("output_bits", 12, (8, 16)),
    ],
)
def test_config_prints_choices(name, value, choices):
    # Only absolute losses have all choices.
    with refuses(name, ", ".join(map(str, choices)), f"{name}={value!r}"):
        RunConfig(**{"loss_scale": "absolute", name: value})
    for choice in choices:
        config = RunConfig(**{"loss_scale": "absolute", name: choice})
        assert getattr(config, name) == choice


@pytest.mark.parametrize(("name", "least"), AT_LEAST.items())
def test_config_names_least_number(name, least):
    for value in (least - 1, least - 0.001, NAN, INFINITY, -INFINITY):
        with refuses(name, f"{name}={value}"):
            RunConfig(**{name: value})
    assert getattr(RunConfig(**{name: least}), name) == least


NOT_ABOVE_0 = [0, -1, NAN, INFINITY]
NOT_WEIGHTS = [[1.0, -1.0], [NAN, 1.0], [INFINITY, 1.0], [0.0, 0.0], [1.0] * 3]
NOT_LAYERS = [["conv1_1", "conv3_9"], [""], [], ["conv1_1", "block1_conv1"]]
WRITTEN = ["https://a/b.png", "ftp://a/b.png"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("image_size", [-16, 1, 15, 65501, NAN]),
        ("tile_size", [20, -16, "many", 10**6, 512.0]),
        ("num_levels", [0, -1, "many", "", 1.5]),
        ("num_correction_pairs", [0, -1, "many", "", 1.5]),
        ("intra_op_threads", [2**31]),
        ("inter_op_threads", [2**31]),
        ("learning_rate", NOT_ABOVE_0),
        ("time_limit", [*NOT_ABOVE_0, 10**400]),
        ("cluster_timeout", [*NOT_ABOVE_0, 1e7]),
        ("num_steps", [10**400, [5, -1, 2], [1, 2]]),
        ("style_weight", [10**400]),
        ("content_layers", NOT_LAYERS),
        ("style_layers", NOT_LAYERS),
        ("content_layer_weights", NOT_WEIGHTS),
        ("style_layer_weights", NOT_WEIGHTS),
        ("style_blend_weights", NOT_WEIGHTS[:-1]),
        ("shard", ["0/3", "4/3", "3", "a/b", "-1/3", "1/3/3"]),
        ("shard", ["auto/0", "auto/", "auto/x", "/3"]),
        ("manifest", ["a.xlsx", "a.ods", "csv", "a.csv.gz"]),
        *((name, WRITTEN) for name in ("export_dir", "film", "workdir")),
        *(
            ("output_image", WRITTEN),
            ("content_image", ["ftp://a/b.png", "s3://a::s3://b"]),
        ),
    ],
)
def test_config_refuses_values_out_of_range(name, values):
    others = {
        "content_layers": ["conv1_1", "conv2_1"],
        "style_layers": ["conv1_1", "conv2_1"],
        "num_levels": 3,
    }
    if name in ("shard", "manifest"):
        others["manifest"] = "jobs.csv"
    for value in values:
        said = "3 for 2" if value == [1.0] * 3 else str(value)[:30]
        said = "2 numbers for num_levels=3" if value == [1, 2] else said
        with refuses(name, said):
            RunConfig(**others | {name: value})


# Rules about two fields.


OF_A_LINE = (
    *("content_image", "style_images", "content_masks", "style_masks"),
    *("content_video", "output_image", "output_video", "film", "frames"),
)


@pytest.mark.parametrize(
    ("flags", "other"),
    [
        ("content_reduction=mean", "loss_scale=relative"),
        ("preconditioner=frequency optimizer=adam", "optimizer=adam"),
        ("convolution=winograd precision=mixed_float16", "mixed_float16"),
        ("convolution=winograd strategy=mirrored", "strategy=mirrored"),
        ("weights_input=caffe", "weights=auto"),
        ("precision=mixed_float16 tile_size=512", "tile_size=512"),
        ("precision=mixed_float16 strategy=mirrored", "strategy=mirrored"),
        ("export_dir=model precision=mixed_bfloat16", "bfloat16"),
        ("shard=1/3", "`manifest`"),
        *((f"{name}=x manifest=a.csv", "`manifest`") for name in OF_A_LINE),
        *(
            (f"{name}=x export_dir=model", "`export_dir`")
            for name in ("content_image", "style_images", "film")
        ),
        ("manifest=a.csv export_dir=model", "`export_dir`"),
        *(
            (f"{name}=x content_video=a.mp4", "`content_video`")
            for name in ("content_image", "output_image", "film")
        ),
    ],
)
def test_config_refuses_fields_that_contradict(flags, other):
    arguments = [f"--{flag}" for flag in flags.split()]
    with refuses(flags.partition("=")[0], other):
        read_config(arguments)


# Rules about the images.


NO_WEIGHTS = {"content_weight": 0, "style_weight": 0}


@pytest.mark.parametrize(
    ("settings", "counts", "field", "other"),
    [
        ({}, (False, 0), "content_image", "`style_images`"),
        ({"init": "content"}, (False, 1), "init", "`content_image`"),
        ({"init": "style"}, (True, 0), "init", "`style_images`"),
        ({"style_blend_weights": [1]}, (True, 0), "style_blend_weights", "1"),
        (
            {"style_blend_weights": [1, 2]},
            (True, 3),
            "style_blend_weights",
            "2 for 3",
        ),
        (
            {"style_blend_weights": [1, 2]},
            (True, 2, 2, 2),
            "style_blend_weights",
            "masks",
        ),
        ({}, (True, 2, 1), "content_masks", "1 and 0 for 2"),
        (NO_WEIGHTS, (True, 1), "content_weight", "`style_weight`"),
        ({"content_weight": 0}, (True, 0), "content_weight", "`style_weight`"),
        ({"style_weight": 0}, (False, 1), "content_weight", "`style_weight`"),
    ],
)
def test_check_images_refuses(settings, counts, field, other):
    with refuses(field, other):
        check_images(RunConfig(**settings), *counts)


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


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {},
            {
                "content_weight": 0.06,
                "style_weight": 1.0,
                "tv_weight": 0.12,
                "chroma_weight": 12.0,
                "range_weight": 10.0,
                "pooling": "rms",
                "preconditioner": "frequency",
                "learning_rate": 1.0,
                "content_layer_weights": (1.0,),
                "style_layer_weights": (0.2, 0.2, 0.2, 0.2, 0.2),
                "num_steps": (),
            },
        ),
        (
            {"loss_scale": "absolute"},
            {
                "content_weight": 1e-3,
                "style_weight": 1.0,
                "tv_weight": 0.0,
                "chroma_weight": 0.0,
                "range_weight": 0.0,
                "pooling": "average",
                "preconditioner": "frequency",
            },
        ),
        (
            {"optimizer": "adam"},
            {"learning_rate": 5.0, "preconditioner": "none"},
        ),
        (
            {"content_layers": ["conv3_1", "conv4_1"]},
            {"content_layer_weights": (0.5, 0.5)},
        ),
        ({"export_dir": "features"}, {"pooling": "average"}),
        ({"export_dir": "features", "pooling": "rms"}, {"pooling": "rms"}),
    ],
)
def test_resolved_fills_in_defaults_that_depend_on_others(fields, expected):
    resolved = RunConfig(**fields).resolved()
    assert {name: getattr(resolved, name) for name in expected} == expected
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
    ("num_steps", "num_levels", "expected"),
    [(7, 1, (7,)), ((7,), 3, (7, 7, 7)), ([1, 0, 2], 3, (1, 0, 2))],
)
def test_steps_by_level_has_one_number_a_level(num_steps, num_levels, expected):
    config = RunConfig(num_steps=num_steps, num_levels=num_levels)
    assert config.steps_by_level == expected


# To flags and back.


def test_to_flags_writes_every_field_that_has_a_value():
    layers = ",".join(f"block{number}_conv1" for number in range(1, 6))
    expected = f"""
        output_bits=8 shard=auto engine=processes preserve_colors=none
        keep_unmasked=false
        image_size=512 style_scale=1.0 max_image_pixels=178956970
        content_layers=block4_conv2 style_layers={layers}
        style_figures=auto loss_scale=relative style_weight=1.0
        content_reduction=sum pooling=auto padding=replicate
        rescale_filters=false weights=auto weights_input=auto
            init=auto optimizer=lbfgs
        num_correction_pairs=auto preconditioner=auto num_levels=auto
        seed=0 overwrite=false metadata=names log_every_steps=10
        image_every_steps=0 preview_every_seconds=0.0
        checkpoint_every_seconds=30.0 resume=auto report=false
        intra_op_threads=0 inter_op_threads=1 convolution=auto
        precision=auto jit_compile=auto tf32=true deterministic=false
        tile_size=auto strategy=auto cluster_timeout=300.0
    """
    assert RunConfig().to_flags() == [f"--{x}" for x in expected.split()]


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
        field.name
        for field in dataclasses.fields(RunConfig)
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
@given(configs)
def test_config_comes_back_from_its_flags(config):
    assert read_config(config.to_flags()) == config
    assert parse_file(config.to_flags()) == config


def test_resolved_config_comes_back_from_its_flags():
    config = RunConfig(
        content_layers=["conv3_1", "conv4_1", "conv5_1"], optimizer="adam"
    ).resolved()
    assert config.content_layer_weights == (1 / 3, 1 / 3, 1 / 3)
    assert parse_file(config.to_flags()) == config


# Films.


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("temporal_weight", 0.0, -1.0),
        ("frame_steps", 1, 0),
        ("frame_rate", 0.5, 0.0),
        ("chunk_frames", 16, 15),
        ("frames", "1-9", None),
        ("output_video", "a.mp4", "https://a/b.mp4"),
    ],
)
def test_options_of_films_need_a_film(name, value, wrong):
    config = RunConfig(content_video="a.mp4", **{name: value})
    assert getattr(config, name) == value
    with refuses(name, "content_video"):
        RunConfig(**{name: value})
    if wrong is not None:
        with refuses(name):
            RunConfig(content_video="a.mp4", **{name: wrong})
