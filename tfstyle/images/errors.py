"""The error of what reads and writes pictures."""

from tfstyle.errors import TfstyleError


class ImageError(TfstyleError, ValueError):
    """An image file cannot be read or written."""
