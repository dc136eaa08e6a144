"""Paints the sample images of the package, the same ones every time.

    python tools/make_samples.py

`scene.jpg` is a content image of clear layout: a village by a lake under an
evening sun. Two are style images: `strokes.jpg`, thick strokes of the brush
along a swirling flow, and `mosaic.jpg`, stones set in mortar along winding
bands. All are drawn with NumPy and Pillow from fixed seeds.
"""

import pathlib

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFilter

WIDTH, HEIGHT = 768, 576
SCALE = 2  # drawn larger and reduced, so that edges are smooth
SAMPLES = pathlib.Path(__file__).parents[1] / "tfstyle" / "samples"

PALETTE = np.array(
    [
        (14, 24, 72),
        (26, 62, 138),
        (38, 112, 168),
        (86, 168, 176),
        (236, 222, 160),
        (244, 176, 52),
        (222, 104, 36),
        (132, 34, 44),
        (34, 20, 60),
    ],
    float,
)
"""RGB; the colours of the strokes along their flow, from deep blue to ember."""
STONES = np.array(
    [
        (240, 228, 200),
        (196, 92, 58),
        (120, 40, 40),
        (226, 170, 72),
        (58, 120, 112),
        (34, 62, 84),
    ],
    float,
)
"""RGB; the colours of the mosaic's bands."""


def smooth_noise(generator, height, width, cells):
    """Returns float `[height, width]` in 0..1, smooth, `cells` bumps across."""
    rows = max(2, round(cells * height / width))
    coarse = generator.uniform(0, 255, (rows, cells)).astype(np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.BICUBIC)
    return np.asarray(image, float) / 255


def gradient(stops, positions):
    """Returns colours `[..., 3]` between `(position, colour)` stops."""
    places = [place for place, _ in stops]
    colours = np.array([colour for _, colour in stops], float)
    return np.stack(
        [np.interp(positions, places, colours[:, c]) for c in range(3)], -1
    )


def paint_scene():
    """Returns uint8 `[HEIGHT, WIDTH, 3]`: houses, hills, a lake, a low sun."""
    generator = np.random.default_rng(1)
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    shore = int(height * 0.62)
    y, x = np.mgrid[0:shore, 0:width]
    sky = gradient(
        [
            (0.0, (58, 104, 168)),
            (0.5, (142, 178, 208)),
            (0.8, (246, 206, 150)),
            (1.0, (250, 170, 110)),
        ],
        y / shore,
    )
    sun_x, sun_y = width * 0.27, shore * 0.47
    distance = np.hypot(x - sun_x, y - sun_y) / width
    sky += 90 * np.exp(-distance / 0.07)[..., None] * (1.0, 0.8, 0.4)
    clouds = np.zeros((shore, width))
    for cells, weight in ((5, 0.5), (11, 0.3), (29, 0.2)):
        noise = smooth_noise(generator, shore * 3, width, cells)
        clouds += weight * noise[::3][:shore]
    cover = np.clip((clouds - 0.5) * 4, 0, 1)[..., None]
    cover = cover * np.clip(1.3 - y / shore * 1.3, 0, 1)[..., None]
    sky = sky * (1 - cover) + cover * (250, 240, 232)
    sky[distance < 0.035] = (255, 244, 206)
    picture = Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for depth, (base, rise, colour) in enumerate(
        [
            (0.74, 0.26, (122, 142, 172)),
            (0.86, 0.24, (86, 120, 118)),
            (0.97, 0.20, (70, 112, 62)),
        ]
    ):
        ridge = smooth_noise(generator, 2, width, 5 + 3 * depth)[0]
        ridge = ridge + 0.08 * smooth_noise(generator, 2, width, 60)[0]
        tops = shore * (base - rise * ridge)
        points = [(i, tops[i]) for i in range(0, width, 2)]
        draw.polygon([*points, (width, shore), (0, shore)], fill=colour)
    for _ in range(260):  # woods on the near hill
        place = generator.uniform(0, width)
        foot = shore * generator.uniform(0.9, 0.985)
        size = width * generator.uniform(0.006, 0.016)
        green = np.add((46, 84, 48), generator.integers(-16, 16, 3))
        _draw_tree(draw, place, foot, size, tuple(int(g) for g in green))
    walls = [(226, 206, 172), (204, 120, 88), (238, 232, 220), (196, 176, 132)]
    roofs = [(150, 58, 42), (96, 66, 62), (172, 82, 48), (112, 44, 44)]
    place, number = width * 0.40, 0
    while place < width * 0.90:
        size = width * generator.uniform(0.05, 0.075)
        tall = size * generator.uniform(0.8, 1.4)
        if number == 3:
            _draw_tower(draw, place, shore, size * 0.62, size * 3.4)
            place += size * 0.62
        else:
            _draw_house(
                draw,
                place,
                shore,
                size,
                tall,
                walls[number % 4],
                roofs[number % 4],
            )
            place += size * 1.04
        number += 1
    for place in (0.345, 0.372, 0.925, 0.955, 0.985):
        _draw_poplar(draw, width * place, shore, width * 0.013, width * 0.13)
    land = np.asarray(picture, float)
    water = _reflect(land, height - shore, generator)
    scene = np.clip(np.vstack([land, water]), 0, 255).astype(np.uint8)
    picture = Image.fromarray(scene)
    _draw_boat(
        ImageDraw.Draw(picture), width * 0.24, height * 0.80, width * 0.1
    )
    small = picture.resize((WIDTH, HEIGHT), Image.LANCZOS)
    grain = generator.normal(0, 3, (HEIGHT, WIDTH, 1))
    return np.clip(np.asarray(small) + grain, 0, 255).astype(np.uint8)


