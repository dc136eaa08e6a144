"""Measures how fast the program is and what bounds it, in one invocation.

    python tools/benchmark.py
    python tools/benchmark.py --json --against=pastiche > benchmark.json
    python tools/benchmark.py --against=pastiche,style-transfer-pytorch
    python tools/benchmark.py --winograd_table

It prints tables of all that is measured and at last docs/scaling.md's;
with --json one object with the same tables. Other programs, `peers`, are in
benchmark_peers.py.

Machines are noisy: what is compared is measured by turns, and medians are
reported. `others_cores` tells how many cores other work used meanwhile; it must
be near 0, as it slows some programs more than others. First, while this process
is small, come children, whose peak memory is at least what it has then:

- processes that evaluate the objective once to warm up and three times more,
  ours with each convolution; with --against, each peer on the same pixels,
  layers, pooling and number of threads, but with the peer's own losses.
  `ratio` is to the first program's time.
- with --against, whole runs: the seconds from a process's start to its end,
  when the picture is there, ours with all defaults, each peer with its own.
  Only the size is given, the long edge of the picture. With the default flags
  and two peers this takes over an hour on 2 cores; --picture_pairs=0 leaves it
  out.

Then rounds in this process, after one to warm up, measure each of these once:

- float32 matrix products of 2048 and 4096 cubed. The better rate bounds what
  follows in the round.
- an evaluation with each convolution and pooling: the objective's value and
  gradient, five style layers and one content layer. Its FLOP are those of
  direct convolutions and Gram products; its share of the bound is FLOP / rate /
  time, which may pass 1 for Winograd's algorithm, as that multiplies less.
- a step of L-BFGS with a full ring of correction pairs: the optimiser's own
  time and that of one evaluation. The own time is taken from a step on a
  quadratic of as many numbers, from which that quadratic's time is subtracted.
  The ring is larger than the caches, so what runs in between matters little.

Then the convolutions of the layers, each directly and by Winograd's algorithm,
with their gradient by the input.

With --winograd_table only the rectified convolutions of VGG19 are timed, with
their gradient by the input and in both ways, in frames of square pictures of
64 px to the largest of --image_sizes; FEWEST_POSITIONS is made from that.
"""

import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import tempfile
import time

import numpy as np
import platformdirs
from absl import flags
from benchmark_peers import BOUND
from benchmark_peers import OURS
from benchmark_peers import PEERS
from benchmark_peers import OtherWork
from benchmark_peers import check_names
from benchmark_peers import format_markdown
from benchmark_peers import install
from benchmark_peers import measure_by_turns
from benchmark_peers import median
from benchmark_peers import run_evaluations
from benchmark_peers import run_picture
from benchmark_peers import say
from flop import count_flop
from running import run

import tfstyle
from tfstyle.config.config import PRECISIONS
from tfstyle.config.config import Config
from tfstyle.image_files import reading as image_files
from tfstyle.image_files.writing import write_image
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import resize
from tfstyle.network import layers as vgg19_layers
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.system import processors
from tfstyle.system import tensorflow_setup
from tfstyle.system.machine import Machine

# Functions load TensorFlow and what needs it: child processes come before.

_SAMPLES = pathlib.Path(__file__).parents[1] / "tfstyle" / "samples"
_CONTENT = flags.DEFINE_string("content", f"{_SAMPLES}/scene.jpg", "image")
_STYLE = flags.DEFINE_string("style", f"{_SAMPLES}/strokes.jpg", "image")
_SIZES = flags.DEFINE_list("image_sizes", "256,512,1024", "edges in pixels")
_CONVOLUTIONS = flags.DEFINE_list("convolutions", "direct,winograd", "each")
_POOLINGS = flags.DEFINE_list("poolings", "rms", "each, such as rms,average")
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", PRECISIONS, "of the networks that are measured"
)
_REPEATS = flags.DEFINE_integer("repeats", 7, "rounds after the first", 1)
_LBFGS_SIZE = flags.DEFINE_integer("lbfgs_size", 512, "edge in pixels")
_NUM_CORRECTION_PAIRS = flags.DEFINE_integer(
    "num_correction_pairs", 20, "memory of L-BFGS", 1
)
_AGAINST = flags.DEFINE_list("against", [], f"other programs: {[*PEERS]}")
_AGAINST_SIZE = flags.DEFINE_integer(
    "against_size", 512, "edge in pixels in child processes that evaluate"
)
_PAIRS = flags.DEFINE_integer(
    "pairs", 7, "processes of each program that evaluate", 1
)
_PICTURE_SIZE = flags.DEFINE_integer(
    "picture_size", 256, "long edge in pixels of whole pictures", 16
)
_PICTURE_PAIRS = flags.DEFINE_integer(
    "picture_pairs", 2, "whole pictures by each program", 0
)
_JSON = flags.DEFINE_bool("json", False, "print a JSON object, not tables")
_WINOGRAD_TABLE = flags.DEFINE_bool(
    "winograd_table", False, "measure only where Winograd's algorithm is faster"
)
_CHILD = flags.DEFINE_string("child", None, "how the tool calls itself")

