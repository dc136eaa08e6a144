"""Pictures that were brought to the page, kept beside the runs."""

import os
import re
import shutil

from tfstyle.errors import raising_write_errors
from tfstyle.images.errors import ImageError
from tfstyle.images.files import read_image
from tfstyle.system import atomic_file
from tfstyle.system.file_hash import hash_file

FOLDER = "inputs"
"""Of the folder of runs."""
LONGEST_NAME = 40


def keep(root: str, path: str, max_pixels: int) -> str:
    """Returns the path of a picture's copy, which has its name and contents.

    Args:
        root: the folder of runs.
        path: of a file of any origin.
        max_pixels: of a picture that is taken.

    Raises:
        ImageError: if it is no picture that can be read.
        WriteError: if it cannot be kept.
    """
    try:
        read_image(path, max_pixels)
    except ImageError as error:
        # The file lies where the person did not put it.
        name = os.path.basename(path)
        raise ImageError(str(error).replace(path, name)) from error
    digest = hash_file(path)[:8]
    stem, ending = os.path.splitext(os.path.basename(path))
    stem = re.sub(r"[^\w-]+", "_", stem)[:LONGEST_NAME] or "picture"
    ending = re.sub(r"[^.\w]", "", ending.lower())[:8]
    kept = os.path.join(root, FOLDER, f"{stem}-{digest}{ending}")
    if not os.path.exists(kept):
        with raising_write_errors(kept):
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            with atomic_file.replacing(kept) as temporary:
                shutil.copyfile(path, temporary)
    return kept