def _draw_tree(draw, x, foot, size, colour):
    for lift, share in ((0.5, 1.0), (1.1, 0.8), (1.6, 0.5)):
        half, middle = size * share, foot - size * lift
        draw.ellipse(
            [x - half, middle - half, x + half, middle + half], fill=colour
        )


def _draw_poplar(draw, x, foot, half, tall):
    draw.rectangle(
        [x - half / 5, foot - tall, x + half / 5, foot], (62, 46, 36)
    )
    box = [x - half, foot - tall, x + half, foot - tall * 0.12]
    draw.ellipse(box, fill=(40, 72, 40))
    draw.ellipse(
        [x - half, foot - tall * 0.97, x + half / 5, foot - tall * 0.2],
        fill=(66, 104, 52),
    )


def _draw_house(draw, x, foot, wide, tall, wall, roof):
    draw.rectangle([x, foot - tall, x + wide, foot], fill=wall)
    shade = tuple(int(0.8 * part) for part in wall)
    draw.rectangle([x + wide * 0.72, foot - tall, x + wide, foot], fill=shade)
    eaves, top = wide * 0.07, foot - tall - wide * 0.5
    draw.rectangle(
        [x + wide * 0.68, top, x + wide * 0.8, foot - tall], fill=(92, 58, 50)
    )
    draw.polygon(
        [
            (x - eaves, foot - tall),
            (x + wide * 0.36, top),
            (x + wide * 0.66, top),
            (x + wide + eaves, foot - tall),
        ],
        fill=roof,
    )
    for row in range(2):
        for column in range(3):
            left = x + wide * (0.12 + 0.29 * column)
            high = foot - tall * (0.88 - 0.42 * row)
            lit = (255, 214, 120) if (row + column) % 2 else (58, 66, 84)
            draw.rectangle(
                [left, high, left + wide * 0.15, high + tall * 0.22], fill=lit
            )


def _draw_tower(draw, x, foot, wide, tall):
    draw.rectangle([x, foot - tall, x + wide, foot], fill=(214, 204, 188))
    shade = [x + wide * 0.62, foot - tall, x + wide, foot]
    draw.rectangle(shade, fill=(166, 156, 146))
    middle = x + wide / 2
    draw.polygon(
        [
            (x - wide * 0.12, foot - tall),
            (middle, foot - tall * 1.5),
            (x + wide * 1.12, foot - tall),
        ],
        fill=(66, 88, 98),
    )
    for share in (0.9, 0.6, 0.3):
        high, half = foot - tall * share, wide * 0.13
        draw.rectangle(
            [middle - half, high, middle + half, high + wide * 0.45],
            fill=(54, 50, 62),
        )