MATRIX_SIDES = (2048, 4096)
CHILD_EVALUATIONS = 3
WORTHWHILE = 1.05
"""Channels for which Winograd's algorithm is never so much faster are left."""


def main() -> None:
    """Measures what is asked for and prints it."""
    result = _evaluate_as_child() if _CHILD.value else _measure()
    if _JSON.value or _CHILD.value:
        print(json.dumps(result))
        return
    for title, rows in result.items():
        _print_table(title.replace("_", " "), rows)
    if _WINOGRAD_TABLE.value:
        _print_fewest_positions(result["winograd"])
    else:
        print(f"\n{format_markdown(result)}")


def _measure() -> dict[str, list[dict]]:
    """Returns the rows of every table by title."""
    for convolution in _CONVOLUTIONS.value:
        # Raises what is wrong with it.
        Config(convolution=convolution, precision=_PRECISION.value)
    for pooling in _POOLINGS.value:
        Config(pooling=pooling)
    peers = check_names(_AGAINST.value)
    others, result = OtherWork(), {}
    if not _WINOGRAD_TABLE.value:
        result |= _measure_children(peers)
    machine = {"cpu": _cpu_model(), "device": _start_tensorflow()}
    machine |= _describe_software()
    if _WINOGRAD_TABLE.value:
        result["winograd"] = _measure_winograd()
    else:
        result |= _measure_rounds()
        result["layers"] = _measure_layers(_AGAINST_SIZE.value)
    machine["others_cores"] = others.cores()
    return {"machine": [machine]} | result


def _start_tensorflow() -> str:
    tensorflow_setup.start_tensorflow()
    tensorflow_setup.apply_settings()
    return tensorflow_setup.use_devices()


def _describe_software() -> dict:
    """Returns versions, and which convolution runs by default."""
    from tfstyle.training.plan import choose_network

    return {
        "num_cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "tfstyle": tfstyle.__version__,
        "tensorflow": importlib.metadata.version("tensorflow"),
        "default_convolution": choose_network(
            Config(), Machine.find()
        ).convolution,
    }


def _cpu_model() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line for line in file if line.startswith("model name")]
    return names[0].split(":", 1)[1].strip() if names else "unknown"


def _time(call) -> float:
    """Returns the seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _read_square(path: str, side: int) -> np.ndarray:
    """Reads uint8 `[side, side, 3]`, RGB."""
    return resize(image_files.read_image(path).pixels, side, side)


def _measure_children(peers: list[str]) -> dict[str, list[dict]]:
    """Runs processes, ours and the peers': evaluations, then whole pictures."""
    pythons, result = {}, {}
    for name in peers:
        pythons[name], row = install(name, platformdirs.user_cache_dir())
        result.setdefault("peers", []).append(row)
    with tempfile.TemporaryDirectory() as folder:
        result |= _measure_processes(pythons, folder)
    if peers and _PICTURE_PAIRS.value:
        result |= _measure_pictures(pythons)
    return result


