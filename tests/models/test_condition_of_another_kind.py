"""A condition of another kind, a text, under loss guidance, a combiner and the command line: no edit of the library."""

import json
from dataclasses import replace

import pytest
import torch

from dsg.combiners import APG, ClassifierFree, Conditional
from dsg.data.examples import Examples
from dsg.diffusion import Even, LogSNR
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.kernels import DDIM, Heun
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, Unguided
from dsg.sampling import Sampler
from tasks import SuperResolution
from tests.contract.run import keys, references
from tests.toy_text import ToyOfPrompts, embedded

PROMPTS = ["a red door", "snow", "a very long text of many words", ""]


def sample(guidance, combiner, prompts=PROMPTS, kernel=None, which=slice(None), names="abcd"):
    spacing = LogSNR() if kernel else Even()
    sampler = Sampler(ToyOfPrompts(16), SuperResolution(), guidance, kernel or DDIM(), 10, spacing, combiner=combiner)
    columns = {} if prompts is None else {"prompt": prompts[which]}
    process = sampler.begin(Examples(references(4)[which], columns), NoiseStreams(keys(names[which])))
    *_, last = sampler.run(process)
    return last.x_prev, process


def test_a_text_goes_through_classifier_free_guidance_and_dsg():
    guided, process = sample(DSG(guidance_rate=0.3), ClassifierFree(3.0))
    free, _ = sample(Unguided(), ClassifierFree(3.0))
    assert (process.forwards, process.backwards) == (20, 9)
    assert process.loss(guided).mean() < process.loss(free).mean()
    weak, _ = sample(DSG(guidance_rate=0.3), Conditional())
    told = (guided - weak).flatten(1).abs().amax(1) > 0.01
    assert told.tolist() == [True, True, True, False]  # the empty text is the null


def test_each_image_has_its_own_text_whatever_its_batch():
    together, _ = sample(DSG(guidance_rate=0.3), APG(3.0))
    for i in range(4):
        alone, _ = sample(DSG(guidance_rate=0.3), APG(3.0), which=slice(i, i + 1))
        assert torch.allclose(alone, together[i : i + 1], atol=1e-4)


def test_a_kernel_of_two_evaluations_tells_the_text_at_both():
    told, process = sample(DPS(0.5), ClassifierFree(3.0), kernel=Heun())
    silent, _ = sample(DPS(0.5), ClassifierFree(3.0), prompts=[""] * 4, kernel=Heun())
    assert process.forwards == 2 * 19
    assert not torch.allclose(told[:3], silent[:3], atol=0.05)
    assert torch.allclose(told[3:], silent[3:], atol=1e-4)


def test_guidance_leads_away_from_a_negative_prompt_of_each_image():
    model, scale = ToyOfPrompts(16), 3.0
    wanted, unwanted = embedded(["a red door", "snow"]), embedded(["rain", ""])
    combiner = ClassifierFree(scale)
    sampler = Sampler(model, SuperResolution(), Unguided(), DDIM(), 10, clip_denoised=False, combiner=combiner)
    process = sampler.begin(Examples(references(2), {"prompt": ["", ""]}), NoiseStreams(keys("ab")))
    process.condition = replace(wanted, negative=unwanted)
    x, step = torch.randn(2, 3, 16, 16), process.steps[3]
    away, towards = (model(x, step, text).epsilon for text in (unwanted, wanted))
    guided = process.combiner.predict(x, step, process)
    assert torch.allclose(guided.epsilon, away + scale * (towards - away), atol=1e-5)


def test_rows_of_a_text_are_those_of_some_samples():
    some = embedded(PROMPTS).rows(torch.tensor([2, 0]))
    assert len(some) == 2
    assert torch.equal(some.embedding, embedded([PROMPTS[2], PROMPTS[0]]).embedding)


def test_a_class_label_is_no_text():
    model = ToyOfPrompts(16)
    level = Even().levels(model.schedule, 2)[0]
    with pytest.raises(UserError, match="cannot use ClassLabels"):
        model(torch.zeros(1, 3, 16, 16), level, ClassLabels(torch.tensor([0])))


@pytest.fixture
def evaluated(image_folder, evaluate):
    """Evaluate the toy of prompts under classifier-free guidance and DSG on a folder with a column in its metadata."""

    def run(column, text_of=lambda name: f"a picture {name}", into="run"):
        files = sorted(path.relative_to(image_folder).as_posix() for path in image_folder.rglob("*.png"))
        lines = [json.dumps({"file_name": name, column: text_of(name)}) for name in files]
        (image_folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
        model = ["--model.score_model", "tests.toy_text.ToyOfPrompts", "--model.score_model.size", "16"]
        combiner = ["--model.combiner", "dsg.combiners.ClassifierFree", "--model.combiner.guidance_scale", "3"]
        return evaluate(*model, *combiner, into=into)

    return run


def test_a_folder_s_texts_reach_the_model_of_the_command_line(evaluated, tmp_path):
    assert evaluated("prompt") == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    assert metrics["psnr"]["n"] == 6
    assert metrics["nfe_forward"]["mean"] == 10  # five steps, with the text and without
    assert evaluated("prompt", lambda name: "snow" if name == "a.png" else f"a picture {name}", into="other") == 0
    pictures = [sorted((tmp_path / run / "samples").rglob("*.png")) for run in ("run", "other")]
    one, other = ({path.name: path.read_bytes() for path in paths} for paths in pictures)
    assert {name for name in one if one[name] != other[name]} == {"a.png"}


def test_a_folder_without_the_texts_is_refused_before_the_first_sample(evaluated, capsys, tmp_path):
    assert evaluated("caption") != 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "prompt" in line]
    assert "ClassifierFree needs prompt of every example, of which ToyOfPrompts makes its condition" in line
    assert not (tmp_path / "run" / "samples").exists()
