"""The factors in which papers and code differ, and other variants, in closed form. tests/replay has the records."""

import math

import pytest
import torch

from dsg.combiners import ClassifierFree, Conditional
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM, DDPM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, LGDMC, MPGD, UGD, FreeDoM, Unguided
from dsg.guidance.descent import descended
from dsg.guidance.step_rules import (
    Constant,
    Exploding,
    Normalised,
    OfCorrection,
    OverLoss,
    OverPreviousSignal,
    Scheduled,
    Signal,
    UnitOverPreviousSignal,
)
from dsg.models.mixture import GaussianMixture
from dsg.process import LossGradient, ReverseProcess
from dsg.process.averages import AVERAGES
from dsg.sampling import Sampler
from dsg.types import per_sample_norm
from tasks import Denoising
from tests.contract.toys import ToyOfClasses
from tests.toy import Toy

STEPS = Even().steps(NoiseSchedule(), 10)
STEP = STEPS[4]
MODEL, TASK = Toy(16), Denoising()
RULES = [Constant(), Signal(), OverPreviousSignal(), OverLoss(), Exploding(), Scheduled()]
RULES += [Normalised(), UnitOverPreviousSignal()]


def setting(scale=1.0, vanishing=False):
    """A process, and a gradient of four samples; where asked, loss and gradient of the second vanish."""
    noise, clean, gradient = torch.randn(3, 4, 3, 16, 16, generator=torch.Generator().manual_seed(0)).unbind()
    loss = torch.tensor([1.0, 2.0, 3.0, 4.0])
    if vanishing:
        loss[1], gradient[1] = 0, 0
    process = ReverseProcess(MODEL, TASK, None, DDIM(), NoiseStreams([SampleKey(0, i) for i in "abcd"]), STEPS)
    return LossGradient(Prediction(clean, noise), loss * scale, gradient * scale), process


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_vanishing_gradient_moves_nothing_whatever_the_rule_and_its_neighbours_move_as_they_did(rule):
    plain, process = setting()
    vanishing, _ = setting(vanishing=True)
    moves = rule.scaled(0.5, plain, STEP, process), rule.scaled(0.5, vanishing, STEP, process)
    assert (moves[1][1] == 0).all()
    assert torch.equal(moves[0][[0, 2, 3]], moves[1][[0, 2, 3]])


def test_each_rule_has_its_formula():
    guide, process = setting()
    ratio = [rule.scaled(1.0, guide, STEP, process) / guide.gradient for rule in RULES[:6]]
    per_loss = (1 / guide.loss).reshape(-1, 1, 1, 1).expand_as(guide.gradient)
    scheduled = 10 * (1 - STEP.beta) / sum(1 - step.beta for step in STEPS)
    expected = [1.0, STEP.alpha_bar**0.5, STEP.prev.alpha_bar**-0.5, per_loss]
    expected += [(STEP.alpha_bar * STEP.prev.alpha_bar) ** 0.5, scheduled]
    for found, value in zip(ratio, expected, strict=True):
        assert torch.allclose(found, torch.as_tensor(value).expand_as(found), rtol=1e-5)


@pytest.mark.parametrize("rule", [OverLoss(), Normalised(), UnitOverPreviousSignal()])
def test_a_loss_in_other_units_changes_no_normalised_step(rule):
    (one, process), (other, _) = setting(), setting(1e4)
    assert torch.allclose(rule.scaled(1.0, one, STEP, process), rule.scaled(1.0, other, STEP, process), rtol=1e-4)


def test_the_normalised_step_has_the_share_of_the_noise_that_the_estimate_has_in_the_mean():
    guide, process = setting()
    move = Normalised().scaled(0.02, guide, STEP, process)
    share = math.sqrt(STEP.prev.alpha_bar) * STEP.beta / (1 - STEP.alpha_bar)
    expected = 0.02 * math.sqrt(1 / STEP.alpha_bar - 1) * share * per_sample_norm(guide.prediction.epsilon)
    assert torch.allclose(per_sample_norm(move), expected, rtol=1e-4)


def test_at_a_further_evaluation_the_normalised_step_has_the_share_of_the_trajectory_s_own_step():
    guide, process = setting()
    at_the_next = STEP.at(STEP.prev, further=True)
    move = Normalised().scaled(0.02, guide, at_the_next, process)
    share = math.sqrt(STEP.prev.alpha_bar) * STEP.beta / (1 - STEP.alpha_bar)
    expected = 0.02 * at_the_next.sigma * share * per_sample_norm(guide.prediction.epsilon)
    assert torch.allclose(per_sample_norm(move), expected, rtol=1e-4)


def steered(guidance, combiner, steps=10):
    sampler = Sampler(ToyOfClasses(16), TASK, guidance, DDPM(), steps, combiner=combiner)
    examples = Examples(torch.zeros(2, 3, 16, 16), {"label": torch.tensor([0, 1])})
    return sampler, sampler.begin(examples, NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))


