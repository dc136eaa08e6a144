#!/usr/bin/env bash
# Runs the tests marked `compat` with several versions of Python, TensorFlow and
# Keras, each in a virtual environment of its own:
#
#   tools/test_versions.sh [oldest] [newest] [PYTHON:TENSORFLOW:KERAS ...]
#
# Without arguments all versions of the list. The wheel is tensorflow-cpu, which
# is not named tensorflow, like vendors' builds. A Python that is not installed
# is left out, and said to be.
set -euo pipefail
cd "$(dirname "$0")/.."

versions=(
    3.10:2.16.2:3.0.5
    3.11:2.17.1:3.5.0
    3.12:2.18.1:3.8.0
    3.12:2.19.1:3.10.0
    3.13:2.20.0:3.12.0
    3.13:2.21.0:3.13.2
)

find_python() {
    local path
    for path in "$(command -v "python$1" || true)" \
        "$(pyenv root 2>/dev/null || true)"/versions/"$1".*/bin/python; do
        if "$path" -c 'import venv' 2>/dev/null; then
            echo "$path"
            return
        fi
    done
}

# What the program needs besides TensorFlow and Keras.
mapfile -t others < <(python3 - <<'END'
import configparser
setup = configparser.ConfigParser()
setup.read("setup.cfg")
for line in setup["options"]["install_requires"].split():
    if not line.startswith(("tensorflow", "keras")):
        print(line)
END
)

chosen=()
for argument in "${@:-all}"; do
    case $argument in
        all) chosen+=("${versions[@]}") ;;
        oldest) chosen+=("${versions[0]}") ;;
        newest) chosen+=("${versions[-1]}") ;;
        *) chosen+=("$argument") ;;
    esac
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
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
    PYTHONDONTWRITEBYTECODE=1 "$scratch/venv/bin/python" -m pytest \
        -p no:cacheprovider -m compat tests/test_compat.py ||
        failed+=("$said")
    rm -rf "$scratch/venv"
done
for said in ${failed[@]+"${failed[@]}"}; do
    echo "failed: $said"
done
[[ ${#failed[@]} == 0 ]]
