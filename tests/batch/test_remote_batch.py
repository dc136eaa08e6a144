"""Batches, single runs and results whose files are in a real S3 server."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from absl import logging
from PIL import Image

import tfstyle
from tests.refusals import refuses
from tests.stores import names_in
from tfstyle import main
from tfstyle.batch.finished_jobs import FinishedJobs
from tfstyle.batch.finished_jobs import expand_inputs
from tfstyle.batch.manifest import read_manifest
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import RemoteFileError
from tfstyle.flags.command_line import read_config
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tfstyle.system import remote_files

pytestmark = pytest.mark.slow

SMALL = {"weights": "random", "image_size": 32, "num_steps": 2}
INPUT = "s3://bucket/in"
FLAGS = ["--content_image=" + INPUT + "/scene.jpg"]
FLAGS += ["--style_images=" + INPUT + "/strokes.jpg"]
FLAGS += [f"--{name}={value}" for name, value in SMALL.items()]


@pytest.fixture(autouse=True)
def info():
    """Logs as the program does."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    yield
    logging.set_verbosity(before)


@pytest.fixture(autouse=True)
def inputs(s3, monkeypatch, tmp_path):
    monkeypatch.setattr(remote_files, "PAUSES", (0.01,))
    monkeypatch.chdir(tmp_path)
    for name in ("scene", "strokes"):
        Image.fromarray(tfstyle.sample(name)).resize((64, 48)).save(
            f"{name}.jpg"
        )
        s3.put_file(f"{name}.jpg", f"bucket/in/{name}.jpg")


def write_manifest(s3, num_lines=3, **others):
    lines = [
        {
            "content_image": f"{INPUT}/scene.jpg",
            "style_images": [f"{INPUT}/strokes.jpg"],
            "output_image": f"s3://bucket/out/{number}.png",
            "seed": number,
            **others,
        }
        for number in range(num_lines)
    ]
    s3.pipe("bucket/jobs.jsonl", "\n".join(map(json.dumps, lines)).encode())


def run_batch(caplog, **others):
    caplog.clear()
    options = {"manifest": "s3://bucket/jobs.jsonl"}
    options |= {"workdir": "s3://bucket/run", **SMALL, **others}
    status = main.main(RunConfig(**options))
    return status, caplog.text


def images_in(folder):
    return [name for name in os.listdir(folder) if name.endswith(".png")]


def test_run_reads_and_writes_addresses(s3, capsys):
    s3.pipe("bucket/weights.txt", b"no weights")
    flags = [*FLAGS, "--output_image=s3://bucket/out/a.png"]
    assert main.main(read_config(flags)) == 0
    flags[-1] = "--output_image=local.png"
    assert main.main(read_config(flags)) == 0
    with open("local.png", "rb") as file:
        assert s3.cat("bucket/out/a.png") == file.read()
    assert "--content_image=scene.jpg" in read_text("s3://bucket/out/a.png")
    flags = [*FLAGS, "--weights=s3://bucket/weights.txt"]
    assert main.main(read_config(flags)) == 1
    assert "'s3://bucket/weights.txt' cannot be read" in capsys.readouterr().err


def test_remote_workdir_has_the_records_and_checkpoints_stay(
    s3, caplog, monkeypatch
):
    monkeypatch.setattr(logging, "_log_counter_per_token", {})  # told once
    flags = [*FLAGS, "--workdir=s3://bucket/run", "--report"]
    flags += ["--checkpoint_every_seconds=0.001", "--num_steps=4"]
    assert main.main(read_config(flags)) == 0
    names = {name.split("/")[0] for name in names_in(s3, "bucket/run")}
    assert {"output.png", "flags.cfg", "metrics.jsonl"} < names
    assert "report.html" in names
    assert not names & {"checkpoints", ".lock"}
    assert "Checkpoints are kept on this machine" in caplog.text
    assert main.main(read_config([*flags, "--num_steps=6"])) == 0
    assert "--num_steps=6" in s3.cat("bucket/run/flags.cfg").decode()


def test_output_of_another_run_is_not_replaced(s3, capsys):
    s3.pipe("bucket/out/a.png", b"not ours")
    flags = [*FLAGS, "--output_image=s3://bucket/out/a.png"]
    assert main.main(read_config(flags)) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert "'s3://bucket/out/a.png' already exists" in line
    assert s3.cat("bucket/out/a.png") == b"not ours"
    assert main.main(read_config([*flags, "--overwrite"])) == 0
    assert read_image("s3://bucket/out/a.png").pixels.shape == (24, 32, 3)


