"""Prints every error message of tfstyle with its place, to read them at once.

    python tools/list_messages.py

One line each: where it is raised, its class and its text, in which {} stands
for what is known only then.
"""

import ast
import pathlib
from collections.abc import Iterator

PACKAGE = pathlib.Path(__file__).parents[1] / "tfstyle"


def find_messages() -> Iterator[tuple[str, str, str]]:
    """Yields place, class and text of every error that is raised."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            is_raise = isinstance(node, ast.Raise)
            if is_raise and isinstance(node.exc, ast.Call) and node.exc.args:
                place = f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"
                name = ast.unparse(node.exc.func)
                yield place, name, _read(node.exc.args[0])


def _read(node: ast.expr) -> str:
    """Returns the text of an expression, with {} for what is not known."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_read, node.values))
    return "{}"


def main() -> None:
    """Prints them in the order of the files."""
    for place, name, text in find_messages():
        print(f"{place} {name}: {text}")


if __name__ == "__main__":
    main()
