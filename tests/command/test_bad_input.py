"""Every mistake in the input ends with code 2, one line that says what and how to mend it, and no results."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.command.bad_inputs import BAD_INPUTS


def _png(size: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).save(content, format="PNG")
    return content.getvalue()


class Code:
    """What a pickle can do to whoever loads it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.file}",)


@pytest.fixture
def bad_files(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    for folder, name, content in (
        ("documents", "x.pdf", b"%PDF"), ("text", "x.png", b"no picture"), ("nothing", "x.png", b""),
        ("small", "x.png", _png(8)), ("torn", "x.png", _png(16)[:-40]), ("twins", "x.png", _png(16)),
        ("twins", "x.jpg", _png(16)), ("unnamed", "x.png", _png(16)), ("unnamed", "metadata.csv", b"id,caption\nx,y\n"),
        ("listed", "x.png", _png(16)), ("listed", "metadata.jsonl", b'{"file_name": "z.png"}\n'),
        ("finished", "config.yaml", b"model: {}\ndata: {}\n"), ("finished", "per_image.csv", b"id,sample\n"),
        ("nested", "x.jpg", _png(16)), ("nested/x.png", "y.png", _png(16)), ("from_one/1", "x.png", _png(16)),
        ("from_one/2", "x.png", _png(16)), ("two_classes/a", "x.png", _png(16)), ("two_classes/b", "x.png", _png(16)),
        ("latent", "model_index.json", b'{"vae": ["diffusers", "AutoencoderKL"]}'),
        ("dit", "model_index.json", b'{"_class_name": "DiTPipeline"}'),
        ("halved", "model_index.json", b'{"_class_name": "LDMPipeline", "unet": ["diffusers", "UNet2DModel"]}'),
    ):  # fmt: skip
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_bytes(content)
    (tmp_path / "twice.csv").write_text("a,0\na,0\n")
    (tmp_path / "names.csv").write_text("a,0\nb,cat\n")
    (tmp_path / "others.csv").write_text("z,0\n")
    (tmp_path / "zero.pt").write_bytes(b"")
    (tmp_path / "page.pt").write_text("<!DOCTYPE html><html>sign in to download</html>")
    np.savez(tmp_path / "keys.npz", mean=np.zeros(3))
    np.savez(tmp_path / "code.npz", mu=np.array([Code(tmp_path / "executed")], dtype=object), sigma=np.zeros((1, 1)))
    (tmp_path / "labels.csv").write_text("a,0\nb,1\nc,2\nd,3\nmore/e,4\nmore/f,5\n")
    torch.save({"weight": torch.zeros(1000)}, tmp_path / "foreign.pt")
    (tmp_path / "truncated.pt").write_bytes((tmp_path / "foreign.pt").read_bytes()[:1000])
    (tmp_path / "truncated.safetensors").write_bytes(b"\x40\x00\x00\x00\x00\x00\x00\x00{")
    torch.save({"epoch": 3, "state_dict": {"weight": torch.zeros(1)}}, tmp_path / "training.pt")
    (tmp_path / "code.pt").write_bytes(pickle.dumps(Code(tmp_path / "executed"), protocol=2))
    (tmp_path / "broken.yaml").write_text("model: {steps: 5\ndata: [")
    (tmp_path / "sentence.yaml").write_text("there is nothing in here")
    guidance = "{class_path: dsg.guidance.DSG, init_args: {guidance_ratee: 1}}"
    (tmp_path / "misspelt.yaml").write_text(f"model: {{guidance: {guidance}}}")
    (tmp_path / "unknown.yaml").write_text("modell: {steps: 5}")
    (tmp_path / "dangling.yaml").write_text("include: [gone.yaml]")
    (tmp_path / "circle.yaml").write_text("include: [round.yaml]")
    (tmp_path / "round.yaml").write_text("include: [circle.yaml]")
    (tmp_path / "text.yaml").write_text("include: circle.yaml")
    (tmp_path / "one.yaml").write_text("model: {steps: 3}")
    (tmp_path / "two.yaml").write_text("model: {steps: 4}")
    (tmp_path / "undecided.yaml").write_text("include: [one.yaml, two.yaml]\nmodel: {seed: 1}")
    (tmp_path / "seeded.yaml").write_text("seed_everything: 42")
    (tmp_path / "batches.yaml").write_text("trainer: {limit_predict_batches: 1}")
    (tmp_path / "listed.yaml").write_text("callbacks: [callbacks.Manifold]")
    return tmp_path


@pytest.mark.parametrize("mistake", BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_a_mistake_is_one_line(mistake, evaluate: Callable[..., int], bad_files, capsys):
    if mistake.spoil is not None:
        assert evaluate("--data.limit", "1") == 0
        capsys.readouterr()
        mistake.spoil(bad_files / "run")
    before = sorted(bad_files.rglob("*.png"))
    code = evaluate(*(option.replace("{}", str(bad_files)) for option in mistake.options))
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("unavailable: ")]
    assert code == mistake.code, lines
    if code == 1:
        assert lines.pop() == f"1 of 1 samples failed; {bad_files}/run/per_image.csv says why"
    assert len(lines) == 1
    assert lines[0].startswith("failed: " if code == 1 else "error: ")
    assert len(lines[0]) < 500
    for word in mistake.words:
        assert word in lines[0]
    assert sorted(bad_files.rglob("*.png")) == before
    assert not (bad_files / "executed").exists()


def test_there_are_mistakes_of_every_area_and_no_two_are_the_same():
    assert len(BAD_INPUTS) >= 60
    assert len({(mistake.options, mistake.spoil and name) for name, mistake in BAD_INPUTS.items()}) == len(BAD_INPUTS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_where_there_is_none_is_one_line(evaluate, capsys):
    assert evaluate("--trainer.accelerator", "gpu") == 2
    assert capsys.readouterr().err == (
        "error: trainer: No supported gpu backend found!; accelerator auto and devices auto take what there is\n"
    )


def test_other_settings_in_a_run_folder_are_refused_with_each_difference_named(evaluate, capsys):
    assert evaluate("--data.limit", "2") == 0
    capsys.readouterr()
    assert evaluate("--data.limit", "2", "--model.seed", "1", "--model.guidance.guidance_rate", "0.3") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "model.seed was 0, now 1" in line
    assert "model.guidance.init_args.guidance_rate was 0.2, now 0.3" in line
    assert "another run_dir" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_folder_that_may_not_be_written_is_one_line(evaluate, tmp_path, capsys):
    (tmp_path / "run").mkdir(mode=0o500)
    assert evaluate() == 2
    assert f"cannot write {tmp_path / 'run'}" in capsys.readouterr().err


def test_an_image_that_vanishes_before_it_is_read_fails_alone(evaluate, image_folder, monkeypatch):
    opened = Image.open

    def vanishing(path, *args, **kwargs):
        if str(path).endswith("a.png"):
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Image, "open", vanishing)
    assert evaluate() == 1
