"""Files that mean harm: what mutates files, and files made by hand."""

import io
import pathlib
import random
import struct
import zipfile
import zlib

import h5py
import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from tests import ROOT
from tfstyle.experiment import checkpoint
from tfstyle.network.weight_files.wheel import MEMBER
from tfstyle.training.state import State


def flip(data, start, size, _, rng):
    data[start] ^= 1 << rng.randrange(8)


def cut(data, start, size, _, rng):
    del data[start : start + size]


def end(data, start, size, _, rng):
    del data[start:]


def insert(data, start, size, _, rng):
    data[start:start] = rng.randbytes(size)


def duplicate(data, start, size, _, rng):
    data[start:start] = data[start : start + size] * rng.choice((1, 2, 50))


def zero(data, start, size, _, rng):
    data[start : start + size] = bytes(len(data[start : start + size]))


def enlarge(data, start, size, _, rng):
    number = rng.choice((0, 1, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1))
    width = rng.choice((2, 4, 8)) if number <= 0xFFFF else rng.choice((4, 8))
    order = rng.choice(("little", "big"))
    data[start : start + width] = number.to_bytes(width, order)


def splice(data, start, size, other, rng):
    place = rng.randrange(len(other))
    if rng.random() < 0.5:
        data[start:] = other[place:]
    else:
        data[start : start + size] = other[place : place + size]


MUTATIONS = (flip, flip, cut, end, insert, duplicate, zero, enlarge, splice)


