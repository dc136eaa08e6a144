"""What TensorFlow may lack costs a warning at most."""

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

from tfstyle.system import private_tensorflow
from tfstyle.system.gradients import custom_gradient


def test_heartbeat_that_cannot_be_set_is_told(monkeypatch, caplog):
    monkeypatch.delattr(context, "coordination_config_pb2")
    private_tensorflow.set_heartbeat(2, 5.0)
    (record,) = caplog.records
    assert "heartbeat cannot be set" in record.getMessage()


def test_registry_of_another_kind_is_done_without(monkeypatch):
    @custom_gradient
    def double(x):
        return 2 * x, lambda upstream: 3 * upstream

    @tf.function(autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = double(x)
        return tape.gradient(y, x)

    entry = private_tensorflow.gradient_entry
    monkeypatch.setattr(
        private_tensorflow, "gradient_entry", lambda name: entry("none")
    )
    assert entry("none") is None
    assert float(gradient(tf.constant(1.0))) == 3.0
    monkeypatch.delattr(ops, "gradient_registry")
    assert entry("any") is None
