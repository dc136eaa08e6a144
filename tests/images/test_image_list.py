"""Lists of images that are made when they are asked for."""

import numpy as np
import pytest

from tfstyle.images import image_list
from tfstyle.images.image_list import ImageList
from tfstyle.images.picture import Picture


@pytest.fixture
def calls():
    return []


@pytest.fixture
def make(calls):
    """Returns what makes images of 12 bytes, and notes when they are made."""

    def make(number):
        calls.append(number)
        return Picture(np.full((2, 2, 3), number, np.uint8))

    return make


@pytest.fixture
def images(make):
    return ImageList(make, 5)


def levels(images):
    return [image.pixels[0, 0, 0] for image in images]


def test_images_are_made_once_when_they_are_asked_for(images, calls):
    assert len(images) == 5
    assert calls == []
    assert levels([images[3], images[-1]]) == [3, 4]
    assert images[3] is images[3]
    assert calls == [3, 4]
    with pytest.raises(IndexError):
        images[5]


def test_images_beyond_the_room_are_made_anew(make, calls, monkeypatch):
    monkeypatch.setattr(image_list, "MAX_KEPT", 30)
    images = ImageList(make, 5)
    for _ in range(2):
        assert levels(images) == [0, 1, 2, 3, 4]
    assert calls == [0, 1, 2, 3, 4, 2, 3, 4]
