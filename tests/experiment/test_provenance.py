"""What a published picture says of its files."""

import dataclasses

import pytest

from tfstyle.config.run_config import RunConfig
from tfstyle.experiment.provenance import make_published_texts
from tfstyle.experiment.provenance import make_text

SECRET = "/home/ada lovelace/client, secret"
CONFIG = RunConfig(
    content_image=f"{SECRET}/a b.jpg",
    style_images=[f"{SECRET}/1.jpg", f"{SECRET}/x, y.jpg"],
    content_masks=[f"{SECRET}/left.png"],
    style_masks=[f"{SECRET}/right.png"],
    init=f"{SECRET}/start.png",
    weights=f"{SECRET}/vgg.h5",
    workdir=f"{SECRET}/run",
    output_image=f"{SECRET}/out.png",
)
ORIGIN = f"{CONFIG.weights}, filters rescaled"
FACTS = {"weights": f"{ORIGIN} sha256={'ab' * 32}"}


def test_published_text_names_files_without_their_folders():
    text, record = make_published_texts(CONFIG, FACTS, "names")
    assert record == ""
    assert "secret" not in text
    assert "ada" not in text
    assert "--content_image=a b.jpg\n" in text
    assert '--style_images=1.jpg,"x, y.jpg"\n' in text
    assert "--init=start.png\n" in text
    assert "--weights=vgg.h5\n" in text
    assert f"# weights: vgg.h5, filters rescaled sha256={'ab' * 32}\n" in text


@pytest.mark.parametrize("space", " \u3000")
def test_published_text_names_a_file_that_begins_with_a_space(space):
    config = RunConfig(
        content_image=f"{SECRET}/{space}a.jpg",
        style_images=[f"{SECRET}/{space}b, c.jpg"],
    )
    text, _ = make_published_texts(config, {}, "names")
    assert f"--content_image=./{space}a.jpg\n" in text
    assert f'--style_images="./{space}b, c.jpg"\n' in text


def test_published_text_is_beside_the_picture_where_it_says_nothing():
    text, record = make_published_texts(CONFIG, FACTS, "none")
    assert text == ""
    assert record == make_published_texts(CONFIG, FACTS, "names")[0]


def test_published_text_is_full_where_that_is_asked_for():
    text, record = make_published_texts(CONFIG, FACTS, "full")
    assert (text, record) == (make_text(CONFIG, FACTS), "")
    assert f"--content_image={SECRET}/a b.jpg\n" in text


@pytest.mark.parametrize("weights", ["auto", "imagenet", "random"])
def test_weights_that_are_no_file_keep_their_name(weights):
    config = dataclasses.replace(CONFIG, weights=weights, init="noise")
    text, _ = make_published_texts(config, FACTS, "names")
    assert f"--weights={weights}\n" in text
    assert "--init=noise\n" in text
