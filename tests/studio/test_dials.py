"""What the dials stand for on the command line."""

import dataclasses

import pytest

from tfstyle.config.config import Config
from tfstyle.errors import ConfigError
from tfstyle.flags.command_line import read_config
from tfstyle.studio import dials
from tfstyle.studio.dials import PRESETS
from tfstyle.studio.dials import Dials


def options_of(arguments):
    config = read_config(arguments)
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(Config)
    }


def arguments_of(preset="Photograph", others=(), picture="a.jpg", **fields):
    base = PRESETS[preset]
    before = Dials.of(base)
    moved = dataclasses.replace(
        before, **fields, others={**before.others, **dict(others)}
    )
    return dials.make_arguments(
        base, moved, content=picture, styles=["b.jpg"], weights=[1.0]
    )


def test_dials_as_they_are_leave_the_defaults():
    assert options_of(arguments_of()) == options_of([])


def test_no_option_of_a_picture_is_missing():
    behind = [field.name for field in dials.OTHERS]
    assert sorted([*behind, *dials.FRONT]) == sorted(
        field.name for field in dataclasses.fields(Config)
    )


@pytest.mark.parametrize(
    ("preset", "fields", "name", "expected"),
    [
        ("Painting", {}, "content_weight", 0.02),
        ("Painting", {"content": 100}, "content_weight", 0.5),
        ("Photograph", {"content": 0}, "content_weight", 0.02),
        ("Photograph", {"strokes": 0.5}, "style_scale", 0.5),
        ("Photograph", {"size": 768}, "image_size", 768),
        ("Photograph", {"size": "640"}, "image_size", 640),
        ("Photograph", {"quality": "Fine"}, "num_steps", (300,)),
        (
            "Photograph",
            {"colors": "of the content"},
            "preserve_colors",
            "match",
        ),
        ("Photograph", {"seed": 3}, "seed", 3),
        ("The paper", {}, "loss_scale", "absolute"),
        ("The paper", {"content": 50}, "content_weight", 0.1),
    ],
)
def test_dial_sets_its_option(preset, fields, name, expected):
    assert options_of(arguments_of(preset, **fields))[name] == expected


def test_option_of_a_preset_is_set_back():
    before = {"loss_scale": "relative", "init": "auto"}
    config = read_config(arguments_of("The paper", before))
    assert (config.loss_scale, config.init) == ("relative", "auto")


def test_content_dial_begins_at_the_default():
    plain = Dials.of([])
    weight = dials.weight_of(plain.content)
    assert weight == pytest.approx(0.06, rel=0.01)
    assert dials.percent_of(weight) == plain.content


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"content": 80},
        {"strokes": 1.5, "size": 256, "quality": "Quick", "seed": 7},
        {"others": {"tv_weight": "0.5", "pooling": "max"}},
    ],
)
def test_dials_are_found_again_by_their_command_line(preset, fields):
    asked = dials.without_files(arguments_of(preset, **fields))
    found, base = dials.find_base(asked)
    assert base == PRESETS[found]
    again = Dials.of(asked).to_arguments(base)
    assert options_of(again) == options_of(asked)
    if not fields:
        assert found == preset


def test_flag_that_no_dial_shows_is_kept():
    asked = ["--content_weight=0.0123", "--num_steps=17", "--seed=1"]
    preset, base = dials.find_base(asked)
    assert (preset, base) == (None, asked)
    moved = dataclasses.replace(Dials.of(asked), seed=2)
    options = options_of(moved.to_arguments(base))
    assert options["content_weight"] == 0.0123
    assert options["num_steps"] == (17,)
    assert options["seed"] == 2


def test_files_are_no_dials():
    asked = [
        *("--content_image=a.jpg", "--init=b.png", "--style_blend_weights=1"),
        *("--seed=1", "--init=noise", "--preset=photo", "--workdir=c"),
    ]
    assert dials.without_files(asked) == [
        *("--seed=1", "--init=noise", "--preset=photo")
    ]


def test_options_behind_are_those_of_the_command_line():
    config = read_config(arguments_of(others={"optimizer": "adam"}))
    assert config.optimizer == "adam"
    with pytest.raises(ConfigError, match="`tv_weight` must be a number"):
        arguments_of(others={"tv_weight": "much"})


@pytest.mark.parametrize(
    "others",
    [
        {"init": "/home/ada/private.png"},
        {"weights": "random\n--film=/home/ada/film.mp4"},
    ],
)
def test_options_reach_no_files_of_the_machine(others):
    with pytest.raises(ConfigError, match="must be one"):
        arguments_of(others=others)


def test_nothing_to_paint_is_told():
    with pytest.raises(ConfigError, match="there is nothing to paint"):
        dials.make_arguments([], Dials.of([]))


def test_blend_and_names_with_commas():
    found = dials.make_arguments(
        [],
        Dials.of([]),
        styles=["a,b.jpg", "c.jpg"],
        weights=[1.0, 0.5],
        start="d.png",
    )
    config = read_config(found)
    assert tuple(config.style_images) == ("a,b.jpg", "c.jpg")
    assert tuple(config.style_blend_weights) == (1.0, 0.5)
    assert config.init == "d.png"


def test_regions_take_the_place_of_a_blend():
    found = dials.make_arguments(
        [],
        Dials.of([]),
        content="a.jpg",
        styles=["b.jpg", "c.jpg"],
        weights=[1.0, 0.5],
        masks=["1.png", "2.png"],
    )
    config = read_config(found)
    assert tuple(config.content_masks) == ("1.png", "2.png")
    assert config.style_blend_weights == ()
