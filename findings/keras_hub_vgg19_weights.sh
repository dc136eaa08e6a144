#!/usr/bin/env bash
# One expects a file of weights to load only into the network that it was made
# for, or features of a VGG19 from one Keras library to be those of the other.
#
# A file that keras.applications.VGG19 writes loads into KerasHub's VGGBackbone
# without a word, and back: layers have the same names by number and the same
# shapes, and for the same array both give the same features. But the published
# weights of the two are different networks. Keras Applications has the original
# ones, for BGR less the mean, 0..255; KerasHub's preset vgg_19_imagenet was
# converted from timm's vgg19.tv_in1k, torchvision's training, for RGB normalised
# by mean and deviation. A program that takes one file for the other computes
# features of a wrong input and says nothing. Only the values tell: the filters of
# the first layer.
#
# Source: keras_hub/src/utils/timm/convert_vgg.py, which names timm's layers, and
# keras/src/applications/vgg19.py, preprocess_input.
# Seen with KerasHub 0.32.0, Keras 3.15.1 and TensorFlow 2.21.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    tensorflow-cpu==2.21.0 keras==3.15.1 keras-hub==0.32.0
cd "$folder"
cat >compare.py <<'PYTHON'
import importlib.util
import pathlib

import keras
import keras_hub
import numpy as np


def make_backbone():
    return keras_hub.models.VGGBackbone(
        stackwise_num_repeats=[2, 2, 4, 4, 4],
        stackwise_num_filters=[64, 128, 256, 512, 512],
        image_shape=(None, None, 3),
    )


def make_application():
    return keras.applications.VGG19(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )


image = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
for make, load in (
    (make_application, make_backbone),
    (make_backbone, make_application),
):
    written, loaded = make(), load()
    written.save_weights("vgg19.weights.h5")
    loaded.load_weights("vgg19.weights.h5")
    difference = np.abs(np.asarray(written(image)) - np.asarray(loaded(image)))
    print(type(written).__name__, type(loaded).__name__, difference.max())
    assert difference.max() == 0
where = importlib.util.find_spec("keras_hub").submodule_search_locations[0]
source = pathlib.Path(where, "src/utils/timm/convert_vgg.py").read_text()
assert "features." in source
pixel = np.array([[[[255.0, 127.0, 0.0]]]])
print(keras.applications.vgg19.preprocess_input(pixel.copy()))
PYTHON
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 venv/bin/python compare.py
echo "each library loads the other's file, as described"