def _measure_processes(
    pythons: dict[str, list[str]], folder: str
) -> dict[str, list[dict]]:
    """Measures evaluations of square pictures in processes of their own.

    Args:
        pythons: commands that run Python, by the peer that is installed there.
        folder: an empty one, for the images.
    """
    side = _AGAINST_SIZE.value
    paths = [f"{folder}/content.png", f"{folder}/style.png"]
    for path, flag in zip(paths, (_CONTENT, _STYLE), strict=True):
        write_image(path, _read_square(flag.value, side))
    ours = [sys.executable, os.path.abspath(__file__), f"--against_size={side}"]
    ours += [f"--content={paths[0]}", f"--style={paths[1]}"]
    ours += [f"--precision={_PRECISION.value}"]
    commands = {
        name: [*ours, f"--child={name}"] for name in _CONVOLUTIONS.value
    }
    numbers = (side, len(os.sched_getaffinity(0)), 1 + CHILD_EVALUATIONS)
    for name, python in pythons.items():
        script = [*python, "-c", PEERS[name].evaluation]
        commands[name] = [*script, *paths, *map(str, numbers)]
    calls = {
        name: functools.partial(run_evaluations, command)
        for name, command in commands.items()
    }
    rounds, medians = measure_by_turns(calls, _PAIRS.value)
    size = {"image_size": side}
    return {
        "process_rounds": [size | row for row in rounds],
        "processes": [size | row for row in medians],
    }


def _measure_pictures(pythons: dict[str, list[str]]) -> dict[str, list[dict]]:
    """Measures whole runs with every program's defaults."""
    content, style = map(os.path.abspath, (_CONTENT.value, _STYLE.value))
    size = {"image_size": _PICTURE_SIZE.value}

    def make_our_command(folder):
        return [
            *(sys.executable, "-m", "tfstyle.main"),
            *(f"--content_image={content}", f"--style_images={style}"),
            *(f"--workdir={folder}", f"--image_size={_PICTURE_SIZE.value}"),
        ]

    def make_command(name, folder):
        values = {"content": content, "style": style}
        values |= {"output": f"{folder}/output.png"}
        values |= {"size": _PICTURE_SIZE.value}
        line = [text.format_map(values) for text in PEERS[name].picture]
        return [*pythons[name], "-m", *line]

    makers = {OURS: make_our_command}
    makers |= {name: functools.partial(make_command, name) for name in pythons}
    calls = {
        name: functools.partial(
            run_picture, maker, is_started_there=name != OURS
        )
        for name, maker in makers.items()
    }
    rounds, medians = measure_by_turns(calls, _PICTURE_PAIRS.value)
    return {
        "picture_rounds": [size | row for row in rounds],
        "pictures": [size | row for row in medians],
    }


def _evaluate_as_child() -> list[float]:
    """Returns the seconds of every evaluation, the first included."""
    _start_tensorflow()
    sides = [_AGAINST_SIZE.value]
    evaluations = _make_evaluations(_CHILD.value, "average", sides)
    (evaluate,) = evaluations.values()
    return [_time(evaluate) for _ in range(1 + CHILD_EVALUATIONS)]


def _measure_rounds() -> dict[str, list[dict]]:
    """Measures everything once a round."""
    sizes = sorted({*map(int, _SIZES.value), _LBFGS_SIZE.value})
    products = {side: _make_product(side) for side in MATRIX_SIDES}
    step, evaluations = _make_lbfgs_step(_LBFGS_SIZE.value), {}
    for convolution in _CONVOLUTIONS.value:
        for pooling in _POOLINGS.value:
            evaluations |= _make_evaluations(convolution, pooling, sizes)
    rounds = []
    for number in range(_REPEATS.value + 1):
        say(f"round {number}/{_REPEATS.value}")
        rounds.append(_measure_round(products, step, evaluations))
    tables = {}
    for title in rounds[0]:
        rows = zip(*(each[title] for each in rounds[1:]), strict=True)
        tables[title] = [median(row) for row in rows]
    return tables


