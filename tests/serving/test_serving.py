"""Requests to TF Serving, fed to the signatures.

No server runs here: the JSON and the tensors that the scripts make are decoded
as TF Serving documents it, and the arrays go to the signatures.
"""

import base64
import collections
import io
import json
import runpy
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.framework import tensor_pb2

from tests import ROOT
from tests.serving.test_saved_model import export


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    layers = {"content_layers": ("conv2_1",), "style_layers": ("conv1_1",)}
    return export(tmp_path_factory.mktemp("served"), **layers).load()


@pytest.fixture(scope="module")
def sample():
    return (ROOT / "tfstyle" / "samples" / "scene.jpg").read_bytes()


@pytest.mark.slow
def test_rest_request_of_the_script(model, sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tfstyle").symlink_to(ROOT / "tfstyle")
    runpy.run_path(str(ROOT / "tools" / "serving_rest.py"))
    request = json.loads((tmp_path / "request.json").read_text())
    files = [base64.b64decode(one["b64"]) for one in request["instances"]]
    assert files == [sample]
    endpoint = model.signatures[request["signature_name"]]
    found = endpoint(encoded_images=tf.constant(files))
    assert found["block2_conv1"].shape == (1, 288, 384, 128)


def test_grpc_request_of_the_script(model, sample, monkeypatch):
    class PredictRequest:
        def __init__(self):
            self.model_spec = types.SimpleNamespace()
            self.inputs = collections.defaultdict(tensor_pb2.TensorProto)

    class Stub:
        def __init__(self, channel):
            del channel  # nobody answers there

        def Predict(self, request, timeout):  # noqa: N802
            assert timeout > 0
            assert request.model_spec.name == "features"
            endpoint = model.signatures[request.model_spec.signature_name]
            inputs = {
                name: tf.constant(tf.make_ndarray(value))
                for name, value in request.inputs.items()
            }
            outputs = {
                name: tf.make_tensor_proto(value)
                for name, value in endpoint(**inputs).items()
            }
            return types.SimpleNamespace(outputs=outputs)

    apis = types.SimpleNamespace(
        predict_pb2=types.SimpleNamespace(PredictRequest=PredictRequest),
        prediction_service_pb2_grpc=types.SimpleNamespace(
            PredictionServiceStub=Stub
        ),
    )
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", apis)
    monkeypatch.chdir(ROOT)
    names = runpy.run_path("tools/serving_grpc.py")
    found = names["gram_matrix"]
    pixels = np.asarray(Image.open(io.BytesIO(sample)), np.float32)
    expected = model.signatures["gram"](images=tf.constant(pixels[np.newaxis]))
    assert found.shape == (1, 64, 64)
    np.testing.assert_array_equal(found, expected["block1_conv1"])