def _draw_boat(draw, x, y, wide):
    draw.polygon(
        [
            (x - wide * 0.5, y),
            (x + wide * 0.5, y),
            (x + wide * 0.36, y + wide * 0.16),
            (x - wide * 0.38, y + wide * 0.16),
        ],
        fill=(92, 48, 36),
    )
    draw.polygon(
        [
            (x, y - wide * 0.85),
            (x, y - wide * 0.04),
            (x + wide * 0.42, y - wide * 0.04),
        ],
        fill=(244, 238, 224),
    )
    draw.polygon(
        [
            (x - wide * 0.04, y - wide * 0.75),
            (x - wide * 0.04, y - wide * 0.04),
            (x - wide * 0.34, y - wide * 0.04),
        ],
        fill=(206, 84, 56),
    )
    draw.polygon(
        [
            (x - wide * 0.3, y + wide * 0.17),
            (x + wide * 0.3, y + wide * 0.17),
            (x + wide * 0.1, y + wide * 0.5),
        ],
        fill=(188, 176, 170),
    )


def _reflect(land, tall, generator):
    """Returns the lake: the land upside down, rippled, darker, bluer."""
    shore, width = land.shape[:2]
    y, x = np.mgrid[0:tall, 0:width]
    depth = y / tall
    source = shore - 1 - y * 1.5
    phase = 40 * np.log1p(4 * depth) * np.pi
    wobble = smooth_noise(generator, tall, width, 24) * 6
    source = source + np.sin(phase + wobble) * (3 + 26 * depth)
    across = x + np.sin(phase * 0.7 + wobble * 2) * (1 + 12 * depth)
    rows = np.clip(source, 0, shore - 1).astype(int)
    columns = np.clip(across, 0, width - 1).astype(int)
    water = land[rows, columns] * (0.82, 0.86, 0.92) + (0, 4, 12)
    glint = np.clip(np.sin(phase * 1.3 + wobble * 3) - 0.72, 0, 1) * 170
    beam = np.exp(-(((x / width - 0.27) / 0.05) ** 2))
    water += (glint * beam)[..., None] * (1.0, 0.85, 0.5)
    return water


def paint_strokes():
    """Returns uint8 `[HEIGHT, WIDTH, 3]`: brush strokes along a swirl."""
    generator = np.random.default_rng(2)
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    stream = _make_stream(generator, width, height)
    down, right = np.gradient(stream)
    length = np.hypot(down, right) + 1e-9
    flow_x, flow_y = down / length, -right / length
    level = np.argsort(np.argsort(stream, axis=None)).reshape(stream.shape)
    level = level / stream.size * (len(PALETTE) - 1) * 1.6
    level = np.abs((level + (len(PALETTE) - 1)) % (2 * (len(PALETTE) - 1)))
    level = np.minimum(level, 2 * (len(PALETTE) - 1) - level)
    canvas = Image.new("RGB", (width, height), (30, 44, 90))
    draw = ImageDraw.Draw(canvas)
    for count, wide, steps in ((1500, 46, 16), (3200, 26, 16), (3600, 15, 13)):
        for _ in range(count):
            x = generator.uniform(-wide, width + wide)
            y = generator.uniform(-wide, height + wide)
            path = _follow(flow_x, flow_y, x, y, steps, wide * 0.5)
            row, column = np.clip((y, x), 0, (height - 1, width - 1))
            tone = level[int(row), int(column)] + generator.normal(0, 0.35)
            colour = gradient(list(enumerate(PALETTE)), tone)
            _draw_stroke(draw, generator, path, wide, colour)
    picture = canvas.filter(ImageFilter.GaussianBlur(0.8))
    small = np.asarray(picture.resize((WIDTH, HEIGHT), Image.LANCZOS), float)
    light = small.mean(-1)
    relief = np.roll(light, 1, (0, 1)) - np.roll(light, -1, (0, 1))
    return np.clip(small - 0.22 * relief[..., None], 0, 255).astype(np.uint8)


