"""What a user's type checker must accept; it is checked, not run."""

import pathlib

import numpy as np
from PIL import Image

import tfstyle


def paint(lake: Image.Image, waves: np.ndarray) -> tuple[int, int]:
    """Uses the library as notebooks do."""
    config = tfstyle.Config(style_layers=["conv1_1", "conv2_1"], num_steps=[9])
    stylizer = tfstyle.Stylizer(config, image_size=64)
    result: tfstyle.Result = stylizer(lake, [waves, "night.jpg"])
    result.save(pathlib.Path("painted.png"))
    total: float = result.losses["total"]
    for step in stylizer.iterate(lake, waves, every=10):
        total += step.losses["total"]
    blended = tfstyle.stylize(
        "lake.jpg",
        [pathlib.Path("waves.jpg"), lake],
        preset="photo",
        style_blend_weights=[2, 1],
        callbacks=[lambda step: step.step, lambda step: None],
    )
    grams: dict[str, np.ndarray] = tfstyle.gram_matrices(lake, ["conv1_1"])
    objective = tfstyle.make_objective(lake, waves, image_size=64)
    total += float(objective(objective.initial_image)[0])
    picture: Image.Image = blended.image
    return picture.size if grams and total else (0, 0)
