"""What the dials stand for on the command line."""

import dataclasses

import pytest

from tfstyle.config.config import Config
from tfstyle.config.flags import read_config
from tfstyle.config.validation import ConfigError
from tfstyle.studio import dials
from tfstyle.studio.dials import Dials


def arguments_of(others=(), picture="a.jpg", styles=("b.jpg",), **fields):
    weights = [1.0] * len(styles)
    return dials.make_arguments(
        Dials(**fields), dict(others), picture, styles, weights
    )


def test_dials_as_they_are_leave_the_defaults():
    config = read_config(arguments_of())
    plain = Config()
    for field in dataclasses.fields(Config):
        assert getattr(config, field.name) == getattr(plain, field.name)


def test_no_option_of_a_picture_is_missing():
    behind = [field.name for field in dials.other_fields()]
    assert sorted([*behind, *dials.FRONT]) == sorted(
        field.name for field in dataclasses.fields(Config)
    )


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ({"preset": "Painting"}, "content_weight", 0.02),
        ({"preset": "Painting", "content": 100.0}, "content_weight", 0.5),
        ({"content": 0.0}, "content_weight", 0.02),
        ({"strokes": 0.5}, "style_scale", 0.5),
        ({"size": 768}, "image_size", 768),
        ({"quality": "Fine"}, "num_steps", (300,)),
        ({"colors": "of the content"}, "preserve_colors", "match"),
        ({"seed": 3}, "seed", 3),
        ({"preset": "The paper"}, "loss_scale", "absolute"),
    ],
)
def test_dial_sets_its_option(fields, name, expected):
    assert getattr(read_config(arguments_of(**fields)), name) == expected


def test_content_dial_begins_at_the_default():
    weight = dials.weight_of(Dials().content)
    assert weight == pytest.approx(0.06, rel=0.01)
    assert dials.percent_of(weight) == pytest.approx(Dials().content)


def test_texture_has_no_content():
    config = read_config(arguments_of(preset="Texture"))
    assert config.content_image is None
    assert config.init == "noise"


def test_options_behind_are_those_of_the_command_line():
    config = read_config(arguments_of({"optimizer": "adam", "seed": "9"}))
    assert config.optimizer == "adam"
    assert config.seed == 0  # of its own dial
    with pytest.raises(ConfigError, match="`tv_weight` must be a number"):
        arguments_of({"tv_weight": "much"})


def test_nothing_to_paint_is_told():
    with pytest.raises(ConfigError, match="there is nothing to paint"):
        arguments_of(picture=None, styles=())


def test_blend_and_names_with_commas():
    found = dials.make_arguments(
        Dials(), {}, None, ["a,b.jpg", "c.jpg"], [1.0, 0.5], start="d.png"
    )
    config = read_config(found)
    assert tuple(config.style_images) == ("a,b.jpg", "c.jpg")
    assert tuple(config.style_blend_weights) == (1.0, 0.5)
    assert config.init == "d.png"


def test_regions_take_the_place_of_a_blend():
    found = dials.make_arguments(
        Dials(),
        {},
        "a.jpg",
        ["b.jpg", "c.jpg"],
        [1.0, 0.5],
        masks=[("1.png", "all.png"), ("2.png", "all.png")],
    )
    config = read_config(found)
    assert tuple(config.content_masks) == ("1.png", "2.png")
    assert tuple(config.style_masks) == ("all.png", "all.png")
    assert config.style_blend_weights == ()
