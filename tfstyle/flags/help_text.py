"""Text of `--help`, generated from the declarations of the options."""

import dataclasses
import textwrap

from tfstyle.config.fields import ordered_fields
from tfstyle.config.run_config import RunConfig
from tfstyle.flags import flagfile

_USAGE = """\
tfstyle: neural style transfer after Gatys, Ecker and Bethge (2015)

usage: tfstyle [--preset=NAME] [--flagfile=FILE] [--FLAG=VALUE ...]

A later flag wins over an earlier one, so overrides come after --preset.
Lists are separated by commas; a name that holds one goes in double quotes.
"""
_ELSEWHERE = """\
  --flagfile=FILE       flags from a file, one per line; # begins a comment
  --flags_from=PICTURE  the flags that a picture says it was made with
  --print_flags         print the flags as a flagfile and end
  --verbosity=0         1 shows TensorFlow's own messages, -1 only warnings
  --version             show the version

Exit status: 0 done; 1 failed, also one picture of a manifest; 2 a wrong flag;
128 + N ended by signal N (Ctrl-C 2, SIGTERM 15, SIGHUP 1, SIGUSR1 10), with the
picture and a checkpoint written.
"""


def make_help() -> str:
    """Returns the text of `--help`, with all flags by group."""
    groups: dict[str, list[dataclasses.Field]] = {}
    for field in ordered_fields(RunConfig):
        groups.setdefault(field.metadata["group"], []).append(field)
    lines = [_USAGE]
    for group, fields in groups.items():
        lines.append(group)
        for field in fields:
            lines += _describe(field)
        lines.append("")
    presets = ", ".join(flagfile.preset_names())
    lines.append("Other")
    lines += _describe_flag("preset=NAME", f"flags shipped with it: {presets}")
    return "\n".join(lines) + "\n" + _ELSEWHERE


def _describe(field: dataclasses.Field) -> list[str]:
    default = field.default
    shown = "" if default in (None, ()) else default
    if isinstance(shown, tuple):
        shown = ",".join(map(str, shown))
    if isinstance(shown, bool):
        shown = str(shown).lower()
    return _describe_flag(f"{field.name}={shown}", field.metadata["help"])


def _describe_flag(shown: str, help_text: str) -> list[str]:
    flag = f"  --{shown}"
    text = textwrap.wrap(help_text, 54)
    first = [flag] if len(flag) > 23 else [f"{flag:24}{text.pop(0)}"]
    return first + [" " * 24 + line for line in text]
