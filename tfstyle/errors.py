"""What comes from a file or goes wrong, made fit for a message."""

LONGEST = 200


def one_line(text: str, longest: int = LONGEST) -> str:
    """Writes a text as one line that cannot steer a terminal.

    Args:
        text: of any origin.
        longest: characters; the rest is left out.
    """
    line = " ".join(text[: 2 * longest].split())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def is_told(error: Exception) -> bool:
    """Returns whether a line tells an error; any other is a bug."""
    is_ours = type(error).__module__.startswith("tfstyle.")
    return is_ours or isinstance(error, OSError)
