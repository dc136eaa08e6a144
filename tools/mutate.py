"""Checks that the tests notice mistakes: applies mutations, one at a time.

    python tools/mutate.py
    python tools/mutate.py --only=halo,seed

Each mutation is made in a copy of the repository, where the tests that should
notice it are run. The exit status is 1 if one passes unnoticed.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

from absl import flags

ROOT = pathlib.Path(__file__).parents[1]


class Mutation(NamedTuple):
    """A mistake, and the tests that should notice it.

    Attributes:
        path: of a module, below `tfstyle`.
        old: text that occurs once there.
        new: what replaces it.
        tests: files or folders below `tests`.
    """

    path: str
    old: str
    new: str
    tests: str


MUTATIONS = {
    "replica_weight": Mutation(
        "distributed/replicated_objective.py",
        "lambda s: None if s is None else s * weight, sums",
        "lambda s: s, sums",
        "distributed/test_replicated_objective.py",
    ),
    "gram_count": Mutation(
        "objective/gram.py",
        "return self.matrix / self.count",
        "return self.matrix",
        "objective",
    ),
    "content_half": Mutation(
        "objective/losses.py",
        "return tf.nn.l2_loss(features - target)",
        "return 2 * tf.nn.l2_loss(features - target)",
        "objective/test_losses.py",
    ),
    "temporal_weights": Mutation(
        "objective/losses.py",
        "tf.reduce_mean(weights * tf.square(image - target))",
        "tf.reduce_mean(tf.square(image - target))",
        "objective/test_losses.py",
    ),
    "flow_direction": Mutation(
        "films/flow.py",
        "_places(height, width) + flow,",
        "_places(height, width) - flow,",
        "films/test_flow.py",
    ),
    "hidden_places": Mutation(
        "films/flow.py",
        "np.where(hidden | boundary,",
        "np.where(boundary,",
        "films/test_flow.py",
    ),
    "resumed_frame": Mutation(
        "films/film_run.py",
        "for n in painted[-EARLIER[-1] :]",
        "for n in painted[-1:]",
        "films/test_chunks.py",
    ),
    "resumed_freshness": Mutation(
        "films/frames_to_paint.py",
        "number > after - MATURE * (number - recent[-1][0])",
        "number > after",
        "films/test_chunks.py",
    ),
    "fresh_region": Mutation(
        "objective/targets.py",
        "for mask in (fresh, 255 - fresh)",
        "for mask in (fresh, fresh)",
        "objective/test_objective.py",
    ),
    "chunk_weight": Mutation(
        "films/chunks.py",
        "index / (len(chunk.shared) + 1)",
        "index / len(chunk.shared)",
        "films/test_chunks.py",
    ),
    "sound_start": Mutation(
        "video_files/sound.py",
        "packet.dts -= shift",
        "packet.dts -= 0",
        "video_files/test_writing.py",
    ),
    "seek_number": Mutation(
        "video_files/video_file.py",
        "frames = itertools.dropwhile(lambda f: f.pts < pts, frames)",
        "frames = itertools.dropwhile(lambda f: f.pts < 0, frames)",
        "video_files/test_video_file.py",
    ),
    "mask_square": Mutation(
        "objective/gram.py",
        "features *= mask",
        "features *= tf.sqrt(mask)",
        "objective",
    ),
    "style_mask": Mutation(
        "objective/targets.py",
        "image, mask = style",
        "image, mask = style.image, None",
        "objective training/test_stylize.py",
    ),
    "pyramid_weights": Mutation(
        "training/pyramid.py",
        "tuple(w * ratio for w, ratio in weights)",
        "tuple(w for w, ratio in weights)",
        "training/test_plan.py",
    ),
    "variation_one_way": Mutation(
        "objective/losses.py",
        "tf.reduce_sum(tf.square(down)) + tf.reduce_sum(tf.square(right))",
        "tf.reduce_sum(tf.square(down))",
        "objective/test_losses.py",
    ),
    "bgr": Mutation(
        "images/preprocessing.py",
        "bgr = pixels[..., ::-1].astype(np.float32)",
        "bgr = pixels.astype(np.float32)",
        "images/test_preprocessing.py",
    ),
    "mean_twice": Mutation(
        "images/preprocessing.py",
        "np.asarray(image)[0] + np.float32(IMAGENET_MEAN_BGR)",
        "np.asarray(image)[0] + 2 * np.float32(IMAGENET_MEAN_BGR)",
        "images/test_preprocessing.py",
    ),
    "negative_curvature": Mutation(
        "training/optimizers/lbfgs.py",
        "if measured.slope_rise > -measured.start_slope * epsilon:",
        "if measured.slope_rise != 0:",
        "training/optimizers/test_lbfgs.py",
    ),
    "ring_order": Mutation(
        "training/optimizers/lbfgs.py",
        "first = self._next_row - self._num_pairs",
        "first = 0",
        "training/optimizers/test_lbfgs.py experiment/test_resume.py",
    ),
    "adam_bias": Mutation(
        "training/optimizers/adam.py",
        "for name, variable in variables.items():",
        "for name, variable in list(variables.items())[1:]:",
        "training/optimizers/test_adam.py",
    ),
    "evaluation_count": Mutation(
        "training/trainer.py",
        'self._evaluations = state.integer("evaluations", 1, 10**15)',
        "self._evaluations = 1",
        "experiment/test_resume.py",
    ),
    "older_checkpoint": Mutation(
        "experiment/checkpoint.py",
        "sorted(found)[::-1]",
        "sorted(found)",
        "experiment/test_checkpoint.py",
    ),
    "halo": Mutation(
        "objective/tiles.py",
        "return -(-reach // stride) * stride",
        "return -(-reach // stride) * stride - stride",
        "objective",
    ),
    "pooling_shift": Mutation(
        "network/pooling.py",
        "padding=[[0, 0], [1, 1], [1, 1], [0, 0]]",
        "padding=[[0, 0], [0, 2], [0, 2], [0, 0]]",
        "network/test_pooling.py",
    ),
    "pooling_root": Mutation(
        "network/pooling.py",
        "root = tf.sqrt(mean + epsilon)",
        "root = mean + epsilon",
        "network/test_pooling.py",
    ),
    "winograd_axis": Mutation(
        "network/winograd.py",
        "return tf.matmul(one_way, tf.reshape(rows, [size, length, -1]))",
        "return tf.matmul(one_way, tf.reshape(rows, [length, size, -1]))",
        "network/test_winograd.py",
    ),
    "onednn_late": Mutation(
        "system/processors.py",
        'is_early = "tensorflow" not in sys.modules',
        'is_early = "tensorflow" in sys.modules',
        "system/test_memory.py",
    ),
    "tile_gradient": Mutation(
        "objective/tiled_objective.py",
        "place.assign(place + grad_view)",
        "place.assign(grad_view)",
        "objective/test_tiled_objective.py",
    ),
    "seed": Mutation(
        "training/initial_image.py",
        "np.random.default_rng(config.seed)",
        "np.random.default_rng(0)",
        "training",
    ),
    "orientation": Mutation(
        "image_files/srgb.py",
        "_FLIPS = ((1, 1), (1, -1),",
        "_FLIPS = ((1, 1), (-1, 1),",
        "image_files/test_srgb.py",
    ),
    "alpha_size": Mutation(
        "image_files/writing.py",
        "alpha = resize(alpha, *pixels.shape[:2])",
        "alpha = alpha[: pixels.shape[0], : pixels.shape[1]]",
        "test_main.py",
    ),
    "hidden_colors": Mutation(
        "images/transparency.py",
        "return np.where(alpha[..., np.newaxis] > 0, pixels, filled)",
        "return pixels",
        "images/test_transparency.py",
    ),
    "mask_levels": Mutation(
        "image_files/masks.py",
        "if is_plain or (first, last) == (0, 255):",
        "if True:",
        "image_files/test_masks.py",
    ),
    "style_alpha": Mutation(
        "training/pyramid_objective.py",
        "_join_masks(mask, style.mask)",
        "mask",
        "training/test_stylize.py",
    ),
    "record_hash": Mutation(
        "image_files/sidecar.py",
        "_PICTURE.search(record)[1] == hash_file(path)",
        "_PICTURE.search(record)",
        "image_files/test_sidecar.py",
    ),
    "weights_hash": Mutation(
        "network/weight_files/arrays.py",
        'digest.update(np.ascontiguousarray(array, "<f4").data)',
        "digest.update(array.tobytes('A'))",
        "network/weight_files/test_keras_files.py",
    ),
    "weights_order": Mutation(
        "network/weight_files/inputs.py",
        'if taken.order == "RGB":',
        "if False:",
        "network/weight_files/test_inputs.py",
    ),
    "weights_mean": Mutation(
        "network/weight_files/inputs.py",
        "offset = IMAGENET_MEAN_BGR - mean",
        "offset = 0 * mean",
        "network/weight_files/test_inputs.py",
    ),
    "input_offset": Mutation(
        "network/vgg19.py",
        "inputs += tf.constant(self.offset, inputs.dtype)",
        "pass",
        "network/test_vgg19.py",
    ),
    "output_in_place": Mutation(
        "system/atomic_file.py",
        "os.replace(temporary, target)",
        "open(target, 'wb').write(open(temporary, 'rb').read())",
        "system/test_atomic_file.py",
    ),
    "manifest_line": Mutation(
        "batch/manifest.py",
        "            if any(cells):\n",
        "            if any(cells) and place != 'line 3':\n",
        "batch/test_manifest.py",
    ),
    "flag_of_the_text": Mutation(
        "config/config.py",
        '"seed of all random numbers", least=0)',
        '"seed of all random numbers", least=0, scope="run")',
        "config",
    ),
    "relative_energy": Mutation(
        "objective/terms.py",
        "loss *= 2 / targets.content_energy[name]",
        "loss *= 1 / targets.content_energy[name]",
        "objective/test_objective.py",
    ),
    "threads_decide": Mutation(
        "experiment/identity.py",
        'if FIELDS[name].metadata["scope"] == "picture"',
        'if FIELDS[name].metadata["scope"] != "run"',
        "experiment/test_identity.py",
    ),
    "array_first_index": Mutation(
        "distributed/job_arrays.py",
        "divmod(number - first, step)",
        "divmod(number, step)",
        "distributed/test_environment.py",
    ),
    "version_of_remote_input": Mutation(
        "batch/finished_jobs.py",
        "[(path, versions[path]) for path in files]",
        "files",
        "batch/test_remote_batch.py",
    ),
    "upload_of_replaced_output": Mutation(
        "experiment/remote_outputs.py",
        "if os.stat(path).st_mtime != _UNCHANGED[1]:",
        "if False:",
        "batch/test_remote_batch.py",
    ),
    "dead_worker_retried": Mutation(
        "batch/ray_engine.py",
        "self._queue.append(_Task(number, job, num_tries + 1))",
        "num_tries += 0",
        "batch/test_ray_engine.py",
    ),
}

_ONLY = flags.DEFINE_list("only", list(MUTATIONS), "names of mutations")


def main() -> int:
    """Runs the tests of every mutation and prints what became of it."""
    missed = [name for name in _ONLY.value if not _is_caught(name)]
    print(f"{len(_ONLY.value) - len(missed)} caught, {len(missed)} missed")
    return min(len(missed), 1)


def _is_caught(name: str) -> bool:
    mutation = MUTATIONS[name]
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "tfstyle"
        ignored = shutil.ignore_patterns(".git", "runs", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignored)
        path = copy / "tfstyle" / mutation.path
        text = path.read_text(encoding="utf-8")
        if text.count(mutation.old) != 1:
            raise ValueError(f"{name}: {mutation.path} has changed")
        path.write_text(text.replace(mutation.old, mutation.new), "utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-m", "not soak"]
        command += [f"tests/{path}" for path in mutation.tests.split()]
        done = subprocess.run(
            command,
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
        )
    is_caught = done.returncode == 1
    found = [x for x in done.stdout.splitlines() if x.startswith("FAILED")]
    what = found[0].split(" ")[1] if found else f"status {done.returncode}"
    print(f"{'caught' if is_caught else 'MISSED'} {name}: {what}", flush=True)
    return is_caught


if __name__ == "__main__":
    from running import run

    run(main)
