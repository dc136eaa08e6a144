"""Checks the program on a GPU, beside the CPU: one command, some minutes.

    python tools/check_gpu.py
    python tools/check_gpu.py --json > check_gpu.json

It needs the package, its weights and a GPU that TensorFlow sees. A line a check
says what was found, what is allowed and `passed` or `FAILED`; at last it says
how many failed, and the status is 1 if any did. Without a GPU it says what it
left out.
--device=CPU puts the CPU in the GPU's place, to try the tool itself.

- evaluations: value and gradient of the objective against the CPU's, in every
  precision, with and without XLA, and in tiles; their seconds, compilation
  apart; their share of the bound, the rate of float32 matrix products of that
  card; the memory at their peak against the estimate.
- pictures by either optimiser: their loss beside the CPU's, and the seconds to
  the first step.
- --deterministic: the same bytes twice, and from a run that was gone on with.
- replicas: two of one GPU, or all GPUs, against the whole frame.
- out of memory, on purpose: one line that names flags.
- the exported extractor, served by the GPU, against the CPU's features.

No GPU was at hand when the limits were set: they are what the formats' rounding
lets expect, not what was measured.
"""

import dataclasses
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator

import numpy as np
from absl import flags
from flop import count_flop
from running import run

from tfstyle.config.config import Config
from tfstyle.errors import one_line
from tfstyle.image_files import reading as image_files
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import resize

# Functions load TensorFlow: this process leaves the GPU to its children.

_SAMPLES = pathlib.Path(__file__).parents[1] / "tfstyle" / "samples"
_SIZES = flags.DEFINE_list("image_sizes", "512,1024", "edges in pixels")
_WEIGHTS = flags.DEFINE_string("weights", "auto", "as the program takes them")
_STEPS = flags.DEFINE_integer("num_steps", 50, "of the pictures", 2)
_DEVICE = flags.DEFINE_enum(
    "device", "GPU", ["GPU", "CPU"], "which is checked; CPU tries the tool"
)
_JSON = flags.DEFINE_bool("json", False, "print a JSON object, not a table")
_CHILD = flags.DEFINE_string("child", None, "how the tool calls itself")
_FOLDER = flags.DEFINE_string("folder", None, "likewise")

