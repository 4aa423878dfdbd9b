"""Every configuration can be read, composes with the others, and says how it is run."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from dsg import guidance
from dsg.command.files import read
from dsg.command.merge import at
from dsg.command.table_of_strengths import read_table
from dsg.diffusion.kernels import Churn
from dsg.errors import DoesNotFit
from train_free_eval import CheckCLI, EvaluationCLI

CONFIGS = Path(__file__).parents[2] / "configs"
EXPERIMENTS = sorted((CONFIGS / "experiment").glob("*.yaml"))
TABLES = sorted((CONFIGS / "strengths").glob("*.yaml"))
BEFORE = yaml.safe_load((CONFIGS.parent / "tests" / "data" / "settings_of_experiments.yaml").read_text())
MODELS, TASKS, METHODS = (
    [path.stem for path in sorted((CONFIGS / axis).glob("*.yaml"))] for axis in ("model", "task", "guidance")
)
WITHOUT_WEIGHTS = (
    "ffhq256_adm", "imagenet256_adm", "imagenet256_adm_conditional", "celebahq256_diffusers", "ffhq_ldm",
    "dit_xl_2_256", "stable_diffusion_15", "stable_diffusion_3", "edm_ffhq64", "edm2_imagenet64",
)  # fmt: skip
OF_A_MIXTURE = ("exact_samples", "oracle")
pytestmark = pytest.mark.filterwarnings("ignore:.*LightningCLI's args.*", "ignore:.*deprecated in v4.49.*")


class Resolved(Exception):
    """The settings that the parser accepted."""


class ParseCLI(EvaluationCLI):
    """The command line up to the parser."""

    def instantiate_classes(self) -> None:
        raise Resolved(self.recorded["predict"])


def resolved(*options: object) -> dict[str, Any]:
    """All settings of a run, defaults too."""
    with pytest.raises(Resolved) as found:
        ParseCLI(["predict", "--run_dir", "unused", *map(str, options)])
    return found.value.args[0]


def configurations(*names: str) -> list[str]:
    return [option for name in names for option in ("--config", str(CONFIGS / f"{name}.yaml"))]


def fits_not(error: BaseException | None) -> bool:
    """Whether it is a method that wants another kind of task, and says so."""
    return isinstance(error, DoesNotFit) or (error is not None and fits_not(error.__cause__))


def of(settings: Any, expected: Any) -> Any:
    """The part of `settings` that `expected` has keys for."""
    if isinstance(expected, dict) and isinstance(settings, dict):
        return {key: of(settings.get(key), value) for key, value in expected.items()}
    return settings


@pytest.fixture(scope="module")
def built():
    """The score models that the runs share."""
    return {}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_an_experiment_resolves_to_what_it_stated_before_strengths_had_a_table(path, built, tmp_path, capsys):
    expected = BEFORE[path.stem]
    if path.stem.startswith(("portraits", "posterior", "theory")):  # its weights are there
        options = ["--config", str(path), "--run_dir", str(tmp_path / "run"), "--trainer.accelerator", "cpu"]
        cli = CheckCLI(["predict", *options], built)
        assert cli.datamodule.keys()
        stated = cli.recorded["predict"]
    else:
        stated = resolved("--config", path, "--data.root", "images")
    assert of(stated, expected) == expected
    assert capsys.readouterr().err == ""  # every strength is in the table


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_an_experiment_begins_with_the_command_that_runs_it_its_cost_and_what_to_expect(path):
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert f"python train_free_eval.py predict --config configs/experiment/{path.name}" in "\n".join(head)
    assert any("Cost per image" in line for line in head)
    assert any("Expect" in line for line in head)


# a covering set: every model with some task, and on the portraits every task and every method, in as many as there are
COMPOSITIONS = [(model, "random_inpainting", "dsg") for model in WITHOUT_WEIGHTS]
COMPOSITIONS += [("twenty_five_gaussians", "random_projection", method) for method in (*OF_A_MIXTURE, "dps")]
COMPOSITIONS += [("linear_latents", "random_projection", "psld")]
COMPOSITIONS += [("portraits_latent", "super_resolution", "psld")]
COMPOSITIONS += [("pair", "generation", "unguided"), ("token_pair", "generation", "unguided")]
COMPOSITIONS += [("portraits_tokens", "generation", "unguided")]
FOR_IMAGES = [
    task
    for task in TASKS
    if task not in ("random_projection", "generation", "deepinv_downsampling") and not task.startswith("given_")
]
ON_IMAGES = [method for method in METHODS if method not in OF_A_MIXTURE]
COMPOSITIONS += [("portraits", *pair) for pair in zip(itertools.cycle(FOR_IMAGES), ON_IMAGES, strict=False)]
COMPOSITIONS += [("portraits", "generation", "unguided")]
COMPOSITIONS += [("portraits", "given_mask_inpainting", "dsg"), ("portraits", "given_kernel_deblurring", "diffpir")]


def test_the_compositions_cover_every_model_task_and_method():
    extra = [] if importlib.util.find_spec("deepinv") is None else ["deepinv_downsampling"]
    models, tasks, methods = ({c[axis] for c in COMPOSITIONS} for axis in range(3))
    assert (models, tasks | {"deepinv_downsampling"}) == (set(MODELS), set(TASKS))
    assert methods == set(METHODS)
    for task in extra:
        assert resolved(*configurations("model/portraits", f"task/{task}", "guidance/dps"))


@pytest.mark.parametrize(("model", "task", "method"), COMPOSITIONS, ids=["-".join(c) for c in COMPOSITIONS])
def test_a_model_a_task_and_a_guidance_compose_into_a_run(model, task, method, built, tmp_path):
    options = configurations(f"model/{model}", f"task/{task}", f"guidance/{method}")
    if model in WITHOUT_WEIGHTS:
        assert at(resolved(*options, "--data.root", "images"), "model.guidance.class_path") == "dsg.guidance.DSG"
        return
    small = {"box_inpainting": ["--model.task.size", "32", "--model.task.margin", "4"]}.get(task, [])
    if task == "motion_deblurring":
        small = ["--model.task.kernel_size", "15"]
    run = [*options, *small, "--run_dir", str(tmp_path / "run"), "--trainer.accelerator", "cpu"]
    if task.startswith("given_"):
        run += [*configurations("data/measured"), *measured(tmp_path, task)]
    if model in ("pair", "token_pair"):
        combiner = "classifier_free" if model == "pair" else "tokens_classifier_free"
        run += [*configurations(f"combiner/{combiner}"), "--data.label", "1"]
    try:
        assert CheckCLI(["predict", *run], built).datamodule.keys()
    except Exception as error:
        if not fits_not(error):
            raise


def measured(tmp_path: Path, task: str) -> list[str]:
    """A folder with one black measurement, and its mask or kernel."""
    (tmp_path / "y").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "y" / "a.png")
    Image.new("L", (64, 64), 255).save(tmp_path / "white.png")
    column = "masks" if task == "given_mask_inpainting" else "kernels"
    return ["--data.measurements", str(tmp_path / "y"), f"--data.{column}", str(tmp_path / "white.png")]


def test_the_page_on_configurations_composes_as_it_says():
    lines = (CONFIGS.parent / "docs" / "configuration.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ") and "`model/" in line and "`guidance/" in line]
    assert len(rows) == 9
    for row in rows:
        parts = re.findall(r"`((?:model|data|task|guidance|combiner|kernel)/\w+)`", row)
        options = " ".join(re.findall(r"`(--[^`]*)`", row)).split()
        assert at(resolved(*configurations(*parts), *options), "model.task.class_path")


def test_tokens_take_a_kernel_of_their_own():
    parts = configurations("model/portraits_tokens", "task/generation", "kernel/confidence_order")
    found = resolved(*parts, *configurations("combiner/tokens_classifier_free"), "--data.labels", "true")["model"]
    assert (found["kernel"]["class_path"], found["steps"]) == ("dsg.masked.kernels.ConfidenceOrder", 32)
    assert found["combiner"]["init_args"] == {"guidance_scale": 2.0, "normalised": True}


def test_what_a_composition_fills_in_is_what_the_table_says():
    parts = configurations("model/portraits", "task/jpeg", "guidance/dsg")
    assert at(resolved(*parts), "model.guidance.init_args.guidance_rate") == 0.1
    parts = configurations("model/ffhq256_adm", "task/super_resolution", "guidance/dsg")
    found = resolved(*parts, "--data.root", "images")["model"]["guidance"]["init_args"]
    assert (found["guidance_rate"], found["interval"]) == (0.1, 2)
    found = resolved(*parts, "--data.root", "images", "--model.steps", 1000)["model"]["guidance"]["init_args"]
    assert (found["guidance_rate"], found["interval"]) == (0.2, 20)


def test_the_portraits_strengths_are_those_that_the_benchmark_chose():
    names = {
        "random inpainting": "RandomInpainting",
        "super-resolution x4": "SuperResolution",
        "gaussian deblurring": "GaussianDeblurring",
    }
    benchmark = json.loads((CONFIGS.parent / "docs" / "tables" / "dsg_against_dps.json").read_text())
    chosen = {
        (f"tasks.{names[row['task']]}", row["steps"], f"dsg.guidance.{method}"): row[f"{method} strength"]
        for row in benchmark
        for method in ("DPS", "DSG")
    }
    table = read_table(CONFIGS / "strengths" / "portraits.yaml")
    stated = {(row.task, row.steps, row.guidance): next(iter(row.set.values())) for row in table}
    assert {key: stated[key] for key in chosen} == chosen


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.stem)
def test_a_table_of_strengths_names_classes_and_arguments_that_there_are(path):
    for row in read_table(path):
        for class_path in (row.task, row.guidance):
            module, name = class_path.rsplit(".", 1)
            parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters
        assert set(row.set) <= set(parameters), row
        getattr(guidance, name)(**row.set)  # in their ranges


def test_a_guidance_configuration_states_all_but_what_tables_fill_in():
    filled: dict[str, set[str]] = {}
    for row in itertools.chain(*map(read_table, TABLES)):
        filled.setdefault(row.guidance, set()).update(row.set)
    for path in sorted((CONFIGS / "guidance").glob("*.yaml")):
        section = read([path])["model"]["guidance"]
        method = getattr(guidance, section["class_path"].rsplit(".", 1)[1])
        fields = {field.name for field in dataclasses.fields(method)} if dataclasses.is_dataclass(method) else set()
        strengths = filled.get(section["class_path"], set())
        own = path.stem in (
            "daps_metropolis_hastings",
            "daps_published",
            "latent_daps_published",
            *(m for m in METHODS if m.startswith("dsg_over")),
        )
        stated = set(section.get("init_args", {}))
        assert stated == (fields if own else fields - strengths), path.name


@pytest.mark.parametrize("axis", ["data", "model", "task"])
def test_a_configuration_of_an_axis_spells_out_every_parameter_that_has_a_default(axis):
    for path in sorted((CONFIGS / axis).glob("*.yaml")):
        for section in class_sections(yaml.safe_load(path.read_text())):
            module, name = section["class_path"].rsplit(".", 1)
            if importlib.util.find_spec(module.split(".")[0]) is None:
                continue  # of an extra that is not installed
            parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
            optional = {p.name for p in parameters if p.default is not inspect.Parameter.empty}
            assert optional <= set(section.get("init_args", {})), f"{path.name}: {section['class_path']}"


def class_sections(content):
    """Every {class_path, init_args} inside, at any depth."""
    if isinstance(content, dict):
        if "class_path" in content:
            yield content
        for value in content.values():
            yield from class_sections(value)


def test_the_published_churn_is_the_default_one_on_its_levels():
    settings = resolved(
        *configurations("model/portraits", "task/generation", "guidance/unguided", "kernel/edm_stochastic")
    )
    kernel = settings["model"]["kernel"]
    assert kernel["class_path"].endswith("Churn")
    numbers = {name: value for name, value in kernel["init_args"].items() if name != "kernel"}
    assert Churn(**numbers) == Churn()
    assert kernel["init_args"]["kernel"]["class_path"].endswith("Heun")
    assert (settings["model"]["steps"], settings["model"]["spacing"]["class_path"]) == (256, "dsg.diffusion.Karras")
