"""A NumPy float64 oracle of network, losses and gradient.

It imports nothing of tfstyle and shares no code with it: the network is a list
of names, convolutions are sums of nine products, and every gradient is written
out by hand from the paper's formulas.
"""

import numpy as np

LAYERS = tuple(
    name
    for block, count in enumerate((2, 2, 4, 4, 4), start=1)
    for name in (
        *(f"block{block}_conv{index}" for index in range(1, count + 1)),
        f"block{block}_pool",
    )
)


def convolve(x, kernel, bias):
    """Convolves `[H, W, C_in]` with `[3, 3, C_in, C_out]`, zeros outside."""
    height, width = x.shape[:2]
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    total = np.tile(bias.astype(np.float64), (height, width, 1))
    for i in range(3):
        for j in range(3):
            window = padded[i : i + height, j : j + width]
            total += window @ kernel[i, j].astype(np.float64)
    return total


def convolve_gradient(upstream, kernel):
    """Returns the gradient of `convolve` with respect to its input."""
    height, width = upstream.shape[:2]
    padded = np.zeros((height + 2, width + 2, kernel.shape[2]))
    for i in range(3):
        for j in range(3):
            part = upstream @ kernel[i, j].astype(np.float64).T
            padded[i : i + height, j : j + width] += part
    return padded[1:-1, 1:-1]


def windows(x):
    """Returns `[H//2, W//2, 4, C]`: the two-by-two windows of `[H, W, C]`."""
    height, width = x.shape[0] // 2, x.shape[1] // 2
    even = x[: 2 * height, : 2 * width]
    blocks = even.reshape(height, 2, width, 2, -1).transpose(0, 2, 1, 3, 4)
    return blocks.reshape(height, width, 4, -1)


def unpool(parts, shape):
    """Puts `[H//2, W//2, 4, C]` back into `shape`, zeros at odd edges."""
    height, width = parts.shape[:2]
    blocks = parts.reshape(height, width, 2, 2, -1).transpose(0, 2, 1, 3, 4)
    x = np.zeros(shape)
    x[: 2 * height, : 2 * width] = blocks.reshape(2 * height, 2 * width, -1)
    return x


def forward(image, weights, last, pooling="average"):
    """Returns the output of every layer up to `last`, `[H, W, C]` float64.

    Args:
        image: `[H, W, 3]`, BGR without the mean.
        weights: `{layer: (kernel, bias)}`.
        last: name of the deepest layer to compute.
        pooling: `average`, `max` or `rms`.
    """
    outputs, x = {"image": image.astype(np.float64)}, image.astype(np.float64)
    for name in LAYERS[: LAYERS.index(last) + 1]:
        if "conv" in name:
            x = np.maximum(convolve(x, *weights[name]), 0)
        elif pooling == "average":
            x = windows(x).mean(2)
        elif pooling == "rms":
            x = root_mean_square(x)
        else:
            x = windows(x).max(2)
        outputs[name] = x
    return outputs


def backward(outputs, upstreams, weights, pooling="average", active=None):
    """Returns the gradient with respect to the image, `[H, W, 3]`.

    Args:
        outputs: what `forward` returned.
        upstreams: `{layer: dL/dF [H, W, C]}`.
        weights: `{layer: (kernel, bias)}`.
        pooling: `average`, `max` or `rms`.
        active: `{layer: bool [H, W, C]}`, which rectifiers are open; by
            default those whose output is above zero.
    """
    names = list(outputs)
    gradient = np.zeros_like(outputs[names[-1]])
    for name, before in zip(names[:0:-1], names[-2::-1], strict=True):
        gradient = gradient + upstreams.get(name, 0)
        if "conv" in name:
            is_open = outputs[name] > 0 if active is None else active[name]
            gradient = convolve_gradient(gradient * is_open, weights[name][0])
        elif pooling == "average":
            parts = np.repeat(gradient[:, :, None] / 4, 4, axis=2)
            gradient = unpool(parts, outputs[before].shape)
        elif pooling == "rms":
            gradient = root_mean_square_gradient(gradient, outputs[before])
        else:
            x = windows(outputs[before])
            first = x.argmax(2)[:, :, None] == np.arange(4)[:, None]
            parts = gradient[:, :, None] * first
            gradient = unpool(parts, outputs[before].shape)
    return gradient