PICTURE_SIZE = 256  # pixels
TILE_SIZE = 128  # pixels
REPEATS = 5
PRODUCT_SIDE = 8192
HUGE = 30000  # pixels; no card holds its activations
SAME_FEATURES = 1e-3  # relative, L2: the limit of the export, and of replicas
SAME_LOSS = 0.01  # relative, of a picture's last total
MEMORY = 0.3  # relative, of the estimate


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to evaluate, and how far it may be from the CPU in float32.

    Attributes:
        name: as it is printed.
        fields: of the config.
        value: relative.
        gradient: relative, L2.
    """

    name: str
    fields: dict
    value: float
    gradient: float


VARIANTS = [
    Variant(
        name + (", XLA" if xla == "true" else ""),
        fields | {"jit_compile": xla},
        value,
        gradient,
    )
    for name, fields, value, gradient in (
        ("float32", {"tf32": False}, 1e-4, 5e-3),
        ("float32, TF32", {"tf32": True}, 1e-2, 5e-2),
        ("mixed_bfloat16", {"precision": "mixed_bfloat16"}, 5e-2, 0.2),
        ("mixed_float16", {"precision": "mixed_float16"}, 1e-2, 5e-2),
    )
    for xla in ("false", "true")
]
TILED = Variant(
    "float32, tiles", {"tf32": False, "tile_size": TILE_SIZE}, 1e-4, 5e-3
)


def main() -> int | None:
    """Runs every check, prints what it found and returns how many failed."""
    if _CHILD.value:
        print(json.dumps(CHILDREN[_CHILD.value]()))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        machine = _run_child("describe", folder, _DEVICE.value)
        rows = list(_check_all(machine, folder))
    failed = sum(row["verdict"] == "FAILED" for row in rows)
    if _JSON.value:
        print(json.dumps({"machine": machine, "checks": rows}, indent=1))
    else:
        for name, value in machine.items():
            print(f"{name}: {value}")
        print(f"{failed} of {len(rows)} checks failed")
    return min(failed, 1)


def _check_all(machine: dict, folder: str) -> Iterator[dict]:
    """Yields a row a check, and tells it on stderr as it comes."""
    is_there = _DEVICE.value == "CPU" or machine["devices"]
    for name, check in CHECKS.items():
        if is_there:
            try:
                rows = check(folder)
            except CheckError as error:
                rows = [_row(name, str(error), None, is_right=False)]
        else:
            rows = [_left_out(name, "TensorFlow sees no GPU")]
        for row in rows:
            parts = [f"{row['check']}: {row['found']}"]
            if row["limit"] is not None:
                parts.append(f"at most {row['limit']}")
            print(", ".join([*parts, row["verdict"]]), file=sys.stderr)
            yield row


class CheckError(Exception):
    """A process of a check failed, and how."""


def _row(
    check: str, found, limit=None, *, is_right: bool | None = None
) -> dict:
    """Returns a row: what was found, and the verdict.

    Args:
        check: its name.
        found: a number or a text.
        limit: what a number may be at most; None: it is only told.
        is_right: the verdict, where it is not found by the limit.
    """
    if isinstance(found, float):
        found = float(f"{found:.3g}")
    if is_right is None and limit is not None:
        is_right = found <= limit
    verdict = {True: "passed", False: "FAILED", None: "measured"}[is_right]
    return {"check": check, "found": found, "limit": limit, "verdict": verdict}


def _left_out(check: str, reason: str) -> dict:
    return {
        "check": check,
        "found": reason,
        "limit": None,
        "verdict": "left out",
    }


def _environment(device: str) -> dict[str, str]:
    """Returns variables for a process on a device."""
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if device == "CPU" else {}
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | hidden


def _run_child(name: str, folder: str, device: str):
    """Runs a function of CHILDREN in a process of its own.

    Raises:
        CheckError: if it fails.
    """
    command = [sys.executable, os.path.abspath(__file__), f"--child={name}"]
    command += [f"--{x}={flags.FLAGS[x].value}" for x in ("weights", "device")]
    command += [f"--folder={folder}", f"--image_sizes={','.join(_SIZES.value)}"]
    done = subprocess.run(
        command, env=_environment(device), capture_output=True, text=True
    )
    if done.returncode:
        raise CheckError(_last_line(done.stderr))
    return json.loads(done.stdout.splitlines()[-1])


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it ended without a word"])[-1]


def _paint(workdir: str, device: str, *arguments: str) -> str:
    """Paints a picture and returns what the program said.

    Raises:
        CheckError: if it fails.
    """
    return _run_program(
        device,
        *(f"--workdir={workdir}", f"--content_image={_SAMPLES}/scene.jpg"),
        *(f"--style_images={_SAMPLES}/strokes.jpg", "--log_every_steps=1"),
        *(f"--image_size={PICTURE_SIZE}", f"--num_steps={_STEPS.value}"),
        *("--num_levels=1", *arguments),
    )


def _run_program(device: str, *arguments: str) -> str:
    """Runs the program on a device and returns what it said.

    Raises:
        CheckError: if it fails.
    """
    command = [sys.executable, "-m", "tfstyle.main"]
    command += [f"--weights={_WEIGHTS.value}", *arguments]
    done = subprocess.run(
        command, env=_environment(device), capture_output=True, text=True
    )
    if done.returncode:
        raise CheckError(_last_line(done.stderr))
    return done.stderr


# Checks, by name.


def _check_evaluations(folder: str) -> list[dict]:
    _run_child("save_reference", folder, "CPU")
    return _run_child("evaluate", folder, _DEVICE.value)


def _check_pictures(folder: str) -> list[dict]:
    rows = []
    for optimizer in ("lbfgs", "adam"):
        losses = {}
        for device in dict.fromkeys(("CPU", _DEVICE.value)):
            workdir = f"{folder}/{optimizer}-{device}"
            start = time.time()
            said = _paint(workdir, device, f"--optimizer={optimizer}")
            losses[device] = float(re.search(r"loss ([\d.e+-]+)\n", said)[1])
        difference = abs(losses[_DEVICE.value] / losses["CPU"] - 1)
        rows.append(
            _row(f"loss of a picture by {optimizer}", difference, SAME_LOSS)
        )
        lines = pathlib.Path(workdir, "metrics.jsonl").read_text()
        steps = [json.loads(line) for line in lines.splitlines()]
        seconds = pathlib.Path(workdir, "output.png").stat().st_mtime - start
        seconds -= steps[-1]["seconds"] - steps[1]["seconds"]
        rows.append(_row(f"seconds but for later steps, {optimizer}", seconds))
        each = (steps[-1]["seconds"] - steps[1]["seconds"]) / (len(steps) - 2)
        rows.append(_row(f"seconds a step, {optimizer}", each))
    return rows


def _check_determinism(folder: str) -> list[dict]:
    def paint(name, *arguments):
        workdir = f"{folder}/{name}"
        _paint(workdir, _DEVICE.value, "--deterministic", *arguments)
        return pathlib.Path(workdir, "output.png").read_bytes()

    first = paint("first")
    paint("gone-on", f"--num_steps={_STEPS.value // 2}")
    rows = []
    for check, name in (("a second", "second"), ("a resumed", "gone-on")):
        is_same = paint(name) == first
        found = "the same bytes" if is_same else "other bytes"
        rows.append(_row(f"{check} run", found, is_right=is_same))
    return rows


def _check_replicas(folder: str) -> list[dict]:
    return _run_child("compare_replicas", folder, _DEVICE.value)


def _check_out_of_memory(folder: str) -> list[dict]:
    name = "out of memory"
    if _DEVICE.value == "CPU":
        return [_left_out(name, "it would be the machine's")]
    try:
        _paint(
            *(f"{folder}/huge", _DEVICE.value, f"--image_size={HUGE}"),
            *("--tile_size=0", "--optimizer=adam", "--max_image_pixels=2e9"),
        )
    except CheckError as error:
        said = str(error)
        is_right = said.startswith("error: ") and "Give --" in said
        return [_row(name, said, is_right=is_right)]
    return [_row(name, "it had enough", is_right=False)]


def _check_export(folder: str) -> list[dict]:
    _run_program("CPU", f"--export_dir={folder}/export")
    _run_child("save_features", folder, "CPU")
    return _run_child("serve", folder, _DEVICE.value)


CHECKS: dict[str, Callable[[str], list[dict]]] = {
    "evaluations": _check_evaluations,
    "pictures": _check_pictures,
    "determinism": _check_determinism,
    "replicas": _check_replicas,
    "out of memory": _check_out_of_memory,
    "export": _check_export,
}


# What runs in processes of their own.


def _describe() -> dict:
    import keras
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(d) for d in devices]
    build = tf.sysconfig.get_build_info()
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "devices": [d.get("device_name", "unnamed") for d in details],
        "compute_capability": [d.get("compute_capability") for d in details],
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "driver": _read_driver(),
    }


def _read_driver() -> str | None:
    """Returns the version of NVIDIA's driver, or None without one."""
    try:
        text = pathlib.Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return None
    match = re.search(r"\d+\.\d+(\.\d+)?", text)
    return match and match[0]