def test_file_in_a_remote_workdir_is_not_replaced(s3, capsys):
    for name in ("output.png", "flags.cfg"):
        s3.pipe(f"bucket/run/{name}", b"not ours")
        flags = [*FLAGS, "--workdir=s3://bucket/run/"]
        assert main.main(read_config(flags)) == 1
        assert f"'s3://bucket/run/{name}'" in capsys.readouterr().err
        assert s3.cat(f"bucket/run/{name}") == b"not ours"
        s3.rm(f"bucket/run/{name}")
        assert main.main(read_config(flags)) == 0
        s3.rm("bucket/run", recursive=True)
        shutil.rmtree("cache")


def test_output_does_not_replace_an_input(s3):
    flags = [*FLAGS, "--overwrite", f"--output_image={INPUT}/scene.jpg"]
    before = s3.cat("bucket/in/scene.jpg")
    assert main.main(read_config(flags)) == 1
    assert s3.cat("bucket/in/scene.jpg") == before


def test_batch_paints_what_is_missing_or_changed(s3, caplog, monkeypatch):
    write_manifest(s3)
    status, text = run_batch(caplog)
    assert (status, "3 done" in text) == (0, True), text
    assert names_in(s3, "bucket/out") == ["0.png", "1.png", "2.png"]
    before = {name: s3.cat(f"bucket/out/{name}.png") for name in "012"}
    read = []
    fetch = remote_files.fetch
    monkeypatch.setattr(
        remote_files, "fetch", lambda *a: read.append(a[0]) or fetch(*a)
    )
    status, text = run_batch(caplog)
    assert "0 done, 3 finished before" in text
    assert {path for path in read if "://" in path} == {
        "s3://bucket/jobs.jsonl"
    }
    s3.rm("bucket/out/1.png")
    status, text = run_batch(caplog)
    assert "1 done, 2 finished before" in text
    assert s3.cat("bucket/out/1.png") == before["1"]
    _, text = run_batch(caplog, num_steps=3)
    assert "3 done" in text
    assert s3.cat("bucket/out/1.png") != before["1"]
    records = names_in(s3, "bucket/run/jobs")
    assert sum(name.endswith(".1/flags.cfg") for name in records) == 3, records
    s3.put_file("strokes.jpg", "bucket/in/scene.jpg")
    _, text = run_batch(caplog, num_steps=3)
    assert "3 done" in text


def find_finished(config, jobs):
    expanded = expand_inputs(config, jobs)
    return FinishedJobs(config, jobs, "s3://bucket/run", expanded)


@pytest.mark.parametrize(
    "changed",
    [{"weights": "imagenet"}, {"style_scale": 0.5}, {"output_bits": 16}],
)
def test_record_of_a_finished_job_holds_for_its_options(s3, changed):
    write_manifest(s3, 1)
    s3.pipe("bucket/out/0.png", b"painted")
    jobs = read_manifest("s3://bucket/jobs.jsonl")
    config = RunConfig(manifest="s3://bucket/jobs.jsonl", **SMALL)
    find_finished(config, jobs).add(jobs[0])
    assert jobs[0] in find_finished(config, jobs)
    other = dataclasses.replace(config, **changed)
    assert jobs[0] not in find_finished(other, jobs)
    s3.pipe("bucket/out/0.png", b"another")
    assert jobs[0] not in find_finished(config, jobs)


def test_batch_is_finished_on_another_machine(s3, caplog, monkeypatch):
    write_manifest(s3)
    run_batch(caplog)
    s3.rm("bucket/run/finished", recursive=True)
    monkeypatch.setenv("TFSTYLE_CACHE", os.path.abspath("other"))
    _, text = run_batch(caplog)
    assert "0 done, 3 finished before" in text
    _, text = run_batch(caplog, seed=7, num_steps=3)
    assert "3 done" in text


def test_line_whose_input_is_missing_fails_alone(s3, caplog):
    write_manifest(s3, 2)
    lines = s3.cat("bucket/jobs.jsonl").decode().splitlines()
    lines[0] = lines[0].replace("scene.jpg", "none.jpg")
    s3.pipe("bucket/jobs.jsonl", "\n".join(lines).encode())
    status, text = run_batch(caplog)
    assert status == 1
    assert "1 done, 1 failed" in text
    assert (
        "'s3://bucket/in/none.jpg' cannot be read (it does not exist)" in text
    )


