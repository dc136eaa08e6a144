"""Reads MatConvNet's `.mat` files, such as `imagenet-vgg-verydeep-19.mat`.

References:
    https://www.vlfeat.org/matconvnet/pretrained/: the layers of a network, and
    the mean of its images, RGB.
"""

from typing import Any

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.arrays import check_layer
from tfstyle.network.weight_files.inputs import Input


def is_matlab(start: bytes) -> bool:
    """Checks by its first bytes that a file is a `.mat` of versions 5 to 7."""
    return start.startswith(b"MATLAB 5.0 MAT-file")


def read_mat(path: str) -> tuple[dict[str, LayerWeights], Input]:
    """Reads VGG19's convolutions, and the input that the file states.

    Raises:
        WeightsError: if SciPy is missing, or a layer, or the mean.
    """
    try:
        import scipy.io
    except ImportError as error:
        raise WeightsError(
            "a .mat file needs SciPy: pip install 'tfstyle[matlab]'."
        ) from error
    # Older files have the mean beside `meta`.
    content = scipy.io.loadmat(
        path,
        variable_names=("layers", "meta", "normalization"),
        simplify_cells=True,
    )
    found = {x["name"]: _find_parts(x) for x in content.get("layers", ())}
    layers = {}
    for layer in CONVOLUTIONS:
        if found.get(layer.alias) is None:
            raise WeightsError(f"layer {layer.alias} is missing.")
        kernel, bias = found[layer.alias]
        layers[layer.name] = check_layer(layer, kernel, np.atleast_1d(bias))
    about = content.get("meta", content)["normalization"]
    mean = np.asarray(about["averageImage"], float).reshape(-1, 3)
    if not np.isfinite(mean).all() or np.ptp(mean, axis=0).max() > 1e-3:
        raise WeightsError(
            "its mean is an image. VGG19 has one of each channel."
        )
    red, green, blue = map(float, mean[0])
    return layers, Input("RGB", (red, green, blue))


def _find_parts(layer: dict[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns kernel and bias of a layer, in either version of the format."""
    if "filters" in layer:
        return layer["filters"], layer["biases"]
    parts = layer.get("weights", ())
    return (parts[0], parts[1]) if len(parts) == 2 else None
