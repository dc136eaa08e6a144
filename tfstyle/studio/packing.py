"""Files to take away: a picture, its flags and its inputs, by their own names.

The folder of runs stores inputs by name and hash. Outside it they have the
names that the user gave them, without folders.
"""

import os
import re
import zipfile

import imagecodecs
import numpy as np

from tfstyle.config import lines
from tfstyle.config.validation import INITS
from tfstyle.errors import raising_write_errors
from tfstyle.flags.command_line import read_config
from tfstyle.flags.values import FIELDS
from tfstyle.flags.values import parse_text
from tfstyle.image_files import sidecar
from tfstyle.image_files.reading import read_bits
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image
from tfstyle.studio import inputs
from tfstyle.studio.runs import Run
from tfstyle.studio.widgets import FORMS
from tfstyle.studio.widgets import path_of_copy
from tfstyle.system import atomic_file

LONGEST_NAME = 80
_FILES = ("content_image", "content_video", "init")
_LISTS = ("style_images", "content_masks", "style_masks")
_FIRST_LINE = "# Paints the picture again, in the folder of this file:"
_FLAGS = "flags.cfg"


def file_name_of(run: Run) -> str:
    """Returns a name for files of a run, such as `boat in mosaic`."""
    name = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', " ", run.caption or run.name)
    return " ".join(name.split()).strip(".")[:LONGEST_NAME] or run.name


def convert_picture(run: Run, form: str) -> str:
    """Writes a copy of a run's picture, with its flags inside.

    Args:
        run: a run with a picture.
        form: a key of FORMS.

    Returns:
        The path of the copy.

    Raises:
        TfstyleError: if the picture cannot be read or the copy not written.
    """
    ending, bits = FORMS[form]
    folder = form.replace(" ", "-").replace(",", "")
    name = os.path.join(folder, f"{file_name_of(run)}{ending}")
    path = path_of_copy(run.picture, name)
    if not os.path.exists(path):
        # A picture stores the names of its inputs without their folders.
        names = {os.path.basename(p): name for p, name in _names(run).items()}
        text = rename_files(sidecar.read_text(run.picture) or "", names)
        pixels, alpha = _read_pixels(run.picture, bits)
        write_image(path, pixels, alpha, text)
    return path


def _read_pixels(path: str, bits: int):
    """Reads pixels and alpha channel, with 16 bits if the file has them."""
    if bits == 16 and read_bits(path) == 16:
        with open(path, "rb") as file:
            pixels = imagecodecs.png_decode(file.read())
        alpha = None
        if pixels.shape[2] == 4:
            alpha = (pixels[..., 3] // 257).astype(np.uint8)
        return pixels[..., :3], alpha
    file = read_image(path)
    return file.pixels, file.alpha


def pack(run: Run) -> str:
    """Writes a ZIP file with the picture, its inputs and a flagfile.

    Returns:
        The path of the file.

    Raises:
        WriteError: if it cannot be written.
    """
    path = path_of_copy(run.picture, f"{file_name_of(run)}.zip")
    if os.path.exists(path):
        return path
    names = _names(run)
    command = f"{_FIRST_LINE} tfstyle --flagfile={_FLAGS}\n"
    flags = [f"{lines.write_line(x, FIELDS)}\n" for x in run.arguments]
    text = rename_files("".join(flags), names)
    with raising_write_errors(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with (
            atomic_file.replacing(path) as temporary,
            zipfile.ZipFile(temporary, "w") as file,
        ):
            file.write(run.picture, f"{file_name_of(run)}.png")
            file.writestr(_FLAGS, command + text)
            for place, name in names.items():
                if os.path.isfile(place):
                    file.write(place, name)
    return path


def rename_files(text: str, names: dict[str, str]) -> str:
    """Replaces the paths of files in a flagfile.

    Args:
        text: the flagfile.
        names: new names by path.
    """
    written = []
    for line in text.splitlines():
        flag = line[2:].partition("=")[0]
        if line.startswith("--") and flag in (*_FILES, *_LISTS):
            value = lines.read_line(line, FIELDS)[2:].partition("=")[2]
            if flag in _LISTS:
                paths = parse_text(flag, value)
                value = lines.write_list([names.get(p, p) for p in paths])
            else:
                value = names.get(value, value)
            line = lines.write_line(f"--{flag}={value}", FIELDS)
        written.append(line)
    return "".join(f"{line}\n" for line in written)


def _names(run: Run) -> dict[str, str]:
    """Returns the names of a run's inputs by path, without folders."""
    config = read_config(run.arguments)
    paths = [config.content_image, config.content_video]
    paths += [*config.style_images, *config.content_masks, *config.style_masks]
    paths += [config.init] if config.init not in INITS else []
    names: dict[str, str] = {}
    for path in filter(None, paths):
        ending = os.path.splitext(path)[1]
        name = f"{inputs.stem_of(path)}{ending}"
        if name in (*names.values(), _FLAGS) or path.startswith(run.workdir):
            name = os.path.basename(path)
        names.setdefault(path, name)
    return names
