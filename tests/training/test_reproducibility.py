"""The same flags give the same bits in every process."""

import pytest

from tests.processes import end_python
from tests.processes import start_python
from tfstyle.system.private_tensorflow import without_memory_optimizer

EVALUATE = """
import hashlib

import numpy as np

from tfstyle.config.config import Config
from tfstyle.images.image_set import ImageSet
from tfstyle.training.stylize import stylize

generator = np.random.default_rng(0)
pixels = generator.integers(0, 256, (2, 192, 256, 3)).astype(np.uint8)
config = Config(
    weights="random",
    image_size=256,
    num_levels=1,
    num_steps=1,
    precision="float32",
)
result = stylize(ImageSet.of_arrays(pixels[0], [pixels[1]]), config)
print(hashlib.sha256(result.image.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_image_has_the_same_bits_in_every_process():
    digests = []
    for _ in range(3):
        status, out, err = end_python(start_python(EVALUATE))
        assert status == 0, err
        digests.append(out)
    assert len(set(digests)) == 1


def test_memory_optimizer_is_off_in_the_block_alone():
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.core.protobuf import rewriter_config_pb2
    from tensorflow.python.eager import context

    def memory_optimization():
        options = context.context().function_call_options
        config = config_pb2.ConfigProto.FromString(
            options.config_proto_serialized
        )
        return config.graph_options.rewrite_options.memory_optimization

    before = memory_optimization()
    with without_memory_optimizer():
        off = rewriter_config_pb2.RewriterConfig.NO_MEM_OPT
        assert memory_optimization() == off
    assert memory_optimization() == before != off