def _read_sample(name: str, side: int):
    import tensorflow as tf

    pixels = image_files.read_image(f"{_SAMPLES}/{name}.jpg").pixels
    return tf.constant(preprocess(resize(pixels, side, side)))


def _make_objective(config: Config, extractor, side: int, evaluator):
    """Returns the objective and an image between content and noise."""
    import tensorflow as tf

    from tfstyle.objective.options import ObjectiveOptions
    from tfstyle.objective.targets import Style
    from tfstyle.objective.targets import compute_targets

    content, style = (_read_sample(n, side) for n in ("scene", "strokes"))
    targets = compute_targets(evaluator, content, [Style(style)], config)
    objective = evaluator.make_objective(
        targets, ObjectiveOptions.of(config), (side, side)
    )
    noise = tf.random.stateless_normal(content.shape, [1, 2], stddev=20.0)
    return objective, content + noise


def _start(fields: dict):
    """Returns a config of some fields and the extractor that it needs."""
    import tensorflow as tf

    from tfstyle.training.extractor import make_extractor

    defaults = {"precision": "float32", "jit_compile": "false", "tile_size": 0}
    config = Config(
        weights=_WEIGHTS.value, convolution="direct", **(defaults | fields)
    ).resolved()
    tf.config.experimental.enable_tensor_float_32_execution(config.tf32)
    return config, make_extractor(config)


def _make_reader(config: Config, extractor):
    from tfstyle.objective.evaluators import WholeFrameEvaluator
    from tfstyle.objective.tiled_objective import TiledEvaluator

    if config.tile_size:
        return TiledEvaluator(extractor, config.tile_size)
    return WholeFrameEvaluator(extractor)


def _save_reference() -> None:
    config, extractor = _start({})
    for side in map(int, _SIZES.value):
        evaluator = _make_reader(config, extractor)
        objective, image = _make_objective(config, extractor, side, evaluator)
        terms, gradient = objective(image)
        path = f"{_FOLDER.value}/{side}.npz"
        np.savez(path, total=terms.total, gradient=gradient)


def _evaluate() -> list[dict]:
    rows = []
    rate = _measure_rate()
    rows.append(_row("TFLOP a second of float32 products", rate / 1e12))
    for variant in (*VARIANTS, TILED):
        for side in map(int, _SIZES.value):
            name = f"{variant.name}, {side} px"
            try:
                rows += _evaluate_variant(name, variant, side, rate)
            except Exception as error:
                # Whatever it is: the other variants are still of interest.
                reason = one_line(str(error), 200)
                rows.append(_row(name, reason, is_right=False))
    return rows


