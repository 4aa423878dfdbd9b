"""The configurations that reproduce a paper's table: what they need, what they set, and that they begin."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from dsg.command.merge import at
from dsg.comparison.check import check_all
from dsg.comparison.grid import Cell, Grid
from dsg.comparison.plan import Comparison, read_comparison
from train_free_eval import CheckCLI, main

FILES = {path.stem: path for path in sorted((Path(__file__).parents[2] / "configs" / "published").glob("*.yaml"))}
UNSOURCED = {"dsg_celebahq256_identity", "inversebench_ffhq256"}
"""Of these no number could be found."""
RATE, INTERVAL = "guidance_rate", "interval"
LEARNING_RATE = "chain.init_args.step_size.learning_rate"
pytestmark = pytest.mark.filterwarnings("ignore:.*LightningCLI's args.*", "ignore:.*deprecated in v4.49.*")


def head(name: str) -> str:
    return "\n".join(line for line in FILES[name].read_text().splitlines() if line.startswith("#"))


def grid(name: str, *over: Path) -> Grid:
    return Grid(*read_comparison([FILES[name], *over]), Path("unused"))


def files_in(settings: Any) -> set[str]:
    """Every path below checkpoints/ and data/ that the settings name."""
    if isinstance(settings, dict):
        return {path for value in settings.values() for path in files_in(value)}
    named = isinstance(settings, str) and re.fullmatch(r"(?:\./)?((?:checkpoints|data)/\S+)", settings)
    return {named[1]} if named else set()


@pytest.mark.parametrize("name", FILES)
def test_the_head_says_the_command_the_files_with_their_places_the_cost_and_what_to_expect(name):
    text, found = head(name), grid(name)
    command = rf"compare --config configs/published/{name}\.yaml (\\\n#\s+)?--out_dir runs/{name}\n"
    assert re.search(command, text)
    assert all(word in text for word in ("Needs, below the current folder", "\n# Cost per", "\n# Expect"))
    cells = [found.evaluation(cell, found.candidates(cell.method)[0]).settings for cell in found.cells]
    needed = {path for settings in cells for path in files_in(settings)}
    text = text if name != "daps_ffhq256_nonlinear" else text + head("daps_ffhq256")
    assert needed
    assert {path for path in needed if path not in text} == set()


@pytest.mark.parametrize("name", FILES)
def test_no_strength_is_left_to_chance_and_every_number_names_a_paper(name):
    found = grid(name)
    assert found.notes() == []  # every strength is stated, or in the model's table
    numbers = found.comparison.published_numbers
    assert (name in UNSOURCED) == (not numbers)
    for number in numbers:
        assert re.search(r"\b\d{4}\.\d{5}\b", number.number.source), number
        of_an_fid = number.metric == "fid_clean"
        assert not of_an_fid or number.number.variant  # nobody's FID is clean-fid's


@pytest.mark.parametrize(
    ("name", "cell", "arguments"),
    [
        ("dps_ffhq256", ("super_resolution", "dps", "default"), {"step_size": 0.3}),
        ("dps_ffhq256", ("box_inpainting", "dps", "default"), {"step_size": 0.5}),
        ("dps_ffhq256", ("random_inpainting", "dps", "default"), {"step_size": 0.5}),
        ("dps_ffhq256", ("motion_deblurring", "dps", "default"), {"step_size": 0.3}),
        ("dps_imagenet256", ("box_inpainting", "dps", "default"), {"step_size": 0.5}),
        ("daps_ffhq256", ("super_resolution", "daps", "default"), {LEARNING_RATE: 1e-4, "ode_steps": 5}),
        ("daps_ffhq256", ("motion_deblurring", "daps", "default"), {LEARNING_RATE: 5e-5, "likelihood_sigma": 0.01}),
        ("daps_ffhq256_nonlinear", ("high_dynamic_range", "daps", "default"), {LEARNING_RATE: 2e-5, "ode_steps": 10}),
        ("dsg_ffhq256", ("super_resolution", "dsg", "steps_1000"), {RATE: 0.2, INTERVAL: 20}),
        ("dsg_ffhq256", ("super_resolution", "dsg_without_jacobian", "steps_100"), {RATE: 0.1, INTERVAL: 2}),
        ("dsg_imagenet256", ("super_resolution", "dsg_without_jacobian", "default"), {RATE: 0.1, INTERVAL: 10}),
        ("dsg_celebahq256_identity", ("identity", "freedom", "default"), {"step_size": 100.0, "t_low": 101}),
        ("freedom_celebahq256", ("segmentation", "freedom", "default"), {"step_size": 0.2, "t_low": 201}),
        ("inversebench_ffhq256", ("super_resolution", "daps", "default"), {"chain.init_args.half": True}),
    ],
    ids=str,
)
def test_a_run_has_the_strength_of_the_published_code(name, cell, arguments):
    found = grid(name)
    settings = found.evaluation(Cell(*cell), found.candidates(cell[1])[0]).settings
    assert {key: at(settings, f"model.guidance.init_args.{key}") for key in arguments} == arguments


def test_the_levels_of_daps_are_those_of_its_code():
    """Of N + 1 levels, even in σ^(1/7) from 100 to 0.1, the code replaces the last by 0: ours end at the one before."""
    for name, steps in {"daps_ffhq256": 200, "daps_ffhq256_nonlinear": 400, "inversebench_ffhq256": 200}.items():
        found = grid(name)
        cell = next(cell for cell in found.cells if cell.method == "daps")
        model = found.evaluation(cell, found.candidates("daps")[0]).settings["model"]
        spacing = model["spacing"]["init_args"]
        code = np.linspace(100 ** (1 / 7), 0.1 ** (1 / 7), steps + 1)[:-1] ** 7
        assert (model["steps"], spacing["rho"], spacing["sigma_max"]) == (steps, 7.0, pytest.approx(code[0]))
        assert spacing["sigma_min"] == pytest.approx(code[-1], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("daps_ffhq256", r"checkpoint checkpoints/ffhq_10m\.pt: no such file"),
        ("freedom_celebahq256", r"model folder \./checkpoints/ddpm-ema-celebahq-256: no such folder"),
    ],
)
def test_without_the_weights_there_is_one_line_and_no_run(name, missing, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["compare", "--config", str(FILES[name]), "--out_dir", "out"])
    except SystemExit as end:
        code = end.code
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert code == 2
    assert re.search(missing, line)
    assert not Path("out", "runs").exists()


@pytest.fixture
def stand_ins(tmp_path, monkeypatch) -> Path:
    """Images where the configurations look for them, and a file that puts a toy in the score model's place."""
    monkeypatch.chdir(tmp_path)
    for name in ("ffhq256", "test-ffhq", "imagenet256", "celebahq256"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for i in range(2):
            pixels = np.random.default_rng(i).integers(0, 256, (256, 256, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    over = {
        "model": {"score_model": {"class_path": "tests.toy.Toy", "init_args": {"size": 256, "learns_variance": True}}},
        "data": {"init_args": {"limit": 2, "num_workers": 0}},
        "trainer": {"accelerator": "cpu"},
        "quality": {"lpips": []},
        "distribution": {"features": []},
    }
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(over))
    return tmp_path / "over.yaml"


@pytest.mark.parametrize(
    ("over", "missing"),
    [
        ({"data": {"init_args": {"root": "data/nothing"}}}, r"data\.root: .*data/nothing"),
        ({"quality": {"lpips": ["vgg"]}}, r"lpips_vgg: wants vgg16-397923af\.pth in checkpoints"),
        ({"distribution": {"features": ["inception"]}}, r"wants inception-2015-12-05\.pt in \S*checkpoints"),
    ],
    ids=["images", "vgg", "inception"],
)
def test_whatever_else_is_missing_is_one_line_with_its_place(over, missing, stand_ins, capsys):
    over["comparison"] = {"optional_metrics": ["fid_clean" if "quality" in over else "lpips_vgg"]}
    Path("also.yaml").write_text(yaml.safe_dump(over))
    configs = [option for file in (FILES["dps_ffhq256"], stand_ins, "also.yaml") for option in ("--config", str(file))]
    assert main(["compare", *configs, "--out_dir", "out"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert re.search(missing, line)


def check(found: Grid) -> int:
    """How many images each run would evaluate; LPIPS and the FID may be missing."""

    def one(arguments: list[str], built: dict[str, Any], needed: Any) -> Any:
        return CheckCLI(arguments, built, needed).data

    metrics: Comparison = found.comparison
    optional = [name for name in metrics.all_metrics if name.startswith(("lpips", "fid"))]
    return check_all(Grid(replace(metrics, optional_metrics=optional), found.shared, Path("out")), one).images


def test_a_protocol_goes_up_to_the_first_sample(stand_ins):
    assert check(grid("daps_ffhq256_nonlinear", stand_ins)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_protocol_goes_up_to_the_first_sample_with_stand_ins_of_the_published_networks(name, stand_ins):
    from tasks.networks.anime2sketch import SketchUNet
    from tasks.networks.arcface import IRSE
    from tasks.networks.bisenet import FaceParsing

    Path("checkpoints").mkdir()
    makers = {"model_ir_se50.pth": IRSE, "79999_iter.pth": FaceParsing, "netG.pth": SketchUNet}
    for file, network in makers.items():
        if f"checkpoints/{file}" in FILES[name].read_text():
            torch.save(network().state_dict(), f"checkpoints/{file}")
    assert check(grid(name, stand_ins)) == 2


def test_the_page_links_every_protocol_and_has_every_number():
    page = (Path(__file__).parents[2] / "docs" / "published.md").read_text()
    for name in FILES:
        assert f"(../configs/published/{name}.yaml)" in page
        rows = re.findall(rf"^\| {name}\b.*(?:\n\| \|.*)*", page, re.MULTILINE)
        for number in grid(name).comparison.published_numbers:
            assert re.search(rf"(?<![\d.]){number.number.value:g}\)? \|", "\n".join(rows)), number
