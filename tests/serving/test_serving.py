"""Requests to TF Serving, fed to the signatures.

No server runs here: the JSON and the protocol buffer that the scripts make are
decoded as TF Serving documents it, and the arrays go to the signatures.
"""

import base64
import io
import json
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format
from PIL import Image

from tests import ROOT
from tfstyle.config.run_config import RunConfig
from tfstyle.serving import saved_model
from tfstyle.training.extractor import make_extractor

# The fields of TF Serving's `predict.proto` that a client sets.
PREDICT = """
name: "tests/predict.proto"
package: "tests"
syntax: "proto3"
dependency: "tensorflow/core/framework/tensor.proto"
message_type {
  name: "ModelSpec"
  field { name: "name" number: 1 type: TYPE_STRING }
  field { name: "signature_name" number: 3 type: TYPE_STRING }
}
message_type {
  name: "PredictRequest"
  field {
    name: "model_spec" number: 1 type: TYPE_MESSAGE
    type_name: ".tests.ModelSpec"
  }
  field {
    name: "inputs" number: 2 type: TYPE_MESSAGE label: LABEL_REPEATED
    type_name: ".tests.PredictRequest.InputsEntry"
  }
  nested_type {
    name: "InputsEntry"
    options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING }
    field {
      name: "value" number: 2 type: TYPE_MESSAGE
      type_name: ".tensorflow.TensorProto"
    }
  }
}
"""


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    config = RunConfig(
        weights="random",
        convolution="direct",
        content_layers=("conv2_1",),
        style_layers=("conv1_1",),
    ).resolved()
    folder = str(tmp_path_factory.mktemp("served"))
    path = saved_model.export_extractor(make_extractor(config), config, folder)
    return tf.saved_model.load(path).signatures


@pytest.fixture(scope="module")
def sample():
    return (ROOT / "tfstyle" / "samples" / "scene.jpg").read_bytes()


@pytest.fixture(scope="module")
def blocks():
    """Returns the scripts of both requests."""
    names = ("serving_rest.py", "serving_grpc.py")
    return [(ROOT / "tools" / name).read_text() for name in names]


@pytest.mark.slow
def test_rest_request_of_the_script(
    blocks, signatures, sample, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tfstyle").symlink_to(ROOT / "tfstyle")
    exec(blocks[0], {})
    request = json.loads((tmp_path / "request.json").read_text())
    files = [base64.b64decode(one["b64"]) for one in request["instances"]]
    assert files == [sample]
    endpoint = signatures[request["signature_name"]]
    found = endpoint(encoded_images=tf.constant(files))
    assert found["block2_conv1"].shape == (1, 288, 384, 128)


def test_grpc_request_of_the_script(blocks, signatures, sample, monkeypatch):
    file = text_format.Parse(PREDICT, descriptor_pb2.FileDescriptorProto())
    descriptor_pool.Default().Add(file)
    predict_request = message_factory.GetMessageClass(
        descriptor_pool.Default().FindMessageTypeByName("tests.PredictRequest")
    )

    class Stub:
        def __init__(self, channel):
            del channel  # nobody answers there

        def Predict(self, request, timeout):  # noqa: N802
            assert timeout > 0
            received = predict_request.FromString(request.SerializeToString())
            endpoint = signatures[received.model_spec.signature_name]
            inputs = {
                name: tf.constant(tf.make_ndarray(value))
                for name, value in received.inputs.items()
            }
            outputs = {
                name: tf.make_tensor_proto(value)
                for name, value in endpoint(**inputs).items()
            }
            return types.SimpleNamespace(outputs=outputs)

    apis = types.SimpleNamespace(
        predict_pb2=types.SimpleNamespace(PredictRequest=predict_request),
        prediction_service_pb2_grpc=types.SimpleNamespace(
            PredictionServiceStub=Stub
        ),
    )
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", apis)
    monkeypatch.chdir(ROOT)
    names = {}
    exec(blocks[1], names)
    found = names["gram_matrix"]
    pixels = np.asarray(Image.open(io.BytesIO(sample)), np.float32)
    expected = signatures["gram"](images=tf.constant(pixels[np.newaxis]))
    assert found.shape == (1, 64, 64)
    np.testing.assert_array_equal(found, expected["block1_conv1"])
