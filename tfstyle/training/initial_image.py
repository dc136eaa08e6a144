"""The initial image of the optimisation."""

import numpy as np

from tfstyle.config.config import Config
from tfstyle.images.image_set import ImageSet
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import resize
from tfstyle.training.pyramid_objective import PyramidObjective

NOISE_DEVIATION = 20.0
"""Standard deviation of the noise, grey levels.

Notes: for a texture from a painting, 256 px, 100 evaluations, the loss was
1.65e6 from noise of deviation 1, 1.61e6 from 30 and 1.42e6 from 60; at 1 the
picture was dull, at 60 the grain of the noise was still visible.
"""


def make_initial_image(
    images: ImageSet, pyramid: PyramidObjective, config: Config, level: int
) -> np.ndarray:
    """Makes the image that the optimisation of a level starts from.

    Args:
        images: images of the run; its initial image is used if there is one.
        pyramid: source of the level's frame, content and style.
        config: options of the plan, with `init`: `noise`, Gaussian in VGG19's
            input space with mean 0 and standard deviation `NOISE_DEVIATION`;
            `content`; `style`, the first; or `gray`, the mean of ImageNet.
        level: pyramid level.

    Returns:
        float32 `[1, H, W, 3]`, of the level's frame size, BGR without the mean.
    """
    frame = pyramid.frames[level]
    if images.initial_image is not None:
        resized = resize(images.initial_image, frame.height, frame.width)
        return preprocess(frame.extend(resized))
    if config.init == "content":
        return preprocess(pyramid.content(level))
    if config.init == "style":
        style = next(pyramid.styles(level))
        return preprocess(resize(style.pixels, *frame.size))
    shape = (1, *frame.size, 3)
    if config.init == "gray":
        return np.zeros(shape, np.float32)
    generator = np.random.default_rng(config.seed)
    noise = generator.standard_normal(shape, np.float32)
    return noise * np.float32(NOISE_DEVIATION)
