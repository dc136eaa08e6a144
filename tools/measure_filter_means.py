"""Measures the mean activation of every filter of VGG19.

    pip install scikit-image scikit-learn
    python tools/measure_filter_means.py

writes `tfstyle/filter_means.npz`, by which `--rescale_filters` divides. The
pictures are those that scikit-image 0.26 (astronaut, brick, cat, coffee, grass,
gravel, motorcycle, rocket) and scikit-learn 1.9 (china, flower) bring along,
each at three sizes and mirrored; of every picture and size the mean over
positions counts alike. Pooling is average. No filter is silent on them.
"""

import os

import numpy as np
import tensorflow as tf
from running import run
from skimage import data as skimage_data
from sklearn import datasets as sklearn_datasets

from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.network import filter_means
from tfstyle.network.extractor import make_feature_model
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.options import NetworkOptions
from tfstyle.network.vgg19 import make_vgg19
from tfstyle.network.weights import load_weights

SKIMAGE = (
    "astronaut",
    "brick",
    "cat",
    "coffee",
    "grass",
    "gravel",
    "rocket",
)
SIZES = (224, 352, 512)
OUTPUT = os.path.join(
    os.path.dirname(filter_means.__file__), filter_means.TABLE
)


def main() -> None:
    """Measures and writes the table."""
    weights = load_weights("auto")
    print(weights.origin)
    names = [layer.name for layer in CONVOLUTIONS]
    network = make_vgg19(weights.layers, NetworkOptions())
    model = make_feature_model(network, names)
    sums, count = dict.fromkeys(names, 0.0), 0
    for pixels in _read_pictures():
        for size in SIZES:
            scaled = fit_size(*pixels.shape[:2], size)
            image = preprocess(resize(pixels, *scaled))
            for turned in (image, image[:, :, ::-1]):
                features = model(tf.constant(turned.copy()))
                for name in names:
                    mean = tf.reduce_mean(features[name], axis=[0, 1, 2])
                    sums[name] = sums[name] + mean.numpy().astype(np.float64)
                count += 1
    means = {name: total / count for name, total in sums.items()}
    np.savez(
        OUTPUT, **{n: mean.astype(np.float32) for n, mean in means.items()}
    )
    for name, mean in means.items():
        print(f"{name}: {mean.min():.2g} to {mean.max():.3g}")
    print(OUTPUT)


def _read_pictures() -> list[np.ndarray]:
    """Returns the pictures, uint8 `[H, W, 3]`."""
    found = [getattr(skimage_data, name)() for name in SKIMAGE]
    found.append(skimage_data.stereo_motorcycle()[0])
    found += sklearn_datasets.load_sample_images().images
    return [
        np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels[..., :3]
        for pixels in found
    ]


if __name__ == "__main__":
    run(main)