def _measure_round(products, step, evaluations) -> dict[str, list[dict]]:
    """Measures each once.

    Args:
        products: calls that multiply matrices, by the matrices' side.
        step: returns the optimiser's own seconds.
        evaluations: calls that evaluate, by size, convolution and pooling.
    """
    tables = {"matrix_products": [], "evaluations": [], "lbfgs_steps": []}
    for side, multiply in products.items():
        row = {"side": side, "gflop": 2 * side**3 / 1e9}
        row["gflop_per_second"] = row["gflop"] / _time(multiply)
        tables["matrix_products"].append(row)
    rate = max(row["gflop_per_second"] for row in tables["matrix_products"])
    own = step()
    for (size, convolution, pooling), evaluate in sorted(evaluations.items()):
        setting = {"image_size": size, "convolution": convolution}
        setting |= {"pooling": pooling}
        row = setting | {"gflop": count_flop(size, Config()) / 1e9}
        row["seconds"] = seconds = _time(evaluate)
        row[BOUND] = row["gflop"] / rate / seconds
        tables["evaluations"].append(row)
        if size == _LBFGS_SIZE.value:
            row = setting | {
                "num_correction_pairs": _NUM_CORRECTION_PAIRS.value
            }
            row |= {"seconds": own + seconds, "own_seconds": own}
            row["own_share"] = own / row["seconds"]
            tables["lbfgs_steps"].append(row)
    return tables


def _make_product(side: int):
    """Makes a call that multiplies two square matrices."""
    import tensorflow as tf

    a, b = tf.random.normal([2, side, side])
    return lambda: float(tf.matmul(a, b)[0, 0])


def _make_evaluations(convolution: str, pooling: str, sides: list[int]) -> dict:
    """Makes calls that evaluate, by size, convolution and pooling."""
    import tensorflow as tf

    from tfstyle.objective.evaluators import WholeFrameEvaluator
    from tfstyle.objective.objective import make_value_and_gradient
    from tfstyle.objective.options import ObjectiveOptions
    from tfstyle.objective.targets import Style
    from tfstyle.objective.targets import compute_targets
    from tfstyle.training.extractor import make_extractor

    config = Config(
        convolution=convolution,
        pooling=pooling,
        precision=_PRECISION.value,
        jit_compile="false",
    ).resolved()
    extractor = make_extractor(config)

    def make(side):
        content, style = (
            tf.constant(preprocess(_read_square(flag.value, side)))
            for flag in (_CONTENT, _STYLE)
        )
        targets = compute_targets(
            WholeFrameEvaluator(extractor), content, [Style(style)], config
        )
        options = ObjectiveOptions.of(config)
        evaluate = make_value_and_gradient(extractor, targets, options)
        image = tf.random.normal([1, side, side, 3], stddev=20.0)
        return lambda: float(evaluate(image)[0].total)

    return {(side, convolution, pooling): make(side) for side in sides}


def _make_lbfgs_step(side: int):
    """Makes a function that returns the optimiser's own seconds of a step.

    It makes steps until one takes a single evaluation.
    """
    import tensorflow as tf

    from tfstyle.objective.terms import LossTerms
    from tfstyle.training.optimizers.lbfgs import LBFGS

    # With so many curvatures it is far from done after a hundred steps.
    shape = (1, side, side, 3)
    curvatures = np.geomspace(1, 1e4, 3 * side**2, dtype=np.float32)
    curvatures = tf.constant(curvatures.reshape(shape))
    evaluation_seconds = []

    @tf.function
    def evaluate(image):
        gradient = curvatures * image
        value = tf.reduce_sum(gradient * image) / 2
        return LossTerms(value, {}, {}), gradient

    def value_and_gradient(image):
        start = time.perf_counter()
        result = evaluate(image)
        evaluation_seconds.append(time.perf_counter() - start)
        return result

    image = tf.Variable(tf.random.normal(shape, stddev=20.0))
    optimizer = LBFGS(image, value_and_gradient, _NUM_CORRECTION_PAIRS.value)
    optimizer.start()
    for _ in range(_NUM_CORRECTION_PAIRS.value):
        optimizer.update_step()

    def measure():
        while not optimizer.is_converged:
            evaluation_seconds.clear()
            seconds = _time(optimizer.update_step)
            if len(evaluation_seconds) == 1:
                return seconds - evaluation_seconds[0]
        sys.exit("error: L-BFGS has converged. Ask for fewer repeats.")

    return measure


