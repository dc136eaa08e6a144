#!/usr/bin/env bash
# Compares files of weights with the networks of the libraries that wrote them:
# torch, torchvision, timm, safetensors, Keras and KerasHub, in a virtual
# environment. Not part of .ci/run, as it installs a gigabyte:
#
#   tools/test_weights.sh
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet)
"${pip[@]}" -e '.[test]' keras-hub==0.32.0 huggingface_hub
"${pip[@]}" torch==2.13.0
# The dependencies of these would choose another build of torch.
"${pip[@]}" --no-deps torchvision==0.28.0 timm==1.0.31

"$folder/venv/bin/python" -m pytest -o addopts="" --color=no -q -rs \
    tests/network/weight_files/test_libraries.py | tee "$folder/said"
if grep -q skipped "$folder/said"; then
    echo "A library is missing." >&2
    exit 1
fi
