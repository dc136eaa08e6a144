#!/usr/bin/env bash
# Runs the recipes of docs/serving.md as printed, each in a virtual environment of
# its own, and compares the features with TensorFlow's:
#
#   tools/test_exports.sh [keras] [litert] [onnx] [openvino] [capi] [oldest]
#
# Without arguments all of them. What a recipe computes must be named `found`. Run
# once a release; the VGG19 weights are downloaded if they are not cached.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/environments.sh
source tools/environments.sh
repository=$PWD
export PIP_QUIET=1

recipes=(keras litert onnx openvino capi oldest)
tensorflow=2.21.0
keras=3.15.1
oldest=2.16.2

for name in "$@"; do
    if [[ " ${recipes[*]} " != *" $name "* ]]; then
        echo "no recipe '$name'; there are: ${recipes[*]}" >&2
        exit 2
    fi
done
if [[ $# == 0 ]]; then
    set -- "${recipes[@]}"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/work"
ln -s "$repository/tools" "$scratch/work/tools"

# Writes the blocks of one language and recipe, each followed by a line, in which
# LIMIT is the greatest relative error: of float32 by the order of the sums.
blocks() {
    python3 - "$repository/docs/serving.md" "$1 $2" "$3" <<'END'
import pathlib
import re
import sys

page, info, after = sys.argv[1:]
text = pathlib.Path(page).read_text(encoding="utf-8")
found = re.findall(rf"^```{info}\n(.*?)^```$", text, re.M | re.S)
if not found:
    sys.exit(f"{page} has no block '{info}'")
for block in found:
    limit = "2e-3" if "float16" in block else "1e-5"
    print(block + after.replace("LIMIT", limit))
END
}

# Runs a script with the Python of an environment, without TensorFlow's log.
run() {
    (cd "$scratch/work" && TF_CPP_MIN_LOG_LEVEL=2 PYTHONDONTWRITEBYTECODE=1 \
        PATH="$1/bin:$PATH" "${@:2}")
}

cat >"$scratch/work/comparison.py" <<'END'
import numpy as np


def save(found, images):
    np.savez(f"expected-{images.shape[1]}.npz", **found)


def check(found, limit):
    height = found["block1_conv1"].shape[1]
    expected = np.load(f"expected-{height}.npz")
    errors = [
        np.linalg.norm(values - expected[name]) / np.linalg.norm(expected[name])
        for name, values in found.items()
    ]
    worst = np.max(errors)  # nan, if one is
    print(f"height {height}: relative error {worst:.2g}, limit {limit:g}")
    assert worst < limit
END

# The export, and its features in the TensorFlow that made it.
echo "export: TensorFlow $tensorflow, Keras $keras"
python3 -m venv "$scratch/export"
"$scratch/export/bin/pip" install "tensorflow-cpu==$tensorflow" \
    "keras==$keras" "${others[@]}"
PYTHONDONTWRITEBYTECODE=1 "$scratch/export/bin/python" -m tfstyle.main \
    --preset=export --export_dir="$scratch/work/runs/features"
du --apparent-size -h "$scratch/work/runs/features/1" | tail -n 1
{
    echo "import comparison"
    blocks python input ""
    blocks python tensorflow "comparison.save(found, images)"
    echo "images = images[:, :32, :40]"
    blocks python tensorflow "comparison.save(found, images)"
} >"$scratch/work/expected.py"
run "$scratch/export" python expected.py

failed=()
for name in "$@"; do
    echo "$name"
    venv=$scratch/$name
    block=$name
    case $name in
        keras) venv=$scratch/export ;;
        oldest)
            block=tensorflow
            python=$(find_python 3.10)
            if [[ -z $python ]]; then
                echo "left out, no python3.10 is installed"
                continue
            fi
            "$python" -m venv "$venv"
            "$venv/bin/pip" install "tensorflow-cpu==$oldest"
            ;;
        *)
            python3 -m venv "$venv"
            blocks bash "$name" "" >"$scratch/work/recipe.sh"
            run "$venv" bash -euo pipefail recipe.sh
            ;;
    esac
    {
        echo "import comparison"
        blocks python input ""
        blocks python "$block" "comparison.check(found, LIMIT)"
    } >"$scratch/work/recipe.py"
    run "$venv" python recipe.py || failed+=("$name")
    if [[ $name != keras ]]; then
        rm -rf "$venv"
    fi
done
find "$scratch/work" -maxdepth 1 -name "features*" -printf "%f %s bytes\n"
for name in ${failed[@]+"${failed[@]}"}; do
    echo "failed: $name"
done
[[ ${#failed[@]} == 0 ]]