def mutate(data, other, rng):
    """Returns a file's bytes after one to eight mutations, often early."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        near = min(len(data), rng.choice((64, 512, len(data) + 1)))
        start = max(0, near - 1 - rng.randrange(near)) if near else 0
        if not data:
            break
        size = min(1 + int(rng.expovariate(0.1)), 300)
        rng.choice(MUTATIONS)(data, start, size, other, rng)
    return bytes(data)


def mutants(seed, contents, count):
    """Returns that many mutated files, the same at every run."""
    rng = random.Random(seed)
    for number in range(count):
        content = contents[number % len(contents)]
        yield mutate(content, rng.choice(contents), rng)


def save(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def make_pictures():
    """Returns real files by name, small ones, of every format and mode."""
    with Image.open(ROOT / "tfstyle" / "samples" / "scene.jpg") as image:
        photo = image.convert("RGB").resize((40, 32))
    alpha = photo.copy()
    alpha.putalpha(photo.getchannel("R"))
    wide = Image.fromarray(np.array(photo.convert("L")).astype("<u2") * 257)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = PngInfo()
    text.add_itxt("tfstyle", "# Made by tfstyle\n--seed=1\n", zip=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0--seed=1"
    meta = {"icc_profile": icc, "exif": exif}
    choices = [
        (photo, "PNG", {"pnginfo": text, **meta}),
        (alpha, "PNG", {"compress_level": 0}),
        (wide, "PNG", {"transparency": 257}),
        (photo.quantize(16), "PNG", {"transparency": 3}),
        (photo.convert("1"), "PNG", {}),
        (photo, "JPEG", meta),
        (photo, "JPEG", {"progressive": True, "optimize": True}),
        (photo.convert("CMYK"), "JPEG", {}),
        (photo.convert("L"), "JPEG", {}),
        (photo, "WEBP", meta),
        (alpha, "WEBP", {"lossless": True}),
        (photo, "TIFF", meta),
        (alpha, "TIFF", {"compression": "tiff_lzw"}),
        (photo, "TIFF", {"compression": "tiff_adobe_deflate"}),
        (photo, "TIFF", {"compression": "jpeg"}),
        (photo.convert("1"), "TIFF", {"compression": "group4"}),
        (photo.convert("LAB"), "TIFF", {"compression": "packbits"}),
        (photo.convert("CMYK"), "TIFF", {}),
        (wide, "TIFF", {}),
        (photo, "BMP", {}),
        (photo.quantize(200), "BMP", {}),
        (photo.quantize(32), "GIF", {"transparency": 2}),
        (photo, "GIF", {"save_all": True, "append_images": [photo.rotate(9)]}),
        (photo, "JPEG2000", {}),
        (photo, "PPM", {}),
        (photo, "AVIF", meta),
    ]
    contents = [save(image, kind, **more) for image, kind, more in choices]
    return contents + make_deep_tiffs() + make_rare_pictures(photo)


def make_deep_tiffs():
    """Returns TIFF files that are for tifffile."""
    floats = np.arange(32 * 40 * 3).reshape(32, 40, 3).astype("f4") / 3840
    planes = np.moveaxis(floats * 65535, -1, 0).astype("u2")
    contents = []
    for values, options in (
        (floats, {}),
        (floats, {"compression": "zlib", "rowsperstrip": 5}),
        (floats[..., 0], {"compression": "zlib", "tile": (16, 16)}),
        (planes, {"planarconfig": "separate"}),
    ):
        kind = "rgb" if values.ndim == 3 else "minisblack"
        contents.append(save_tiff(values, photometric=kind, **options))
    return contents


def save_tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def make_rare_pictures(photo):
    """Returns files that are for imagecodecs, or of documents."""
    colors = np.asarray(photo)
    deep = colors.astype("u2") * 257
    layers = np.dstack([colors, colors[..., :1]])
    contents = [
        imagecodecs.png_encode(deep),
        imagecodecs.jpeg2k_encode(deep, codecformat="jp2"),
        imagecodecs.jpeg2k_encode(deep[..., 0] >> 4, bitspersample=12),
        imagecodecs.jpegxl_encode(layers),
        imagecodecs.jpegxl_encode(deep, lossless=True, usecontainer=True),
        imagecodecs.jpeg_encode(deep >> 4, bitspersample=12),
        imagecodecs.rgbe_encode(colors.astype("f4") / 40, header=True),
        make_psd(layers),
        make_document(save(photo, "PNG")),
        make_png(
            40,
            32,
            png_chunk(b"cICP", bytes([9, 16, 0, 1])),
            png_chunk(b"IDAT", zlib.compress(bytes(32 * 121))),
        ),
    ]
    for compression in ("zstd", "lzma", "lzw", "packbits", "jpeg", "webp"):
        values = colors if compression in ("jpeg", "webp") else deep
        options = {"photometric": "rgb", "compression": compression}
        contents.append(save_tiff(values, **options))
    return contents


def make_psd(values, mode=3, num_layers=-1, is_merged=True, size=None):
    """Returns a Photoshop document; a negative number has transparency."""
    height, width = size or values.shape[:2]
    depth = 8 * values.dtype.itemsize
    planes = np.moveaxis(values, -1, 0).astype(values.dtype.newbyteorder(">"))
    return b"".join(
        (
            struct.pack(">4sH6xH", b"8BPS", 1, len(planes)),
            struct.pack(">IIHHI", height, width, depth, mode, 0),
            struct.pack(">I4sHHI", 18, b"8BIM", 1057, 0, 5),
            struct.pack(">IBx", 1, is_merged),
            struct.pack(">IIh2x", 6, 2, num_layers) if num_layers else bytes(6),
            planes.tobytes(),
        )
    )


def make_document(
    merged,
    mimetype="image/openraster",
    name="mergedimage.png",
    method=zipfile.ZIP_STORED,
):
    """Returns an archive with a merged picture, as Krita's documents are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
        archive.writestr(name, merged)
    return file.getvalue()


def repair_png(data):
    """Returns a PNG whose chunks' sums are right, so that they are read."""
    data, place = bytearray(data), 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return bytes(data)


def make_h5(**options):
    """Returns the bytes of a whole file of the first two layers."""
    file = io.BytesIO()
    with h5py.File(file, "w", **options.pop("of_file", {})) as h5:
        for name, channels in (("conv2d", 3), ("conv2d_1", 64)):
            group = h5.create_group(f"layers/{name}/vars")
            shape = (3, 3, channels, 64)
            group.create_dataset("0", shape, "f4", fillvalue=0.5, **options)
            group.create_dataset("1", data=np.ones(64), dtype="f2")
    return file.getvalue()