def _measure_layers(picture: int) -> list[dict]:
    """Times the convolutions of the default layers in a square picture.

    All but the first, which is always direct.
    """
    from tfstyle.network import winograd

    deepest = vgg19_layers.deepest(Config().style_layers)
    last = CONVOLUTIONS.index(deepest)
    measured, rows = {}, []
    for layer in CONVOLUTIONS[1 : last + 1]:
        frame = layer.channels_in, layer.channels, picture // layer.stride
        if frame not in measured:
            measured[frame] = _measure_convolution(*frame)
        channels, filters, side = frame
        is_winograd = winograd.is_faster(
            (1, side, side, channels), filters, winograd.FEWEST_POSITIONS
        )
        row = {"layer": layer.alias} | measured[frame]
        row["auto"] = "winograd" if is_winograd else "direct"
        row["features_mb"] = 4e-6 * filters * side**2
        rows.append(row)
    return rows


def _measure_winograd() -> list[dict]:
    """Times a convolution both ways, for every pair of channels and frame."""
    largest = max(map(int, _SIZES.value))
    pictures = [64 << n for n in range(8) if 64 << n <= largest]
    frames = {
        (layer.channels_in, layer.channels, picture // layer.stride)
        for layer in CONVOLUTIONS[1:]
        for picture in pictures
    }
    return [_measure_convolution(*frame) for frame in sorted(frames)]


def _measure_convolution(channels: int, filters: int, side: int) -> dict:
    """Times a rectified convolution and its gradient, both ways by turns."""
    say(f"{channels} to {filters} channels, {side}x{side}")
    direct, winograd = _make_convolutions(channels, filters, side)
    repeats = []
    for _ in range(_REPEATS.value):
        row = {"channels": channels, "filters": filters, "side": side}
        row["direct_seconds"] = _time(direct)
        row["winograd_seconds"] = _time(winograd)
        row["gain"] = row["direct_seconds"] / row["winograd_seconds"]
        repeats.append(row)
    return median(repeats)


def _make_convolutions(channels: int, filters: int, side: int) -> list:
    """Makes calls that convolve and go back, directly and by Winograd."""
    import tensorflow as tf

    from tfstyle.network import direct
    from tfstyle.network import winograd

    kernel = tf.random.normal([3, 3, channels, filters], stddev=0.05)
    turned_kernel = direct.turn_kernel(kernel)
    transformed_kernel = winograd.transform_kernel(kernel)
    bias = tf.zeros([filters])
    image = tf.random.normal([1, side, side, channels])
    upstream = tf.random.normal([1, side, side, filters])

    def directly(image):
        if processors.is_gradient_faster():
            return direct.convolve(image, kernel, turned_kernel, bias)
        outputs = tf.nn.conv2d(image, kernel, 1, "SAME")
        return tf.nn.relu(tf.nn.bias_add(outputs, bias))

    def by_winograd(image):
        return winograd.convolve(image, transformed_kernel, bias)

    def go_both_ways(convolve, image, upstream):
        with tf.GradientTape() as tape:
            tape.watch(image)
            outputs = convolve(image)
        return outputs, tape.gradient(outputs, image, upstream)

    calls = []
    for convolve in (directly, by_winograd):
        run = tf.function(functools.partial(go_both_ways, convolve))
        run(image, upstream)  # to warm up
        calls.append(functools.partial(run, image, upstream))
    return calls


def _print_fewest_positions(rows: list[dict]) -> None:
    """Prints the positions from which on Winograd's algorithm is faster."""
    gains = {}
    for row in rows:  # small frames first
        pair, positions = (row["channels"], row["filters"]), row["side"] ** 2
        wins = gains.setdefault(pair, {})
        wins[positions] = row["gain"]
        if row["gain"] <= 1:
            wins.clear()
    print("\nFEWEST_POSITIONS = {")
    for pair, wins in gains.items():
        if max(wins.values(), default=0) >= WORTHWHILE:
            print(f"    {pair}: {min(wins)},")
    print("}")


def _print_table(title: str, rows: list[dict]) -> None:
    """Prints rows of the same names, in columns."""
    names = list(rows[0])
    texts = [[name.replace("_", " ") for name in names]]
    for row in rows:
        values = [row[name] for name in names]
        texts.append(
            [f"{v:.4g}" if isinstance(v, float) else str(v) for v in values]
        )
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    print(f"\n{title}")
    for cells in texts:
        pairs = zip(cells, widths, strict=True)
        print("  ".join(text.rjust(width) for text, width in pairs))


if __name__ == "__main__":
    run(main)
