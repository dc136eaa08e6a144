"""What the dials stand for on the command line."""

import dataclasses
import math

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.config.config import Config
from tfstyle.errors import ConfigError
from tfstyle.flags.command_line import read_config
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import Picture
from tfstyle.studio import dials
from tfstyle.studio.dials import PRESETS
from tfstyle.studio.dials import positions_of
from tfstyle.system.machine import Machine
from tfstyle.training.plan import make_plan


def options_of(arguments):
    config = read_config(arguments)
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(Config)
    }


def arguments_of(preset="Photograph", **moved):
    base = PRESETS[preset]
    return dials.make_arguments(
        base, positions_of(base) | moved, content="a.jpg", styles=["b.jpg"]
    )


def test_dials_as_they_are_leave_the_defaults():
    assert options_of(arguments_of()) == options_of([])


def test_no_option_of_a_picture_is_missing():
    behind = [field.name for field in dials.OTHERS]
    assert sorted([*behind, *dials.FRONT]) == sorted(
        field.name for field in dataclasses.fields(Config)
    )


@pytest.mark.parametrize(
    ("preset", "name", "position", "expected"),
    [
        ("Painting", "content_weight", 0, 0.02),
        ("Painting", "content_weight", 100, 0.5),
        ("Photograph", "content_weight", 0, 0.02),
        ("Photograph", "style_scale", 0.5, 0.5),
        ("Photograph", "image_size", "640", 640),
        ("Photograph", "num_steps", "Fine", (300,)),
        ("Photograph", "preserve_colors", "of the content", "match"),
        ("Photograph", "seed", 3, 3),
        ("Photograph", "optimizer", "adam", "adam"),
        ("The paper", "content_weight", 50, 0.1),
        ("The paper", "loss_scale", "absolute", "absolute"),
        ("The paper", "loss_scale", "relative", "relative"),
        ("The paper", "init", "auto", "auto"),
    ],
)
def test_dial_sets_its_option(preset, name, position, expected):
    options = options_of(arguments_of(preset, **{name: position}))
    assert options[name] == expected


def test_content_dial_begins_at_the_default():
    position = positions_of([])["content_weight"]
    weight = dials.weight_of(position)
    assert weight == pytest.approx(0.06, rel=0.01)
    assert dials.percent_of(weight) == position


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "moved",
    [
        {},
        {"content_weight": 0},
        {"style_scale": 1.5, "image_size": "256", "num_steps": "Quick"},
        {"tv_weight": "0.5", "pooling": "max", "seed": 7},
    ],
)
def test_command_line_gives_preset_and_positions_again(preset, moved):
    asked = dials.without_files(arguments_of(preset, **moved))
    is_like_painting = preset == "Photograph" and "content_weight" in moved
    found = dials.find_preset(asked)
    assert found == ("Painting" if is_like_painting else preset)
    positions = positions_of(asked)
    assert positions == positions_of(PRESETS[preset]) | moved
    assert dials.to_arguments(asked, positions) == asked


def test_flag_that_no_dial_shows_is_kept():
    asked = ["--content_weight=0.0123", "--num_steps=17", "--seed=1"]
    moved = positions_of(asked) | {"seed": 2}
    config = read_config(dials.to_arguments(asked, moved))
    assert (config.content_weight, config.num_steps) == (0.0123, (17,))
    assert config.seed == 2


def test_files_are_no_dials():
    asked = [
        *("--content_image=a.jpg", "--init=b.png", "--style_blend_weights=1"),
        *("--seed=1", "--init=noise", "--preset=photo", "--workdir=c"),
    ]
    assert dials.without_files(asked) == [
        *("--seed=1", "--init=noise", "--preset=photo")
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tv_weight", "much"),
        ("init", "/home/ada/private.png"),
        ("weights", "random\n--film=/home/ada/film.mp4"),
    ],
)
def test_wrong_option_is_refused_also_one_that_names_a_file(name, text):
    with refuses(name, repr(text)):
        arguments_of(**{name: text})


def test_options_of_films_are_for_films_only():
    moved = positions_of([]) | {"temporal_weight": "2.0", "frame_steps": "3"}
    given = {"base": [], "positions": moved, "styles": ["b.jpg"]}
    picture = read_config(dials.make_arguments(**given, content="a.jpg"))
    assert picture.frame_steps is None
    film = ["--content_video=a.mp4", "--frames=1-9"]
    asked = dials.make_arguments(**given, film=film)
    config = read_config(asked)
    assert (config.temporal_weight, config.frame_steps) == (2.0, 3)
    assert (config.frames, config.output_bits) == ("1-9", 8)
    assert positions_of(dials.without_files(asked)) == moved


