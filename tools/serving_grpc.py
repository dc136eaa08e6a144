"""Asks TF Serving for Gram matrices by gRPC.

    pip install tensorflow-serving-api
    python tools/serving_grpc.py

A client receives 4 MB unless told otherwise, less than the features of a small
picture.
"""

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

import tfstyle

pixels = tfstyle.read_image("tfstyle/samples/scene.jpg").pixels
request = predict_pb2.PredictRequest()
request.model_spec.name = "features"
request.model_spec.signature_name = "gram"
request.inputs["images"].CopyFrom(
    tf.make_tensor_proto(pixels[None], dtype=tf.float32)
)
with grpc.insecure_channel(
    "127.0.0.1:8500", options=[("grpc.max_receive_message_length", -1)]
) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    reply = stub.Predict(request, timeout=60)
gram_matrix = tf.make_ndarray(reply.outputs["block1_conv1"])
