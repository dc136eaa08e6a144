#!/usr/bin/env bash
# Runs the tests marked `compat` with several versions of Python, TensorFlow and
# Keras, each in a virtual environment of its own:
#
#   tools/test_versions.sh [--pre] [oldest] [newest] [PYTHON:TENSORFLOW:KERAS ...]
#
# Without arguments all versions of the list. `newest` asks pip's index for the
# newest TensorFlow and Keras, and takes the newest installed Python that has a
# wheel of TensorFlow; with --pre pre-releases count too. The wheel is
# tensorflow-cpu, which is not named tensorflow, like vendors' builds. A Python
# that is not installed is left out, and said to be.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/environments.sh
source tools/environments.sh

versions=(
    3.10:2.16.2:3.0.5
    3.11:2.17.1:3.5.0
    3.12:2.18.1:3.8.0
    3.12:2.19.1:3.10.0
    3.13:2.20.0:3.12.0
    3.13:2.21.0:3.13.2
)

# Prints the newest version of a package that a Python's pip finds, if any.
find_newest() {
    "$1" -m pip index versions ${pre[@]+"${pre[@]}"} "$2" |
        sed -n '1s/.*(\(.*\))$/\1/p' || true
}

# Prints the newest versions, as they stand in the list.
choose_newest() {
    local minor path tensorflow
    for minor in {30..10}; do
        path=$(find_python "3.$minor")
        [[ -n $path ]] || continue
        "$path" -m venv "$scratch/index"
        path=$scratch/index/bin/python
        tensorflow=$(find_newest "$path" tensorflow-cpu)
        if [[ -n $tensorflow ]]; then
            echo "3.$minor:$tensorflow:$(find_newest "$path" keras)"
            return
        fi
        echo "Python 3.$minor: left out, pip finds no TensorFlow for it" >&2
        rm -rf "$scratch/index"
    done
    echo "pip finds no TensorFlow for any installed Python" >&2
    return 1
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

pre=()
if [[ ${1-} == --pre ]]; then
    pre=(--pre)
    shift
fi
chosen=()
for argument in "${@:-all}"; do
    case $argument in
        all) chosen+=("${versions[@]}") ;;
        oldest) chosen+=("${versions[0]}") ;;
        newest)
            version=$(choose_newest)
            chosen+=("$version")
            ;;
        *) chosen+=("$argument") ;;
    esac
done

failed=()
for version in "${chosen[@]}"; do
    IFS=: read -r python tensorflow keras <<<"$version"
    said="Python $python, TensorFlow $tensorflow, Keras $keras"
    path=$(find_python "$python")
    if [[ -z $path ]]; then
        echo "$said: left out, no python$python is installed"
        continue
    fi
    echo "$said"
    "$path" -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" install --quiet "tensorflow-cpu==$tensorflow" \
        "keras==$keras" pytest "${others[@]}"
    # A TensorFlow before its release brings keras-nightly, with the same files.
    "$scratch/venv/bin/python" -c "import keras; print(
        'The Keras that is imported:', keras.__version__)" 2>/dev/null
    PYTHONDONTWRITEBYTECODE=1 "$scratch/venv/bin/python" -m pytest \
        -p no:cacheprovider -m compat tests/test_compat.py ||
        failed+=("$said")
    rm -rf "$scratch/venv"
done
for said in ${failed[@]+"${failed[@]}"}; do
    echo "failed: $said"
done
[[ ${#failed[@]} == 0 ]]
