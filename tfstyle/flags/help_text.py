"""Text of `--help`, generated from the declarations of the options."""

import itertools
import textwrap

from tfstyle.config.config import to_text
from tfstyle.config.fields import ordered_fields
from tfstyle.config.run_config import RunConfig
from tfstyle.flags import flagfile

_USAGE = """\
tfstyle: neural style transfer after Gatys, Ecker and Bethge (2015)

usage: tfstyle [--preset=NAME] [--flagfile=FILE] [--FLAG=VALUE ...]

A later flag wins over an earlier one, so overrides come after --preset.
Lists are separated by commas; put a name with a comma in double quotes.
"""
_ELSEWHERE = """\
  --flagfile=FILE       flags from a file, one per line; # begins a comment
  --flags_from=PICTURE  the flags stored in a picture that tfstyle made; files
                        that they name are in the current folder or beside it
  --print_flags         print the flags as a flagfile and exit
  --verbosity=0         1 shows TensorFlow's own messages, -1 only warnings
  --version             show the version

Exit status: 0 done; 1 failed, also one picture of a manifest; 2 invalid flag;
128 + N stopped by signal N (Ctrl-C 2, SIGTERM 15, SIGHUP 1, SIGUSR1 10), after
writing the picture and a checkpoint.
"""


def make_help() -> str:
    """Returns the text of `--help`, with all flags by group."""
    text = _USAGE
    fields = ordered_fields(RunConfig)
    for group, members in itertools.groupby(
        fields, lambda field: field.metadata["group"]
    ):
        text += f"\n{group}\n"
        for field in members:
            default = "" if field.default is None else to_text(field.default)
            text += _describe(f"{field.name}={default}", field.metadata["help"])
    presets = ", ".join(flagfile.preset_names())
    shown = _describe("preset=NAME", f"flags shipped with it: {presets}")
    return f"{text}\nOther\n{shown}{_ELSEWHERE}"


def _describe(flag: str, text: str) -> str:
    """Formats a flag and its description in two columns."""
    indent = " " * 24
    column = textwrap.indent(textwrap.fill(text, 54), indent)
    if len(flag) > 19:
        return f"  --{flag}\n{column}\n"
    return f"  --{flag}".ljust(24) + f"{column.lstrip()}\n"