def _make_stream(generator, width, height):
    """Returns a stream function whose level lines are what strokes follow."""
    y, x = np.mgrid[0:height, 0:width] / width
    stream = 0.25 * y + 0.10 * smooth_noise(generator, height, width, 5)
    for place_x, place_y, size, strength in (
        (0.24, 0.26, 0.15, 0.30),
        (0.68, 0.22, 0.11, -0.22),
        (0.56, 0.54, 0.17, 0.34),
        (0.90, 0.56, 0.10, -0.20),
        (0.12, 0.62, 0.10, -0.22),
    ):
        distance = np.hypot(x - place_x, y - place_y)
        stream += strength * np.exp(-((distance / size) ** 2))
    return stream


def _follow(flow_x, flow_y, x, y, steps, stride):
    """Returns the points of a path along the flow."""
    last_row, last_column = np.subtract(flow_x.shape, 1)
    points = []
    for _ in range(steps):
        points.append((x, y))
        row, column = int(y), int(x)  # beyond the edge as at the edge
        row = min(max(row, 0), last_row)
        column = min(max(column, 0), last_column)
        x += flow_x[row, column] * stride
        y += flow_y[row, column] * stride
    return points


def _draw_stroke(draw, generator, path, wide, colour):
    """Draws a stroke as bristles side by side, each a shade of its own."""
    points = np.array(path)
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    taper = np.sin(np.linspace(0.35, np.pi - 0.1, len(points)))[:, None]
    bristles = max(4, wide // 4)
    for offset in np.linspace(-0.5, 0.5, bristles):
        shade = colour + generator.normal(0, 13) + 26 * offset
        fill = tuple(int(v) for v in np.clip(shade, 0, 255))
        line = points + across * taper * offset * wide
        thick = int(wide / bristles) + 2
        draw.line([tuple(p) for p in line], fill=fill, width=thick)


def paint_mosaic():
    """Returns uint8 `[HEIGHT, WIDTH, 3]`: stones in mortar, in bands."""
    generator = np.random.default_rng(3)
    width, height, pitch = WIDTH * SCALE, HEIGHT * SCALE, 34
    rows, columns = height // pitch + 4, width // pitch + 4
    # A stone in every square of a grid; the nearest in 3x3 squares is nearest.
    middles = np.mgrid[0:rows, 0:columns] - 1.5
    middles += generator.uniform(-0.32, 0.32, middles.shape)
    middle_y, middle_x = middles * pitch
    bands = _make_stream(generator, width, height) * 16
    bands += 0.8 * smooth_noise(generator, height, width, 9)
    at = (
        np.clip(middle_y, 0, height - 1).astype(int),
        np.clip(middle_x, 0, width - 1).astype(int),
    )
    colours = STONES[bands[at].astype(int) % len(STONES)]
    colours = colours + generator.normal(0, 16, (rows, columns, 1))
    colours += generator.normal(0, 6, (rows, columns, 3))
    y, x = np.mgrid[0:height, 0:width]
    nearest = np.full((height, width), np.inf)
    second, stone = nearest.copy(), np.zeros((height, width), int)
    for down in (1, 2, 3):
        for right in (1, 2, 3):
            row, column = y // pitch + down, x // pitch + right
            distance = np.hypot(
                y - middle_y[row, column], x - middle_x[row, column]
            )
            is_nearer = distance < nearest
            second = np.where(is_nearer, nearest, np.minimum(second, distance))
            stone = np.where(is_nearer, row * columns + column, stone)
            nearest = np.minimum(nearest, distance)
    edge = np.clip((second - nearest) / 9, 0, 1)[..., None]
    picture = colours.reshape(-1, 3)[stone] * (0.86 + 0.14 * edge)
    picture = np.where(edge < 0.45, (62, 54, 50), picture)
    picture += generator.normal(0, 4, (height, width, 1))
    picture = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return np.asarray(picture.resize((WIDTH, HEIGHT), Image.LANCZOS))


def main():
    """Paints all and writes them into the package."""
    for name, paint in (
        ("scene", paint_scene),
        ("strokes", paint_strokes),
        ("mosaic", paint_mosaic),
    ):
        path = SAMPLES / f"{name}.jpg"
        Image.fromarray(paint()).save(path, quality=90, subsampling=0)
        print(f"{path}: {path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