def window_rows(size, edge=2 / 3):
    """Returns `[size // 2, size]`: the windows [1 3 3 1]/8, zeros around.

    The outermost of the positions that are seen weigh `edge` of it; with 4/3
    that is as if they were repeated.
    """
    rows, last = np.zeros((size // 2, size)), size // 2 * 2 - 1
    for row in range(size // 2):
        for offset, weight in zip(range(-1, 3), (1, 3, 3, 1), strict=True):
            place = 2 * row + offset
            if 0 <= place <= last:
                share = edge if place in (0, last) else 1
                rows[row, place] = share * weight / 8
    return rows


def root_mean_square(x):
    """Returns the root of the weighted mean of squares over windows."""
    rows, columns = window_rows(x.shape[0]), window_rows(x.shape[1])
    mean = np.einsum("ih,hwc,jw->ijc", rows, x**2, columns)
    return np.sqrt(mean + 1e-4)


def root_mean_square_gradient(upstream, x):
    """Returns the gradient of `root_mean_square`: w x / root."""
    rows, columns = window_rows(x.shape[0]), window_rows(x.shape[1])
    slope = upstream / root_mean_square(x)
    return x * np.einsum("ih,ijc,jw->hwc", rows, slope, columns)


def gram(features):
    """Returns the Gram matrix of `[H, W, C]`, divided by its own H*W."""
    rows = features.reshape(-1, features.shape[-1])
    return rows.T @ rows / len(rows)


def total_variation(image):
    """Returns the sum of squared differences of neighbours and its gradient."""
    down, right = np.diff(image, axis=0), np.diff(image, axis=1)
    gradient = np.zeros_like(image)
    gradient[1:] += 2 * down
    gradient[:-1] -= 2 * down
    gradient[:, 1:] += 2 * right
    gradient[:, :-1] -= 2 * right
    return (down**2).sum() + (right**2).sum(), gradient


def relative_total_variation(image):
    """Returns the mean length of the image's gradient and its own gradient."""
    height, width, channels = image.shape
    total, gradient = 0.0, np.zeros_like(image)
    for row, column in np.ndindex(height, width):
        for down, right in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            below = min(max(row + down, 0), height - 1), column
            beside = row, min(max(column + right, 0), width - 1)
            here = row, column
            vertical = image[below] - image[here]
            horizontal = image[beside] - image[here]
            squares = (vertical**2).mean() + (horizontal**2).mean()
            length = np.sqrt(squares + 2.5**2)
            total += length - 2.5
            gradient[below] += vertical / length / channels
            gradient[beside] += horizontal / length / channels
            gradient[here] -= (vertical + horizontal) / length / channels
    unit = height * width * 4 * 255
    return total / unit, gradient / unit


def chroma(image):
    """Returns the sum of squared differences of chroma, and its gradient."""
    remove = np.eye(3) - np.array([0.114, 0.587, 0.299])  # BGR to chroma
    loss, gradient = total_variation(image @ remove.T)
    return loss, gradient @ remove


def relative_chroma(image):
    """Returns the mean of such differences, and its gradient."""
    remove = np.eye(3) - np.array([0.114, 0.587, 0.299])
    down, right = (np.diff(image @ remove.T, axis=axis) for axis in (0, 1))
    gradient = np.zeros_like(image)
    gradient[1:] += 2 * down / down.size
    gradient[:-1] -= 2 * down / down.size
    gradient[:, 1:] += 2 * right / right.size
    gradient[:, :-1] -= 2 * right / right.size
    loss = (down**2).mean() + (right**2).mean()
    return loss / 255**2, gradient @ remove / 255**2


def relative_out_of_range(image):
    """Returns the mean of squares beyond black and white, and its gradient."""
    loss, gradient = out_of_range(image)
    unit = image.size * 255**2
    return loss / unit, gradient / unit


def temporal(image, target, weights):
    """Returns the mean of weighted squared differences, and its gradient."""
    differences = image - target
    weights = weights[..., np.newaxis]
    loss = (weights * differences**2).sum() / image.size
    return loss, 2 * weights * differences / image.size


MEAN_BGR = (103.939, 116.779, 123.68)


def out_of_range(image):
    """Returns the sum of squares beyond 0..255 and its gradient."""
    levels = image + MEAN_BGR
    excess = np.minimum(levels, 0) + np.maximum(levels - 255, 0)
    return (excess**2).sum(), 2 * excess


def value_and_gradient(
    image,
    weights,
    *,
    content_targets,
    style_targets,
    content_weight,
    style_weight,
    tv_weight=0.0,
    chroma_weight=0.0,
    range_weight=0.0,
    loss_scale="absolute",
    content_reduction="sum",
    pooling="average",
    active=None,
):
    """Returns the raw terms, the total and its gradient, all float64.

    Args:
        image: `[H, W, 3]`, BGR without the mean.
        weights: `{layer: (kernel, bias)}`.
        content_targets: `{layer: (v_l, P_l [H, W, C])}`.
        style_targets: `{layer: (w_l, A_l / M_l [C, C])}`.
        content_weight: alpha.
        style_weight: beta.
        tv_weight: gamma.
        chroma_weight: of differences of chroma.
        range_weight: of what lies beyond black and white.
        loss_scale: `absolute` or `relative`.
        content_reduction: `sum` or `mean`.
        pooling: `average`, `max` or `rms`.
        active: as in `backward`.
    """
    last = max((*content_targets, *style_targets), key=LAYERS.index)
    outputs = forward(image, weights, last, pooling)
    terms, total, upstreams = {}, 0.0, {}
    is_relative = loss_scale == "relative"
    for name, (weight, target) in content_targets.items():
        difference = outputs[name] - target
        scale = 1 / difference.size if content_reduction == "mean" else 1.0
        if is_relative:
            scale = 2 / (target**2).sum()
        terms[f"content/{name}"] = scale * (difference**2).sum() / 2
        total += content_weight * weight * terms[f"content/{name}"]
        upstreams[name] = content_weight * weight * scale * difference
    for name, (weight, target) in style_targets.items():
        features = outputs[name]
        height, width, channels = features.shape
        difference = gram(features) - target
        scale = 1 / (4 * channels**2)
        if is_relative:
            scale = 1 / (target**2).sum()
        loss = scale * (difference**2).sum()
        terms[f"style/{name}"] = loss
        total += style_weight * weight * loss
        slope = 4 * scale * features @ difference / (height * width)
        upstreams[name] = upstreams.get(name, 0) + style_weight * weight * slope
    gradient = backward(outputs, upstreams, weights, pooling, active)
    smoothness, colors, limits = total_variation, chroma, out_of_range
    if is_relative:
        smoothness, limits = relative_total_variation, relative_out_of_range
        colors = relative_chroma
    for name, weight, function in (
        ("total_variation", tv_weight, smoothness),
        ("chroma", chroma_weight, colors),
        ("range", range_weight, limits),
    ):
        if weight:
            terms[name], slope = function(image.astype(np.float64))
            total += weight * terms[name]
            gradient = gradient + weight * slope
    return terms, total, gradient