def rewrite(members, path):
    """Writes a zip whose sums are right, whatever its members hold."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


SHAPES = {"image": (1, 4, 5, 3), "optimizer/0": (), "optimizer/1": (7,)}
NUMBERS = {
    "level": 0,
    "steps": [10, 2],
    "evaluations": 14,
    "optimizer": {"num_pairs": 1, "scale": [0.5]},
}


def make_checkpoint(folder, job):
    arrays = {n: np.ones(shape, "f4") for n, shape in SHAPES.items()}
    arrays["optimizer/0"] = np.int64(7)
    checkpoints = checkpoint.Checkpoints(str(folder), job)
    checkpoints(State(NUMBERS, arrays))
    return pathlib.Path(checkpoints.path)


# Bombs: small files that would be large in memory, or long in time.

READ = """
import json, resource, sys
from tfstyle.experiment.checkpoint import read_checkpoint
from tfstyle.image_files.reading import read_image, read_text
from tfstyle.network.weight_files.reading import read_weights

def read_arrays(path):
    state = read_checkpoint(path).state
    return [state.array(name, (1, 4, 5, 3)) for name in state.arrays]

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
def peak():
    with open("/proc/self/status") as file:
        return next(int(l.split()[1]) for l in file if l.startswith("VmHWM"))

for function, path in json.load(sys.stdin):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    before = peak()
    try:
        name, text = "", str(len(globals()[function](path) or ""))
    except Exception as error:
        name, text = type(error).__name__, str(error)
    print(json.dumps([name, text, peak() - before]), flush=True)
"""

SIZE = 1 << 28
"""Bytes that a bomb unpacks to."""


def png_chunk(kind, content):
    sized = struct.pack(">I", len(content)) + kind + content
    return sized + struct.pack(">I", zlib.crc32(kind + content))


def make_png(width, height, *chunks, depth=8, color=2):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def put(data, place, form, *numbers, after=b""):
    """Returns a copy of a file's bytes with numbers written over them."""
    new, place = struct.pack(form, *numbers), place + data.index(after)
    return data[:place] + new + data[place + len(new) :]


READABLE = ("png profile", "png comment")
"""Bombs that are left out while the pixels are read."""


def make_tiff_bomb(packed):
    """Returns a deflated TIFF of floats whose one strip is another."""
    floats = np.random.default_rng(0).random((520, 520, 3), np.float32)
    options = {"compression": "zlib", "rowsperstrip": 520}
    data = save_tiff(floats, photometric="rgb", **options)
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page = tiff.pages.first
        place = page.dataoffsets[0]
        assert len(packed) <= page.databytecounts[0]
    return data[:place] + packed + data[place + len(packed) :]


def make_image_bombs():
    zeros = zlib.compress(bytes(SIZE), 1)
    pixels = png_chunk(b"IDAT", zeros)

    def png_with(kind, start):
        return make_png(32, 32, png_chunk(kind, start + zeros), pixels)

    gif, bmp, jpeg, tiff, jp2 = (
        save(Image.new("L", (32, 32)), kind)
        for kind in ("GIF", "BMP", "JPEG", "TIFF", "JPEG2000")
    )
    deep = np.zeros((32, 32, 3), np.uint16)
    jpeg12 = imagecodecs.jpeg_encode(deep, bitspersample=12)
    jxl_size = (65000 - 1) << 3 | 3 << 1
    radiance = imagecodecs.rgbe_encode(deep.astype("f4"), header=True)
    codestream = b"\xff\x4f\xff\x51"
    box = jp2.index(b"jp2h") - 4
    return {
        "png size": make_png(60000, 60000, pixels),
        "png profile": png_with(b"iCCP", b"a\0\0"),
        "png text": png_with(b"iTXt", b"tfstyle\0\1\0\0\0"),
        "png comment": png_with(b"zTXt", b"a\0\0"),
        "tiff floats": make_tiff_bomb(zeros),
        "jp2 size": put(jp2, 8, ">II", 65000, 65000, after=codestream),
        "jp2 box": jp2[:box]
        + struct.pack(">I4sQ", 1, b"jp2h", 1 << 40)
        + jp2[box + 8 :],
        "jp2 channels": put(jp2, 40, ">H", 16000, after=codestream),
        "jpeg 12 size": put(jpeg12, 5, ">HH", 65000, 65000, after=b"\xff\xc1"),
        "radiance size": radiance.replace(b"-Y 32 +X 32", b"-Y 65000 +X 65000"),
        "jxl size": b"\xff\x0a" + jxl_size.to_bytes(4, "little") + bytes(99),
        "psd size": make_psd(
            np.zeros((32, 32, 4), np.uint8), size=(30000, 30000)
        ),
        "ora": make_document(bytes(SIZE), method=zipfile.ZIP_DEFLATED),
        "ora size": make_document(make_png(60000, 60000, pixels)),
        "deep png size": make_png(60000, 60000, pixels, depth=16),
        "ppm size": b"P6 65000 65000 255\n" + bytes(999),
        "plain ppm size": b"P3 65000 65000 255\n" + b"1 " * 999,
        "gif size": put(gif, 6, "<HH", 65000, 65000),
        "bmp size": put(bmp, 18, "<II", 65000, 65000),
        "jpeg size": put(jpeg, 5, ">HH", 65000, 65000, after=b"\xff\xc0"),
        # the value of the tag of the width, the next tag, and its value
        "tiff size": put(
            *(tiff, 8, "<I8sI", 65000, struct.pack("<HHI", 257, 4, 1), 65000),
            after=struct.pack("<HHI", 256, 4, 1),
        ),
    }


