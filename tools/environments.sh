# What scripts that make virtual environments share. Sourced in the repository's
# root.

# Prints the path of an installed Python of a version, such as 3.10, if any.
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
