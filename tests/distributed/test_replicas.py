"""What is told when replicas fail."""

import pytest
import tensorflow as tf

from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.replicas import Replicas
from tfstyle.errors import ClusterError


@pytest.mark.parametrize(
    ("size", "kind", "message", "expected"),
    [
        (2, tf.errors.UnavailableError, "Socket closed", ClusterError),
        (2, tf.errors.InternalError, "Collective ops is aborted", ClusterError),
        (1, tf.errors.InternalError, "aborted", tf.errors.InternalError),
        *(
            (2, tf.errors.InternalError, message, tf.errors.InternalError)
            for message in (
                "Failed to load in-memory CUBIN: CUDA_ERROR_OUT_OF_MEMORY",
                "CUDNN_STATUS_EXECUTION_FAILED in cuda_dnn.cc",
                "Attempting to perform BLAS operation: cublas failed",
                "libdevice not found at ./libdevice.10.bc",
                "ptxas exited with non-zero error code 65280",
            )
        ),
    ],
)
def test_errors_of_gpus_are_not_told_as_a_lost_process(
    size, kind, message, expected
):
    replicas = Replicas(None, Cluster(size, 0, "Slurm"), 4.0)
    with pytest.raises(expected), replicas.waiting_for_others():
        raise kind(None, None, message)