def make_wheel(content, kind=zipfile.ZIP_STORED, size=None):
    """Returns a wheel that says its member is of a size, whatever it is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as wheel:
        wheel.writestr(MEMBER, content)
    data = file.getvalue()
    place = data.index(b"PK\1\2") + 24
    return put(data, place, "<I", size or len(content))


def make_caffemodel():
    """Returns a network of one layer."""

    def field(number, content):
        """Returns a field of bytes of a protocol buffer, of less than 16 kB."""
        size = len(content)
        head = bytes([number << 3 | 2, size & 127 | 128, size >> 7])
        return head + content

    sizes = 4 * 3 * 9 * 64, 4 * 64
    blobs = b"".join(field(6, field(5, bytes(size))) for size in sizes)
    return field(1, b"VGG") + field(2, field(4, b"conv1_1") + blobs)


def make_weight_bombs():
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        chunked = {"chunks": (16, 16, 512, 512), "maxshape": (None,) * 4}
        kernel = np.ones((3, 3, 3, 64), np.float32)
        group = h5.create_group("layers/conv2d/vars")
        group.create_dataset("0", data=kernel, compression="gzip", **chunked)
    zeros = bytes(SIZE)
    return {
        "h5 chunk": file.getvalue(),
        "lying size": make_wheel(zeros, zipfile.ZIP_DEFLATED, 1000),
        "bzip2": make_wheel(zeros, zipfile.ZIP_BZIP2, 1000),
        "lzma": make_wheel(bytes(SIZE), zipfile.ZIP_LZMA, 1000),
    }


def make_npy(shape, dtype="<f4", content=b""):
    head = str({"descr": dtype, "fortran_order": False, "shape": shape}) + "\n"
    size = struct.pack("<H", len(head))
    return b"\x93NUMPY\1\0" + size + head.encode() + content


def make_checkpoint_bombs():
    header = '{"format": 1, "job": {}, "state": {}}'
    bombs = {}
    for name, content, kind in (
        ("deflated", make_npy((SIZE // 4,), content=bytes(SIZE)), 8),
        ("huge shape", make_npy((10**6, 10**6)), 0),
        ("negative shape", make_npy((-(10**6), -(10**6))), 0),
        ("huge empty shape", make_npy((0, 2**70)), 0),
        ("many sizes", make_npy((1,) * 3000, content=bytes(4)), 0),
        ("nested", b"\x93NUMPY\1\0\x10\x27" + b"-" * 9999 + b"1", 0),
        ("pickle", make_npy((1,), "|O", b"cos\nabort\n)R."), 0),
        ("parent", b"", 0),
        ("repeated", bytes(4_000_000), 0),
        ("no header", b"", 0),
    ):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as archive:
            if name != "no header":
                archive.writestr("checkpoint.json", header, 0)
            inside = "../../image" if name == "parent" else "image"
            archive.writestr(f"{inside}.npy", content)
            if name == "repeated":
                archive.filelist += archive.filelist[-1:] * 30_000
        bombs[name] = file.getvalue()
    data = bombs["huge shape"]
    place = data.rindex(b"PK\1\2")
    bombs["lying size"] = put(data, place + 20, "<II", SIZE, SIZE)
    bombs["far away"] = put(data, place + 42, "<I", 2**32 - 2)
    end = b"PK\6\7" + bytes(16) + b"PK\5\6" + bytes(18)
    bombs["before its beginning"] = end
    return bombs