def test_nothing_to_paint_is_refused():
    with pytest.raises(ConfigError, match="there is nothing to paint"):
        dials.make_arguments([], positions_of([]))


def test_blend_and_names_with_commas():
    found = dials.make_arguments(
        [],
        positions_of([]),
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
        positions_of([]),
        content="a.jpg",
        styles=["b.jpg", "c.jpg"],
        weights=[1.0, 0.5],
        regions=["--content_masks=1.png,2.png"],
    )
    config = read_config(found)
    assert tuple(config.content_masks) == ("1.png", "2.png")
    assert config.style_blend_weights == ()


PAIR = ["--content_image=a.jpg", "--style_images=b.jpg"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([], {"size": "512 px"}),
        (["--image_size=0"], {"size": "of the content"}),
        (
            [
                *("--content_weight=0.157", "--style_scale=1.5", "--seed=3"),
                *("--image_size=256", "--num_steps=40", "--tv_weight=0.5"),
                *("--preserve_colors=match", *dials.FIXED),
            ],
            {
                "content": "64 %",
                "strokes": "1.5",
                "size": "256 px",
                "quality": "Quick",
                "colours": "of the content",
                "seed": "3",
                "tv_weight": "0.5",
            },
        ),
        (
            ["--content_weight=1.0", "--num_steps=17"],
            {"content": "weight 1", "size": "512 px", "quality": "17 steps"},
        ),
        # What the optimizer decides is not told besides it.
        (["--optimizer=adam"], {"size": "512 px", "optimizer": "adam"}),
        # What a preset decides is not told besides it.
        (
            ["--preset=gatys2015", "--seed=1"],
            {"preset": "The paper", "size": "512 px", "seed": "1"},
        ),
        (["--seed=much"], {}),
    ],
)
def test_run_is_described_in_the_words_of_the_page(asked, expected):
    assert dials.describe(PAIR + asked) == expected


@pytest.mark.parametrize("moved", [[], ["--init=noise", "--num_levels=1"]])
@pytest.mark.parametrize("images", [PAIR, PAIR[:1], PAIR[1:]])
def test_decisions_of_the_program_are_not_described(images, moved):
    pixel = Picture(np.zeros((384, 512, 3), np.uint8))
    has_content, has_style = PAIR[0] in images, PAIR[1] in images
    decided = make_plan(
        read_config(images + moved),
        ImageSet(pixel if has_content else None, [pixel] * has_style),
        Machine(memory=math.inf),
    ).config
    described = dials.describe(decided.to_flags(only_pixels=True))
    assert described == dials.describe(images + moved)


def test_differences_are_described_in_the_words_of_the_page():
    first = [*PAIR, "--seed=1"]
    second = [*PAIR, "--content_weight=0.157", "--tv_weight=0.5", "--seed=2"]
    third = [*PAIR, "--seed=1"]
    assert dials.describe_differences(first, third) == []
    assert dials.describe_differences(first, second, third) == [
        ("content", "34 %", "64 %", "34 %"),
        ("seed", "1", "2", "1"),
        ("tv_weight", "default", "0.5", "default"),
    ]
    # The dial is at the same position.
    fourth = [*first, "--content_weight=0.0605"]
    assert dials.describe_differences(first, fourth) == [
        ("content", "0.06", "0.0605")
    ]


def test_pictures_that_differ_are_called_by_their_names():
    first = ["--style_images=inputs/b-0123abcd.jpg"]
    second = [
        *("--content_image=inputs/a-0123abcd.jpg", "--init=runs/c.png"),
        *("--style_images=b-0123abcd.jpg,d.jpg", "--style_blend_weights=3,1"),
    ]
    third = [*first, "--content_image=inputs/a-abcd0123.jpg"]
    assert dials.describe_differences(first, second) == [
        ("content picture", "none", "a"),
        ("styles", "b", "b and d"),
        ("shares", "equal", "75 % and 25 %"),
        ("start", "none", "c"),
    ]
    # Two of one name are told apart.
    found = dials.describe_differences(second, third)
    assert found[0] == (
        "content picture",
        *("inputs/a-0123abcd.jpg", "inputs/a-abcd0123.jpg"),
    )
    masks = ["--content_masks=1.png,2.png", "--style_images=b.jpg,d.jpg"]
    found = dials.describe_differences(["--style_images=b.jpg,d.jpg"], masks)
    assert found == [("regions", "none", "2 painted")]