def test_line_does_not_replace_an_input_of_another_line(s3, caplog):
    s3.copy("bucket/in/strokes.jpg", "bucket/styles/0.png")
    write_manifest(s3, 2, style_images=["s3://bucket/styles"])
    jobs = s3.cat("bucket/jobs.jsonl").replace(b"/out/0", b"/styles/0", 1)
    first, second = jobs.splitlines()
    first = first.replace(b'bucket/styles"]', b'bucket/in/strokes.jpg"]')
    s3.pipe("bucket/jobs.jsonl", first + b"\n" + second)
    before = s3.cat("bucket/styles/0.png")
    _, text = run_batch(caplog, overwrite=True)
    assert "1 done, 1 failed" in text
    assert "'s3://bucket/styles/0.png' is an input of the manifest" in text
    assert s3.cat("bucket/styles/0.png") == before


def test_picture_that_cannot_be_uploaded_is_uploaded_later(
    s3, caplog, monkeypatch
):
    write_manifest(s3, 1)

    call = type(s3)._call_s3

    async def fail(self, method, *arguments, **options):
        if method == "put_object":
            raise OSError("the bucket is on strike")
        return await call(self, method, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(s3), "_call_s3", fail)
        status, text = run_batch(caplog)
    assert status == 1
    assert "'s3://bucket/out/0.png' cannot be written" in text
    assert "A copy is kept on this machine" in text
    status, text = run_batch(caplog)
    assert status == 0
    assert "0 done, 1 finished before" in text
    assert names_in(s3, "bucket/out") == ["0.png"]


def test_store_that_fails_now_and_then_loses_nothing(
    s3_server, caplog, monkeypatch
):
    server, store = s3_server
    monkeypatch.setattr(remote_files, "PAUSES", (0.01, 0.01, 0.01))
    write_manifest(store)
    server.fail_every = 3
    status, text = run_batch(caplog)
    assert (status, "3 done" in text) == (0, True)
    before = len(server.requests)
    status, text = run_batch(caplog)
    assert "0 done, 3 finished before" in text
    assert len(server.requests) - before < 20
    server.fail_every = 0
    assert names_in(store, "bucket/out") == ["0.png", "1.png", "2.png"]


def test_store_that_is_down_ends_a_batch(s3_server, caplog, capsys):
    server, store = s3_server
    write_manifest(store)
    server.stop()
    status, _ = run_batch(caplog)
    assert status == 1
    assert "'s3://bucket/jobs.jsonl' cannot be" in capsys.readouterr().err


def test_hostile_file_of_a_store_is_refused_as_a_local_one(s3, capsys):
    s3.pipe("bucket/in/scene.jpg", b"GIF89a" + b"\xff" * 8)
    assert main.main(read_config([*FLAGS, "--output_image=a.png"])) == 1
    assert "'s3://bucket/in/scene.jpg'" in capsys.readouterr().err
    assert not os.path.exists("a.png")


def test_export_writes_the_next_version(s3):
    s3.pipe("bucket/export/4/saved_model.pb", b"another")
    flags = ["--preset=export", "--weights=random"]
    flags += ["--export_dir=s3://bucket/export/"]
    assert main.main(read_config(flags)) == 0
    assert s3.cat("bucket/export/4/saved_model.pb") == b"another"
    found = names_in(s3, "bucket/export/5")
    assert {"saved_model.pb", "variables/variables.index"} < set(found)


def test_library_reads_and_saves_addresses(s3):
    result = tfstyle.stylize(
        f"{INPUT}/scene.jpg", f"{INPUT}/strokes.jpg", **SMALL
    )
    result.save("s3://bucket/out/a.png")
    found = read_image("s3://bucket/out/a.png")
    np.testing.assert_array_equal(found.pixels, result.pixels)
    with refuses("path", "scene.jpg"):
        result.save(f"{INPUT}/scene.jpg")
    with refuses("", "s3://none/a.png", kind=RemoteFileError):
        result.save("s3://none/a.png")


def test_flags_of_a_picture_open_no_address(s3):
    flags = [*FLAGS, "--metadata=full", "--output_image=a.png"]
    assert main.main(read_config(flags)) == 0
    with refuses("flags_from", "a.png", f"{INPUT}/scene.jpg"):
        read_config(["--flags_from=a.png"])


def test_secrets_of_web_addresses_are_not_published():
    from tfstyle.experiment import provenance

    config = RunConfig(content_image="https://a/b.png?signature=secret")
    text, _ = provenance.make_published_texts(config, {}, "names")
    assert "--content_image=b.png\n" in text
    assert "secret" not in text


def test_shards_of_a_store_do_not_take_over(s3, caplog, monkeypatch):
    write_manifest(s3)
    for name, value in {"RANK": 0, "SIZE": 2}.items():
        monkeypatch.setenv(f"OMPI_COMM_WORLD_{name}", str(value))
    _, text = run_batch(caplog)
    assert "2 done, 1 of other processes" in text
    assert names_in(s3, "bucket/out") == ["0.png", "2.png"]