def _evaluate_variant(
    name: str, variant: Variant, side: int, rate: float
) -> list[dict]:
    import tensorflow as tf

    from tfstyle.system.machine import Machine
    from tfstyle.training.memory import estimate_memory

    config, extractor = _start(variant.fields)
    evaluator = _make_reader(config, extractor)
    objective, image = _make_objective(config, extractor, side, evaluator)
    expected = np.load(f"{_FOLDER.value}/{side}.npz")
    start = time.perf_counter()
    terms, gradient = objective(image)
    total, gradient = float(terms.total), gradient.numpy()
    first = time.perf_counter() - start
    has_memory = bool(tf.config.list_physical_devices("GPU"))
    if has_memory:
        tf.config.experimental.reset_memory_stats("GPU:0")
    median = _median_seconds(lambda: float(objective(image)[0].total))
    bound = count_flop(side, config) / rate / median
    error = abs(total / float(expected["total"]) - 1)
    rows = [
        _row(f"{name}: value", error, variant.value),
        _row(
            f"{name}: gradient",
            _relative_error(gradient, expected["gradient"]),
            variant.gradient,
        ),
        _row(f"{name}: seconds", median),
        _row(f"{name}: seconds to compile", first - median),
        _row(f"{name}: share of the bound", bound),
    ]
    if has_memory:
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        machine = Machine.find()
        estimate = estimate_memory(config, side, side, machine)
        estimate -= machine.program_memory
        rows.append(_row(f"{name}: GB at the peak", peak / 1e9))
        rows.append(
            _row(f"{name}: peak over estimate", peak / estimate, 1 + MEMORY)
        )
    return rows


def _measure_rate() -> float:
    """Returns the FLOP a second of float32 matrix products, without TF32."""
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    side = PRODUCT_SIDE if has_gpu else PRODUCT_SIDE // 8
    matrix = tf.ones([side, side])
    multiply = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    float(multiply())
    return 2 * side**3 / _median_seconds(lambda: float(multiply()))


def _median_seconds(call: Callable[[], float]) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _relative_error(found, expected) -> float:
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def _compare_replicas() -> list[dict]:
    import tensorflow as tf

    from tfstyle.distributed.replicated_objective import ReplicatedEvaluator
    from tfstyle.distributed.strategy import mirror

    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    physical = tf.config.list_physical_devices(kind)
    number = max(2, len(physical))
    if len(physical) == 1:
        limits = {"memory_limit": 8192} if kind == "GPU" else {}
        two = [tf.config.LogicalDeviceConfiguration(**limits)] * 2
        tf.config.set_logical_device_configuration(physical[0], two)
    replicas = mirror([f"{kind}:{n}" for n in range(number)])
    with replicas.scope():
        config, extractor = _start({"tf32": False})
    side = int(_SIZES.value[0])
    found = []
    for evaluator in (
        _make_reader(config, extractor),
        ReplicatedEvaluator(extractor, replicas),
    ):
        objective, image = _make_objective(config, extractor, side, evaluator)
        terms, gradient = objective(image)
        found.append((float(terms.total), gradient.numpy()))
    (total, gradient), (shared_total, shared_gradient) = found
    name = f"{number} replicas on {len(physical)} {kind}"
    return [
        _row(f"{name}: value", abs(shared_total / total - 1), SAME_FEATURES),
        _row(
            f"{name}: gradient",
            _relative_error(shared_gradient, gradient),
            SAME_FEATURES,
        ),
    ]


def _sample_batch():
    pixels = image_files.read_image(f"{_SAMPLES}/scene.jpg").pixels
    return resize(pixels, PICTURE_SIZE, PICTURE_SIZE)[None].astype(np.float32)


def _run_export() -> dict[str, np.ndarray]:
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)
    (path,) = pathlib.Path(_FOLDER.value, "export").iterdir()
    serve = tf.saved_model.load(str(path)).signatures["serve"]
    found = serve(images=tf.constant(_sample_batch()))
    return {name: value.numpy() for name, value in found.items()}


def _save_features() -> None:
    np.savez(f"{_FOLDER.value}/features.npz", **_run_export())


def _serve() -> list[dict]:
    expected = np.load(f"{_FOLDER.value}/features.npz")
    errors = [
        _relative_error(value, expected[name])
        for name, value in _run_export().items()
    ]
    return [_row("export: features", max(errors), SAME_FEATURES)]


CHILDREN: dict[str, Callable] = {
    "describe": _describe,
    "save_reference": _save_reference,
    "evaluate": _evaluate,
    "compare_replicas": _compare_replicas,
    "save_features": _save_features,
    "serve": _serve,
}

if __name__ == "__main__":
    run(main)
