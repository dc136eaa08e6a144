#!/usr/bin/env bash
# One expects TensorFlow's two convolutions of a layer, forward and gradient by
# the input, to run through the same kind of oneDNN kernel, as for a 3x3 kernel
# with stride 1 they are the same computation with the kernel turned.
#
# On processors with AVX2 but without AVX-512 only the gradient does: it takes
# oneDNN's batch-reduced kernels (brg_conv), while the forward pass of the same
# frame falls back to a matrix product over a copy of all patches (gemm). On 2
# cores of an AMD EPYC with AVX2 the gradient of 256 channels at 128x128 ran at
# 147 GFLOP/s, the forward pass at 43. TensorFlow leaves oneDNN off on such
# processors unless TF_ENABLE_ONEDNN_OPTS=1; with it, matrix products are faster
# than without, so that a Winograd convolution made of them gains what a direct
# one loses. Limiting oneDNN to AVX2 shows the choice on any processor with it.
#
# Source: oneDNN's verbose mode, ONEDNN_VERBOSE=1, which names the chosen kernels;
# ONEDNN_MAX_CPU_ISA in oneDNN's documentation, CPU dispatcher control.
# Seen with TensorFlow 2.21.0 on Linux, x86-64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0
cat >"$folder/convolve.py" <<'PYTHON'
import tensorflow as tf

image = tf.ones([1, 64, 64, 128])
kernel = tf.ones([3, 3, 128, 128])


@tf.function
def forward(image):
    return tf.nn.conv2d(image, kernel, 1, "SAME")


@tf.function
def gradient(upstream):
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[1, 64, 64, 128],
        filter=kernel,
        out_backprop=upstream,
        strides=[1, 1, 1, 1],
        padding="SAME",
    )


forward(image)
gradient(image)
PYTHON
env TF_ENABLE_ONEDNN_OPTS=1 ONEDNN_MAX_CPU_ISA=AVX2 ONEDNN_VERBOSE=1 \
    CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=3 \
    "$folder/venv/bin/python" "$folder/convolve.py" 2>/dev/null |
    grep ',convolution,' | grep exec | tee "$folder/log" | cut -d, -f1-9
grep -q 'convolution,[^,]*gemm[^,]*,forward' "$folder/log"
grep -q 'convolution,brg_conv[^,]*avx2[^,]*,backward_data' "$folder/log"
echo "forward by gemm, gradient by brg_conv, as described"
