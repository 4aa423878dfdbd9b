"""What somebody measured, from a folder to a run folder."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dsg.data.batches import batches
from dsg.data.expected import Expected
from dsg.data.image_file import read_image
from dsg.data.measured import MeasuredFolder
from dsg.metrics.image import psnr
from dsg.report.pictures import strips
from dsg.report.read import read_runs
from dsg.report.truth import read_truth
from tasks import Colourisation

IDS = ["a", "b", "c", "d", "more/e", "more/f"]
MEASURED = ("--data", "dsg.data.measured.MeasuredFolder", "--data.measurements")
SAVE = ("--writer.save_measurements", "true")
WITH_MASKS = ("--model.task", "tasks.GivenMaskInpainting")
WITH_KERNELS = ("--model.task", "tasks.GivenKernelDeblurring")
DENOISE = ("--model.task", "tasks.Denoising")
QUIET = ("--quality.lpips", "[]")
EXPECTED = Expected((3, 16, 16), (3, 16, 16), -1.0, 1.0)


def pictures(folder: Path) -> dict[str, np.ndarray]:
    """Name → pixels of every sample of a run."""
    found = {p.relative_to(folder / "samples").as_posix(): p for p in (folder / "samples").rglob("*.png")}
    return {name: np.asarray(Image.open(found[name]), dtype=int) for name in sorted(found)}


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture
def hole(tmp_path: Path) -> Path:
    """A mask of 16x16 with a hole."""
    pixels = np.full((16, 16), 255, np.uint8)
    pixels[4:9, 3:12] = 0
    Image.fromarray(pixels).save(tmp_path / "hole.png")
    return tmp_path / "hole.png"


@pytest.mark.parametrize(
    ("drawn", "given"),
    [
        (("--model.task", "tasks.RandomInpainting"), WITH_MASKS),
        (("--model.task", "tasks.MotionDeblurring", "--model.task.kernel_size", 5), WITH_KERNELS),
        (("--model.task", "tasks.SuperResolution"), ("--model.task", "tasks.SuperResolution")),
    ],
    ids=["masks", "kernels", "neither"],
)
def test_what_a_run_measured_and_saved_gives_the_same_samples_when_it_comes_from_files(
    evaluate, tmp_path, drawn, given
):
    assert evaluate(*drawn, *SAVE, *QUIET, into="made") == 0
    files = (*MEASURED, tmp_path / "made" / "measurements", "--data.ending", ".safetensors", "--data.batch_size", 2)
    assert evaluate(*files, *given, *QUIET, into="given") == 0
    made, again = pictures(tmp_path / "made"), pictures(tmp_path / "given")
    assert list(made) == list(again) == [f"{i}.png" for i in IDS]
    assert max(np.abs(made[name] - again[name]).max() for name in made) <= 1
    y, residual = (metrics(tmp_path / run)["metrics"]["residual"]["mean"] for run in ("made", "given"))
    assert residual == pytest.approx(y, abs=1e-4)
    for name in made:  # how the measurement looks
        shown = [np.asarray(Image.open(tmp_path / run / "measurements" / name)) for run in ("made", "given")]
        assert np.array_equal(*shown)


def test_without_truth_what_needs_it_is_unavailable_with_the_reason_and_the_rest_runs(
    evaluate, image_folder, tmp_path, capsys
):
    options = (*MEASURED, image_folder, *DENOISE, "--data.samples_per_image", 2, "--data.limit", 3)
    assert evaluate(*options) == 0
    said = capsys.readouterr()
    reason = "psnr, ssim, lpips_vgg: there is no truth to compare with; give it in data.truth, if you have it"
    assert said.err.splitlines().count(f"unavailable: {reason}") == 1
    assert said.err.count("the finest details of 3 measurements say that noise_sigma is at most about 0.") == 1
    assert "the task is told 0.05" in said.err
    found = metrics(tmp_path / "run")
    assert (found["unavailable"]["psnr"], found["unavailable"]["ssim"]) == (reason, reason)
    assert "lpips_vgg: wants" in found["unavailable"]["lpips_vgg"]  # for the diversity
    assert {"loss", "residual", "seconds", "diversity_pixel"} <= set(found["metrics"])
    assert not {"psnr", "ssim"} & set(found["metrics"])
    assert (found["images"], found["samples"]) == (3, 6)
    (tmp_path / "run" / "metrics.json").unlink()
    assert evaluate(*options) == 0  # nothing is left to sample, and it says the same
    assert metrics(tmp_path / "run")["unavailable"] == found["unavailable"]


def test_a_killed_run_of_measurements_continues_with_the_same_samples(evaluate, image_folder, tmp_path):
    options = (*MEASURED, image_folder, *DENOISE)
    assert evaluate(*options, "--data.limit", 3, into="whole") == 0
    (reason,) = set(metrics(tmp_path / "whole")["unavailable"].values())
    assert reason.startswith("psnr, ssim, lpips_vgg: there is no truth")
    assert evaluate(*options, "--data.limit", 1, into="torn") == 0
    assert evaluate(*options, "--data.limit", 3, "--data.batch_size", 2, into="torn") == 0
    whole, torn = pictures(tmp_path / "whole"), pictures(tmp_path / "torn")
    assert list(whole) == list(torn)
    assert max(np.abs(whole[name] - torn[name]).max() for name in whole) <= 1


def test_the_truth_is_paired_by_id_and_compared_with(evaluate, image_folder, tmp_path):
    shutil.copytree(image_folder, tmp_path / "truth")
    Image.new("RGB", (16, 16), "red").save(tmp_path / "truth" / "unmeasured.png")  # more than is needed
    assert evaluate(*MEASURED, image_folder, "--data.truth", tmp_path / "truth", *DENOISE, *QUIET) == 0
    row = json.loads((tmp_path / "run" / "rows" / "rank0.jsonl").read_text().splitlines()[0])
    sample, truth = (
        read_image(file, 16)[None] / 2 + 0.5
        for file in (tmp_path / "run/samples" / f"{row['id']}.png", image_folder / f"{row['id']}.png")
    )
    assert row["psnr"] == pytest.approx(psnr(sample, truth).item(), abs=1e-4)
    assert metrics(tmp_path / "run")["unavailable"] == {}
    (run,) = read_runs([tmp_path / "run"])
    labels = [picture.label for picture in strips(run).strips[0].pictures]  # type: ignore[union-attr]
    assert labels == ["truth", "measurement", "sample", "error × 4"]


def test_the_report_shows_no_truth_where_there_is_none(evaluate, image_folder, tmp_path):
    assert evaluate(*MEASURED, image_folder, *DENOISE, *QUIET, "--data.limit", 2) == 0
    (run,) = read_runs([tmp_path / "run"])
    shown = strips(run)
    assert shown is not None
    assert shown.note == "There is no truth: the measurements were given without it"
    assert [picture.label for picture in shown.strips[0].pictures] == ["measurement", "sample"]
    assert not shown.strips[0].note
    assert run.results.unavailable["psnr"].startswith("psnr, ssim: there is no truth")


def test_one_mask_serves_all_and_may_mark_what_was_dropped(evaluate, image_folder, hole, tmp_path):
    marked = tmp_path / "marked.npy"
    np.save(marked, np.asarray(Image.open(hole)) == 0)
    options = (*MEASURED, image_folder, *WITH_MASKS, *QUIET, "--data.limit", 2)
    assert evaluate(*options, "--data.masks", hole, *SAVE) == 0
    assert evaluate(*options, "--data.masks", marked, "--data.mask_marks", "dropped", into="same") == 0
    saved = load_file(tmp_path / "run/measurements/a.safetensors")
    assert np.array_equal(saved["mask"][0], np.asarray(Image.open(hole)) / 255)
    assert (saved["y"][:, 4:9, 3:12] == 0).all()
    one, same = pictures(tmp_path / "run"), pictures(tmp_path / "same")
    assert all(np.array_equal(one[name], same[name]) for name in one)
    shown = np.asarray(Image.open(tmp_path / "run/measurements/a.png"))
    assert (shown[4:9, 3:12] == 0).all()


def test_masks_of_ones_own_measure_images_of_ones_own(evaluate, image_folder, hole, tmp_path):
    own = ("--data", "dsg.data.measured.MeasuredFolder", "--data.truth", image_folder, *WITH_MASKS, *QUIET)
    assert evaluate(*own, "--data.masks", hole, "--data.limit", 2, *SAVE) == 0
    saved = load_file(tmp_path / "run/measurements/a.safetensors")
    mask = torch.from_numpy(np.asarray(Image.open(hole)) / 255).float()
    noise = (saved["y"] - mask * read_image(image_folder / "a.png", 16))[:, mask > 0]
    assert noise.std().item() == pytest.approx(0.05, rel=0.1)  # made here, with the task's noise
    assert (saved["y"][:, mask == 0] == 0).all()
    assert metrics(tmp_path / "run")["metrics"]["psnr"]["n"] == 2


def folder(tmp_path: Path, contents: dict[str, object]) -> Path:
    """A folder of files, by name."""
    root = tmp_path / "files"
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".npy"):
            np.save(path, np.asarray(content))
        elif name.endswith(".safetensors"):
            save_file(content, path)  # type: ignore[arg-type]
        else:
            Image.fromarray(np.asarray(content, dtype=np.uint8)).save(path)
    return root


PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
SIGNED = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16))
BLUR = np.full((2, 3), 1 / 6)
# files, options with {} for their folder, what the line says
HOLE = np.full((16, 16), 255)
ONES = np.ones((16, 16))
MASK, KERNEL = (*WITH_MASKS, "--data.masks"), (*WITH_KERNELS, "--data.kernels")
MISTAKES = {
    "no such folder": ({}, ("{}/gone",), ("data.measurements: no folder at",)),
    "nothing of the kind": ({"a.npy": SIGNED}, ("{}", "--data.ending", ".tif"), ("no measurement (.tif) below",)),
    "an ending that is none": ({"a.png": PICTURE}, ("{}", "--data.ending", ".mat"), ("data.ending: must be one of",)),
    "one id twice": ({"a.png": PICTURE, "a.npy": SIGNED}, ("{}",), ("share the id a", "data.ending")),
    "another size": (
        {"a.png": PICTURE[:12]}, ("{}",),
        ("a.png is 3x12x16; the model's images are 3x16x16, of which the task measures 3x16x16",),
    ),
    "the model's size where the task's is smaller": (
        {"a.png": PICTURE}, ("{}", "--model.task", "tasks.SuperResolution"),
        ("a.png is 3x16x16", "the task measures 3x4x4"),
    ),
    "channels last": ({"a.npy": SIGNED.transpose(1, 2, 0)}, ("{}",), ("transpose it to (C,H,W)",)),
    "zero to 255": ({"a.npy": 255 * np.abs(SIGNED)}, ("{}",), ("holds numbers up to 25", "data.array_unit", "byte")),
    "zero to one": ({"a.npy": np.abs(SIGNED)}, ("{}",), ("looks like [0, 1]", "data.array_unit", "unit")),
    "said to be zero to one, and is not": (
        {"a.npy": 255 * np.abs(SIGNED)}, ("{}", "--data.array_unit", "unit"), ("holds numbers up to 5",),
    ),
    "a unit that is none": ({"a.npy": SIGNED}, ("{}", "--data.array_unit", "percent"), ("array_unit", "byte")),
    "truth without a partner": (
        {"y/a.png": PICTURE, "y/b.png": PICTURE, "x/a.png": PICTURE}, ("{}/y", "--data.truth", "{}/x"),
        ("data.truth:", "has no truth of 1 of 2 measurements, the first is b"),
    ),
    "truth of another size": (
        {"y/a.png": PICTURE, "x/a.png": PICTURE[:8]}, ("{}/y", "--data.truth", "{}/x"),
        ("data.truth:", "a.png is 3x8x16; the model's images are 3x16x16, and nothing is resized"),
    ),
    "truth from zero to one": (
        {"y/a.png": PICTURE, "x/a.npy": np.abs(SIGNED)}, ("{}/y", "--data.truth", "{}/x"), ("data.truth:", "[0, 1]"),
    ),
    "masks that are no files": ({"a.png": PICTURE}, ("{}", *MASK, "{}/no"), ("data.masks: no folder",)),
    "a mask of another kind of file": (
        {"a.png": PICTURE}, ("{}", *MASK, __file__), ("is no mask (.jpeg, .jpg,",),
    ),
    "grey masks": (
        {"a.png": PICTURE, "m/a.png": PICTURE[..., 0]}, ("{}", *MASK, "{}/m"),
        ("data.masks:", "neither 0 nor 255"),
    ),
    "masks of another size": (
        {"a.png": PICTURE, "m.png": np.full((8, 8), 255)}, ("{}", *MASK, "{}/m.png"),
        ("data.masks:", "m.png is 8x8, and the model's images are 16x16"),
    ),
    "a mask that observes nothing": (
        {"a.png": PICTURE, "m.png": np.zeros((16, 16))}, ("{}", *MASK, "{}/m.png"),
        ("observes no pixel", "data.mask_marks"),
    ),
    "a damaged mask": (
        {"a.png": PICTURE, "m.npy": np.array([{}], dtype=object)}, ("{}", *MASK, "{}/m.npy"),
        ("data.masks: cannot read",),
    ),
    "a kernel that does not sum to one": (
        {"a.png": PICTURE, "k.npy": 3 * BLUR}, ("{}", *KERNEL, "{}/k.npy"), ("data.kernels:", "sums to 3"),
    ),
    "a mask is not stated": ({"a.png": PICTURE}, ("{}", *WITH_MASKS), ("GivenMaskInpainting needs mask", "data.masks")),
    "a kernel is not stated": ({"a.png": PICTURE}, ("{}", *WITH_KERNELS), ("GivenKernelDeblurring needs kernel",)),
    "a mask that the task does not look at": (
        {"a.png": PICTURE, "m.npy": np.ones((16, 16))}, ("{}", "--data.masks", "{}/m.npy"),
        ("data.masks: Denoising does not look at the mask", "tasks.GivenMaskInpainting"),
    ),
    "nothing at all": ({}, None, ("data.measurements: give the folder of your measurements; or",)),
    "truth that nobody measured, and a task that draws": (
        {"x/a.png": PICTURE, "m.png": HOLE},
        (None, "--data.truth", "{}/x", "--data.masks", "{}/m.png", "--model.task", "tasks.RandomInpainting"),
        ("data.masks: RandomInpainting does not look at the mask",),
    ),
    "truth of another size, through masks": (
        {"x/a.png": PICTURE[:8], "m.png": HOLE}, (None, "--data.truth", "{}/x", *MASK, "{}/m.png"),
        ("data.truth:", "a.png is 3x8x16"),
    ),
    "a task that draws masks": (
        {"a.png": PICTURE}, ("{}", "--model.task", "tasks.RandomInpainting"),
        ("RandomInpainting draws another operator for every image", "tasks.GivenMaskInpainting"),
    ),
    "a task that measures nothing": (
        {"a.png": PICTURE}, ("{}", "--model.task", "tasks.Generation"), ("Generation takes no measurement",),
    ),
    "a method that needs singular values": (
        {"a.png": PICTURE, "k.npy": BLUR},
        ("{}", *KERNEL, "{}/k.npy", "--model.guidance", "dsg.guidance.DDRM"),
        ("DDRM needs A's singular values", "GivenKernelDeblurring"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_does_not_fit_is_one_line_before_a_run_folder_exists(evaluate, tmp_path, capsys, mistake):
    contents, options, words = MISTAKES[mistake]
    root = folder(tmp_path, contents)
    named, *others = options or (None,)
    measured = MEASURED[:2] if named is None else (*MEASURED, named)
    given = [str(option).replace("{}", str(root)) for option in (*measured, *others)]
    task = () if "--model.task" in others else DENOISE
    assert evaluate(*given, *task, *QUIET) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert [word for word in words if word not in line] == [], line
    assert not (tmp_path / "run").exists()


def test_a_measurement_that_cannot_be_read_fails_alone(evaluate, tmp_path):
    root = folder(tmp_path, {"a.png": PICTURE, "b.png": PICTURE, "c.npy": np.full((3, 16, 16), np.nan)})
    (root / "b.png").write_bytes(b"torn")
    assert evaluate(*MEASURED, root, *DENOISE, *QUIET) == 1
    found = metrics(tmp_path / "run")
    assert {failure["id"] for failure in found["failures"]} == {"b", "c"}
    assert found["metrics"]["loss"]["n"] == 1


def test_grey_and_coloured_files_of_every_kind_meet_in_a_batch(tmp_path):
    grey = PICTURE[..., 0]
    root = folder(tmp_path, {"a.png": PICTURE, "b.png": grey, "c.npy": SIGNED[0], "d.npy": SIGNED[:1], "e.npy": SIGNED})
    data = MeasuredFolder(str(root), batch_size=5)
    data.expect(EXPECTED)
    (batch,) = batches(data)
    y = batch.examples.tensor("measurement")
    assert y.shape == (5, 3, 16, 16)
    assert batch.examples.images is None
    assert torch.equal(y[2], y[3])
    assert torch.equal(y[2, 0], torch.from_numpy(SIGNED[0]).float())
    again = pickle.loads(pickle.dumps(data))  # for the processes of a run on many devices
    assert torch.equal(again.load("b").columns["measurement"], y[1])


def test_a_task_of_one_channel_takes_grey_pictures_and_no_others(tmp_path):
    root = folder(tmp_path, {"a.png": PICTURE[..., 0], "b.png": PICTURE})
    data = MeasuredFolder(str(root), batch_size=2)
    data.expect(Colourisation().expected((3, 16, 16)))
    (batch,) = batches(data)
    assert batch.examples.tensor("measurement").shape == (1, 1, 16, 16)
    ((failed,)) = batch.failures
    assert (failed.image_id, "is coloured" in failed.reason) == ("b", True)


def test_kernels_of_all_sides_meet_in_a_batch_and_each_keeps_its_own(tmp_path):
    kernels = {"a": BLUR, "b": np.full((5, 1), 0.2), "c": np.ones((1, 1))}
    files = {f"y/{name}.png": PICTURE for name in kernels} | {f"k/{name}.npy": k for name, k in kernels.items()}
    root = folder(tmp_path, files)
    data = MeasuredFolder(str(root / "y"), kernels=str(root / "k"), batch_size=3, limit=2)
    data.expect(EXPECTED)
    (batch,) = batches(data)
    found = batch.examples.tensor("kernel")
    assert found.shape == (2, 1, 5, 5)  # those of the images that are left out count too: a limit changes nothing
    assert found[1, 0, :, 2].tolist() == pytest.approx([0.2] * 5)
    assert found.sum((1, 2, 3)).tolist() == pytest.approx([1, 1])


def test_masks_and_truth_may_lie_in_the_folder_of_the_measurements(tmp_path):
    ones = np.full((16, 16), 255)
    root = folder(tmp_path, {"a.png": PICTURE, "mask.png": ones, "truth/a.png": PICTURE})
    data = MeasuredFolder(str(root), truth=str(root / "truth"), masks=str(root / "mask.png"))
    assert data.image_ids() == ["a"]
    assert data.columns() == {"measurement", "image", "mask"}
    data.expect(EXPECTED)
    assert data.load("a").image is not None


def test_what_only_some_files_bring_beside_y_is_missed_in_the_others(tmp_path):
    y, ones = torch.from_numpy(SIGNED).float(), torch.ones(1, 16, 16)
    root = folder(tmp_path, {"a.safetensors": {"y": y}, "b.safetensors": {"y": y, "mask": ones}})
    data = MeasuredFolder(str(root), batch_size=2)
    assert data.columns() == {"measurement", "mask"}
    data.expect(EXPECTED)
    (batch,) = batches(data)
    assert [key for key, _ in batch.keys] == ["b"]
    ((failed,)) = batch.failures
    assert "a.safetensors holds y and no mask" in failed.reason


def test_the_report_reads_a_grey_truth_as_the_picture_that_it_is(tmp_path):
    root = folder(tmp_path, {"y/a.png": PICTURE, "x/a.npy": SIGNED[0]})
    data = MeasuredFolder(str(root / "y"), truth=str(root / "x"))
    truth = read_truth(data, "a")
    assert truth.shape == (3, 16, 16)
    assert torch.equal(truth[1], ((torch.from_numpy(SIGNED[0]).float() + 1) * 127.5).round().byte())


def test_labels_come_from_folders_or_a_file(tmp_path):
    root = folder(tmp_path, {"cat/a.png": PICTURE, "dog/b.png": PICTURE})
    (tmp_path / "labels.csv").write_text("cat/a,7\ndog/b,3\n")
    by_folder, by_file = (
        MeasuredFolder(str(root), labels=labels) for labels in ("folders", str(tmp_path / "labels.csv"))
    )
    assert [by_folder.load(i).columns["label"] for i in by_folder.image_ids()] == [0, 1]
    assert [by_file.load(i).columns["label"] for i in by_file.image_ids()] == [7, 3]
    assert (by_folder.largest_label(), by_file.largest_label()) == (1, 7)
    assert by_folder.cell_columns() == {"label": {"cat/a": "cat", "dog/b": "dog"}}
    assert by_file.cell_columns() == {"label": {"cat/a": 7, "dog/b": 3}}
    assert MeasuredFolder(str(root)).cell_columns() == {}
    assert MeasuredFolder(str(root)).largest_label() is None
    assert "label" in by_folder.columns()