def test_a_step_of_the_correction_is_a_share_of_what_classifier_free_guidance_adds_and_costs_no_evaluation():
    sampler, process = steered(FreeDoM(0.2, rule=OfCorrection()), ClassifierFree(3.0))
    x_t, step = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)), sampler.levels[4]
    guided = sampler.guidance.step(x_t, step, process)
    assert (process.forwards, process.backwards) == (2, 1)
    _, plain = steered(Unguided(), ClassifierFree(3.0))
    moved = guided.x_prev - Unguided().step(x_t, step, plain).x_prev
    strong, weak = (plain.evaluate(x_t, step, c).epsilon for c in (plain.condition, plain.condition.null()))
    assert torch.allclose(per_sample_norm(moved), 0.2 * 3.0 * per_sample_norm(strong - weak), rtol=1e-4)
    cosine = torch.cosine_similarity(moved.flatten(1), guided.gradient.flatten(1))
    assert torch.allclose(cosine, -torch.ones(2), atol=1e-5)


def test_where_the_combiner_adds_nothing_a_step_of_the_correction_is_the_ordinary_one():
    sampler, process = steered(FreeDoM(0.2, rule=OfCorrection()), ClassifierFree(3.0, t_low=500))
    _, plain = steered(Unguided(), ClassifierFree(3.0, t_low=500))
    x_t, step = torch.zeros(2, 3, 16, 16), sampler.levels[8]
    assert torch.equal(sampler.guidance.step(x_t, step, process).x_prev, Unguided().step(x_t, step, plain).x_prev)


@pytest.mark.parametrize("combiner", [Conditional(), ClassifierFree(1.0)])
def test_a_step_of_the_correction_is_refused_where_nothing_is_corrected(combiner):
    with pytest.raises(UserError, match=r"FreeDoM: .* set model.combiner to ClassifierFree"):
        steered(FreeDoM(rule=OfCorrection()), combiner)
    steered(DSG(FreeDoM(rule=OfCorrection())), combiner)  # whose rule is not used


@pytest.mark.parametrize("method", [DPS, FreeDoM, LGDMC, MPGD])
def test_a_rule_that_divides_by_the_signal_refuses_to_start_from_noise_alone(method):
    model = GaussianMixture.standard_normal((3, 16, 16), NoiseSchedule(zero_terminal_snr=True))
    Sampler(model, TASK, method(1.0), DDIM(), 10)
    with pytest.raises(UserError, match=r"divides by √ā .* set model.spacing"):
        Sampler(model, TASK, method(1.0, rule=Normalised()), DDIM(), 10)


def test_freedom_guides_down_to_its_least_noisy_timestep_and_travels_no_further():
    guided = [step.t for step in STEPS if FreeDoM(t_low=100.5, repetitions=3).is_guided(step)]
    assert guided == [step.t for step in STEPS if step.t > 100]
    assert 0 < len(guided) < 10


def test_a_unit_step_over_the_signal_is_one_over_it_in_every_entry_s_root_mean_square():
    guide, process = setting()
    move = UnitOverPreviousSignal().scaled(0.015, guide, STEP, process)
    assert move.square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([0.015 / STEP.prev.signal] * 4, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "of_equal"),
    [("log_mean_exp", 3.0), ("log_mean_exp_over_draws", 0.75), ("root_sum_square_over_draws", 1.5)],
)
def test_an_average_of_four_equal_losses_and_one_of_losses_that_vanish(name, of_equal):
    average = AVERAGES[name]
    assert average(torch.full((4, 2), 3.0)).tolist() == pytest.approx([of_equal] * 2, rel=1e-6)
    zero = torch.zeros(4, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(average(zero).sum(), zero)
    assert gradient.isfinite().all()


def test_lgd_mc_without_spread_is_the_average_of_equal_losses():
    reference = torch.zeros(2, 3, 16, 16)
    sampler = Sampler(MODEL, TASK, LGDMC(), DDIM(), 10)
    process = sampler.begin(Examples(reference), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
    x_t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    plain = DPS().gradient(x_t, STEP, process).gradient
    halved = LGDMC(draws=4, spread=0.0, average="root_sum_square_over_draws").gradient(x_t, STEP, process)
    assert torch.allclose(halved.gradient, plain / 2, rtol=1e-4, atol=1e-7)


def test_adam_s_first_step_has_the_learning_rate_s_size_and_bounds_hold_at_every_evaluation():
    seen = []

    def gradient(x):
        seen.append(x.clone())
        return torch.tensor([[5.0, -0.01]])

    end = descended(torch.tensor([[2.0, 0.0]]), gradient, 2, 0.1, "adam", (-1.0, 1.0))
    assert [x.abs().max() <= 1 for x in seen] == [True, True]
    assert torch.allclose(seen[1], torch.tensor([[0.9, 0.1]]), atol=1e-6)
    assert torch.allclose(end, torch.tensor([[0.8, 0.2]]), atol=1e-6)


def test_plain_descent_is_its_formula():
    end = descended(torch.tensor([[2.0]]), lambda x: x, 3, 0.5, "descent")
    assert end.item() == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LGDMC(average="mean"), "average: .*log_mean_exp"),
        (lambda: UGD(backward_optimiser="sgd"), "backward_optimiser: .*descent or adam"),
        (lambda: UGD(backward_start="clean"), "backward_start: .*network or forward"),
        (lambda: UGD(backward_bounds=(1.0, -1.0)), "backward_bounds: need low < high"),
    ],
)
def test_an_unknown_variant_is_refused_with_those_that_there_are(make, words):
    with pytest.raises(UserError, match=words):
        make()
