"""Prompts of the data reach a model of text; what does not fit is found before the first sample."""

import json
import re

import pytest

import tasks
from dsg.combiners import ClassifierFree
from dsg.data.folder import ImageFolder
from dsg.diffusion.kernels import DDIM
from dsg.errors import UserError
from dsg.guidance import DSG
from dsg.module import GuidedDiffusion
from tests.models import tiny_pipelines as tiny

diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")

MODEL = "--model.score_model=dsg.models.diffusers.StableDiffusion"
LEADING_AWAY = ("--model.combiner=dsg.combiners.ClassifierFree", "--model.combiner.guidance_scale=3")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """A folder with a tiny Stable Diffusion, for all tests of the file."""
    folder = tmp_path_factory.mktemp("stable diffusion")
    tiny.stable_diffusion(folder, diffusers.DDIMScheduler(steps_offset=1, clip_sample=False))
    return folder


@pytest.fixture
def captions(image_folder):
    """Write metadata of the folder's images: of each column, a text by the image's name."""

    def write(**columns):
        files = sorted(path.relative_to(image_folder).as_posix() for path in image_folder.rglob("*.png"))
        lines = [
            {"file_name": name, **{column: text_of(name) for column, text_of in columns.items()}} for name in files
        ]
        (image_folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")

    return write


def lines_of(capsys, word):
    return [line for line in capsys.readouterr().err.splitlines() if word in line]


def test_prompts_and_negative_prompts_of_the_metadata_guide_a_run(evaluate, pipeline, captions, tmp_path):
    options = (MODEL, f"--model.score_model.path={pipeline}", "--model.steps=2", "--data.limit=2", *LEADING_AWAY)
    options += ("--model.score_model.negative_prompt=null",)
    pictures = []
    for i, unwanted in enumerate(["rain", "night"]):
        captions(
            prompt=lambda name: "a red door", negative_prompt=lambda name, u=unwanted: u if name == "a.png" else ""
        )
        assert evaluate(*options, into=f"run{i}") == 0
        pictures.append([(tmp_path / f"run{i}" / "samples" / f"{name}.png").read_bytes() for name in "ab"])
    metrics = json.loads((tmp_path / "run0" / "metrics.json").read_text())["metrics"]
    assert (metrics["nfe_forward"]["mean"], metrics["nfe_decoder_forward"]["mean"]) == (4, 2)
    (first, same), (second, same_too) = pictures
    assert first != second
    assert same == same_too


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        (
            {"caption": lambda name: "snow"},
            (),
            "needs prompt of every example, .* metadata a column prompt, or set model.score_model.prompt",
        ),
        (
            {"prompt": lambda name: "snow" if name != "b.png" else "abcdefghijklmnop"},
            (),
            "prompt of b: has 18 tokens, and",
        ),
        ({"prompt": lambda name: 3}, (), "column prompt is of numbers"),
        ({}, ("--model.score_model.prompt=abcdefghijklmnop",), "model.score_model.prompt: has 18 tokens"),
    ],
)
def test_what_cannot_be_said_is_refused_before_a_run_folder_exists(
    evaluate, pipeline, captions, tmp_path, capsys, columns, options, words
):
    if columns:
        captions(**columns)
    assert evaluate(MODEL, f"--model.score_model.path={pipeline}", *options) != 0
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert re.search(words, line), line
    assert not (tmp_path / "run").exists()


def test_prompts_that_nobody_hears_are_told_of(evaluate, captions, capsys):
    captions(prompt=lambda name: "snow")
    assert evaluate("--model.steps=1", "--data.limit=1") == 0
    assert lines_of(capsys, "not read") == ["not read: the data's prompt, since Toy is told of no text"]


def test_a_column_of_another_name_is_read_where_it_is_named(pipeline, captions, image_folder):
    from dsg.models.diffusers import StableDiffusion

    captions(caption=lambda name: "snow")
    model = StableDiffusion(str(pipeline), prompt_column="caption")
    module = GuidedDiffusion(
        model, tasks.Denoising(), DSG(guidance_rate=0.1), DDIM(1.0), steps=2, combiner=ClassifierFree(2.0)
    )
    data = ImageFolder(str(image_folder), image_size=16)
    module.check(data)
    assert module.notes(data) == []
    with pytest.raises(UserError, match=r"set model\.score_model\.prompt"):
        GuidedDiffusion(
            StableDiffusion(str(pipeline)), tasks.Denoising(), DSG(guidance_rate=0.1), DDIM(1.0), steps=2
        ).check(data)
