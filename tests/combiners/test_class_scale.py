"""A guidance scale of each class: every sample is guided as if its class's scale were the only one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dsg.combiners import APG, Autoguidance, CFGZeroStar, ClassifierFree, PredictionCombiner
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DSG, Guidance, Unguided
from dsg.sampling import Sampler
from tasks import RandomInpainting
from tests.combiners.test_combiners import ClassToy, references
from tests.toy import Toy

SCALES = (1.0, 2.0, 0.0, 3.5)
LABELS = [3, 0, 2, 1]


def sampled(combiner: PredictionCombiner, of: list[int], guidance: Guidance | None = None) -> torch.Tensor:
    """The samples of some of four examples."""
    sampler = Sampler(ClassToy(), RandomInpainting(), guidance or Unguided(), DDIM(), 6, combiner=combiner)
    examples = Examples(references(4)[of], {"label": torch.tensor(LABELS)[of]})
    process = sampler.begin(examples, NoiseStreams([SampleKey(0, str(i)) for i in of]))
    *_, last = sampler.run(process)
    return last.x_prev


@pytest.mark.parametrize(
    "combiner",
    [
        ClassifierFree(SCALES),
        ClassifierFree(SCALES, rescale=0.7),
        APG(SCALES, norm_threshold=5.0),
        CFGZeroStar(SCALES),
        Autoguidance(SCALES, guide=ClassToy(strength=0.1)),
    ],
    ids=["cfg", "cfg, rescaled", "apg", "cfg-zero*", "autoguidance"],
)
def test_every_sample_is_guided_by_the_scale_of_its_class_as_if_it_were_alone(combiner):
    together = sampled(combiner, [0, 1, 2, 3])
    for i in (0, 2, 3):  # the class with γ = 1 takes no second evaluation where it is alone, as the next test says
        alone = sampled(dataclasses.replace(combiner, guidance_scale=SCALES[LABELS[i]]), [i])
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-5, rtol=1e-5)


def test_a_class_with_scale_one_is_the_conditional_model_beside_guided_ones():
    alone = sampled(ClassifierFree(1.0), [1])
    torch.testing.assert_close(sampled(ClassifierFree(SCALES), [0, 1, 2, 3])[1:2], alone, atol=2e-5, rtol=1e-5)


def test_scales_of_one_for_all_classes_take_one_evaluation_and_correct_nothing():
    assert not ClassifierFree((1.0,) * 4).corrects
    assert ClassifierFree(SCALES).corrects
    torch.testing.assert_close(
        sampled(ClassifierFree((1.0,) * 4), [0, 1]), sampled(ClassifierFree(1.0), [0, 1]), atol=0, rtol=0
    )


def test_scales_by_class_reach_a_loss_guidance():
    weak, strong = (sampled(ClassifierFree(s), [0, 1, 2, 3], DSG(guidance_rate=0.2)) for s in ((1.0,) * 4, SCALES))
    moved = (weak - strong).flatten(1).norm(dim=1)
    assert moved[1] < 1e-3
    assert (moved[[0, 2, 3]] > 1e-2).all()


@pytest.mark.parametrize(
    ("combiner", "model", "says"),
    [
        (ClassifierFree((1.0, 2.0)), ClassToy(), "2 γ for the 4 classes of ClassToy"),
        (CFGZeroStar(SCALES + SCALES), ClassToy(), "8 γ for the 4 classes"),
        (Autoguidance(SCALES, guide=Toy(16)), Toy(16), "Toy is told of none"),
    ],
)
def test_scales_that_are_no_list_of_the_models_classes_are_refused_before_the_first_sample(combiner, model, says):
    with pytest.raises(UserError, match=says):
        Sampler(model, RandomInpainting(), Unguided(), DDIM(), 6, combiner=combiner)


def test_a_negative_scale_of_a_class_is_refused():
    with pytest.raises(UserError, match="γ must be at least 0 and finite, got -1"):
        ClassifierFree((1.0, -1.0))


def test_a_list_on_the_command_line_is_one_for_each_class_and_another_length_a_mistake(evaluate, tmp_path, capsys):
    options = ["--model.score_model", "tests.combiners.test_combiners.ClassToy", "--model.combiner",
               "dsg.combiners.ClassifierFree", "--model.combiner.guidance_scale"]  # fmt: skip
    assert evaluate(*options, "[1.0, 2.0]") == 2
    assert "guidance_scale: 2 γ for the 4 classes of ClassToy; give one for each" in capsys.readouterr().err
    names = ["a", "b", "c", "d", "more/e", "more/f"]
    (tmp_path / "l.csv").write_text("".join(f"{name},{i % 4}\n" for i, name in enumerate(names)))
    assert evaluate(*options, "[1.0, 2.0, 1.0, 3.0]", "--data.labels", tmp_path / "l.csv", "--data.limit", 2) == 0
