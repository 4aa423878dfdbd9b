"""Posterior methods against closed forms. What every method must do is in test_contract.py."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM, DDPM
from dsg.diffusion.level import CLEAN
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import BODDNM, DAPS, DDNM, DDRM, DPS, DiffPIR, PiGDM, REDDiff
from dsg.guidance.langevin import Langevin
from dsg.guidance.ode_path import EvenTimes
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from tasks import GaussianNoise, InverseProblem, PoissonNoise
from tasks.operators import LinearOperator
from tests.toy import Toy

A = torch.tensor([[1.0, 0.5, 0.0], [0.2, -0.4, 0.7]])
SIGMA = 0.3


class Matrix(LinearOperator):
    """x ↦ A x for vectors."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ A.to(x).mT

    def adjoint(self, y: Tensor) -> Tensor:
        return y @ A.to(y)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        return y @ torch.linalg.pinv(A.to(y)).mT


class MatrixTask(InverseProblem):
    """y = A x + σ n."""

    def __init__(self, sigma: float = SIGMA) -> None:
        super().__init__(GaussianNoise(sigma))

    def operator(self, shape, streams):
        return Matrix()


def keys(count: int) -> NoiseStreams:
    """Many samples of one measurement."""
    return NoiseStreams([SampleKey(3, "a", sample) for sample in range(count)])


def vectors(guidance, steps=200, count=3000):
    """Samples of prior N(0, I) given y, and y."""
    reference = torch.tensor([1.0, -0.5, 0.8]).expand(count, 3)
    sampler = Sampler(GaussianMixture.standard_normal((3,)), MatrixTask(), guidance, DDPM(), steps, clip_denoised=False)
    process = sampler.begin(Examples(reference), keys(count))
    *_, last = sampler.run(process)
    return last.x_prev.double(), process.measurement.y[0].double()


def pictures(guidance, task, kernel=None, model=None):
    sampler = Sampler(model or Toy(16), task, guidance, kernel or DDIM(), 10)
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    process = sampler.begin(Examples(images), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
    return list(sampler.run(process)), process


def errors(samples: Tensor, y: Tensor) -> tuple[float, float]:
    """Largest deviations of mean and covariance from those of the exact posterior."""
    a = A.double()
    covariance = torch.linalg.inv(torch.eye(3).double() + a.mT @ a / SIGMA**2)
    mean = covariance @ a.mT @ y / SIGMA**2
    return (samples.mean(0) - mean).abs().max().item(), (samples.T.cov() - covariance).abs().max().item()


@pytest.mark.parametrize("index", [0, 4, 9])
def test_pigdms_gradient_on_normal_data_is_the_exact_score_of_the_likelihood(index):
    """x_0 | x_t ~ N(√ā x_t, (1−ā) I), so y | x_t ~ N(√ā A x_t, (1−ā) A Aᵀ + σ² I)."""
    sampler = Sampler(GaussianMixture.standard_normal((3,)), MatrixTask(), PiGDM(), DDIM(), 10, clip_denoised=False)
    process = sampler.begin(Examples(torch.randn(5, 3, generator=torch.Generator().manual_seed(0))), keys(5))
    step = Even().steps(sampler.score_model.schedule, 10)[index]
    x_t = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    covariance = (1 - step.alpha_bar) * A @ A.mT + SIGMA**2 * torch.eye(2)
    likelihood = torch.distributions.MultivariateNormal(step.alpha_bar**0.5 * x_t @ A.mT, covariance)
    (expected,) = torch.autograd.grad(likelihood.log_prob(process.measurement.y).sum(), x_t)
    torch.testing.assert_close(-PiGDM().gradient(x_t, step, process).gradient, expected, rtol=1e-4, atol=1e-5)


def test_pigdm_as_a_score_samples_the_exact_posterior_and_dps_does_not():
    """3000 samples: a mean is known to about 0.02, a variance to about 0.026."""
    exact = errors(*vectors(PiGDM("score")))
    assert max(exact) < 0.06
    biased = errors(*vectors(DPS(1.0)))
    assert max(biased) > 0.2


def test_pigdm_as_a_score_comes_closer_with_more_steps():
    assert max(errors(*vectors(PiGDM("score"), steps=200))) < 0.5 * max(errors(*vectors(PiGDM("score"), steps=10)))


def test_pigdms_two_rules_share_their_gradient_and_differ_in_their_step():
    published, _ = pictures(PiGDM(), tasks.SuperResolution(4))
    score, _ = pictures(PiGDM("score"), tasks.SuperResolution(4))
    assert torch.equal(published[0].gradient, score[0].gradient)
    assert not torch.allclose(published[0].x_prev, score[0].x_prev)
    step, unguided = published[0].step, published[0].transition
    moved = published[0].x_prev - unguided.mean
    expected = -(step.alpha_bar**0.5) * (1 - step.alpha_bar) * published[0].gradient
    fresh = NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]).normal("reverse", (3, 16, 16))
    torch.testing.assert_close(moved - unguided.std * fresh, expected, rtol=1e-3, atol=1e-5)


NOISELESS = {
    "denoising": tasks.Denoising(noise=GaussianNoise(0.0)),
    "inpainting": tasks.RandomInpainting(noise=GaussianNoise(0.0)),
    "super-resolution": tasks.SuperResolution(4, noise=GaussianNoise(0.0)),
}
every_noiseless_task = pytest.mark.parametrize("task", NOISELESS.values(), ids=NOISELESS)


@every_noiseless_task
@pytest.mark.parametrize("guidance", [DDNM(), DDNM(False), BODDNM(), DDRM(), DiffPIR()], ids=repr)
def test_without_noise_the_sample_explains_the_measurement(task, guidance):
    records, process = pictures(guidance, task)
    torch.testing.assert_close(
        process.measurement.operator.forward(records[-1].x_prev), process.measurement.y, rtol=0, atol=1e-4
    )


@every_noiseless_task
@pytest.mark.parametrize("kernel", [DDIM(0.0), DDIM(1.0), DDPM()], ids=repr)
def test_without_noise_bo_ddnm_is_ddnm(task, kernel):
    for ours, theirs in zip(pictures(BODDNM(), task, kernel)[0], pictures(DDNM(False), task, kernel)[0], strict=True):
        torch.testing.assert_close(ours.x_prev, theirs.x_prev, rtol=0, atol=1e-3)


@every_noiseless_task
@pytest.mark.parametrize("keep_epsilon", [True, False])
def test_ddnm_plus_with_little_noise_steps_as_ddnm(task, keep_epsilon):
    little = type(task)(noise=GaussianNoise(1e-6))
    for ours, theirs in zip(
        pictures(DDNM(keep_epsilon), little)[0][:5], pictures(DDNM(keep_epsilon), task)[0][:5], strict=True
    ):
        torch.testing.assert_close(ours.x_prev, theirs.x_prev, rtol=0, atol=2e-3)


def test_ddnm_plus_takes_the_measurements_noise_out_of_its_own():
    """Denoising, where s = 1: given x̂, noise of x_prev is a λ σ_y of y and √γ of z, together σ² at every step."""
    sigma, kernel = 0.3, DDPM()
    model = GaussianMixture.standard_normal((3, 40, 40))
    sampler = Sampler(model, tasks.Denoising(noise=GaussianNoise(sigma)), DDNM(), kernel, 10, clip_denoised=False)
    process = sampler.begin(Examples(torch.zeros(1, 3, 40, 40)), keys(1))  # y is noise alone
    for step in Even().steps(model.schedule, 10)[:-1]:
        record = sampler.guidance.step(torch.zeros(1, 3, 40, 40), step, process)  # x̂ = 0 and μ = 0
        assert record.x_prev.std().item() == pytest.approx(record.transition.std, rel=0.05)


@pytest.mark.parametrize("index", [0, 5])
def test_diffpirs_data_step_is_the_closed_form(index):
    """(AᵀA + ρ I) u = Aᵀ y + ρ x̂, seen in the mean of x_prev when nothing else moves it (ζ = 1)."""
    guidance = DiffPIR(2.0, 1.0)
    sampler = Sampler(GaussianMixture.standard_normal((3,)), MatrixTask(), guidance, DDIM(), 10, clip_denoised=False)
    process = sampler.begin(Examples(torch.ones(4, 3)), keys(4))
    step = Even().steps(sampler.score_model.schedule, 10)[index]
    x_t = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    estimate = step.alpha_bar**0.5 * x_t
    rho = 2.0 * SIGMA**2 * step.alpha_bar / (1 - step.alpha_bar)
    right = process.measurement.y @ A + rho * estimate
    proximal = torch.linalg.solve(A.mT @ A + rho * torch.eye(3), right.mT).mT
    noise = keys(4).normal("reverse", (3,))
    expected = step.prev.alpha_bar**0.5 * proximal + (1 - step.prev.alpha_bar) ** 0.5 * noise
    torch.testing.assert_close(guidance.step(x_t, step, process).x_prev, expected, rtol=1e-4, atol=1e-4)


def test_ddrm_is_ddim_where_the_measurement_sees_nothing():
    """η = 0: DDIM(0) where s = 0, and noise drawn afresh in A's range."""
    task = tasks.BoxInpainting(size=6, margin=1, noise=GaussianNoise(1e-3))
    records, process = pictures(DDRM(0.0, 0.0), task)
    dropped = (process.measurement.operator.parameters()["mask"] == 0).expand(-1, 3, -1, -1)
    first = records[0]
    expected = DDIM(0.0).transition(first.x_t, first.prediction, first.step).mean
    torch.testing.assert_close(first.x_prev[dropped], expected[dropped], rtol=0, atol=1e-5)
    assert not torch.allclose(first.x_prev[~dropped], expected[~dropped], atol=1e-2)


def test_red_diffs_first_step_is_adams_along_the_sign_of_its_gradient():
    """m = 0, so ½‖y − A m‖² has the gradient −Aᵀy, and Adam's first step has the size of the learning rate."""
    guidance = REDDiff(0.0, 0.1)
    records, process = pictures(guidance, tasks.Denoising())
    assert torch.equal(records[0].transition.mean, torch.zeros_like(records[0].x_prev))
    torch.testing.assert_close(records[0].gradient, -process.measurement.y, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(records[0].x_prev, 0.1 * process.measurement.y.sign(), rtol=0, atol=1e-4)
    assert all(torch.equal(a.x_prev, b.transition.mean) for a, b in pairwise(records))


def test_daps_draws_the_clean_image_from_its_gaussian_model_of_the_posterior():
    """With one ODE step on N(0, I), x̂ = √ā x_t; then x_0 ~ N(x̂, r² I) given y = A x_0 + σ n, whose mean is known."""
    guidance = DAPS(ode_steps=1, spread=1.0, chain=Langevin(200, 0.1))
    sampler = Sampler(GaussianMixture.standard_normal((3,)), MatrixTask(), guidance, DDIM(), 10, clip_denoised=False)
    process = sampler.begin(Examples(torch.tensor([1.0, -0.5, 0.8]).expand(2000, 3)), keys(2000))
    step = Even().steps(sampler.score_model.schedule, 10)[8]
    x_t = torch.tensor([0.3, 0.1, -0.2])
    samples = guidance.step(x_t.expand(2000, 3), step, process).x_prev
    pull = step.alpha_bar / (1 - step.alpha_bar)
    precision = A.mT @ A / SIGMA**2 + pull * torch.eye(3)
    right = A.mT @ process.measurement.y[0] / SIGMA**2 + pull * step.alpha_bar**0.5 * x_t
    mean = step.prev.alpha_bar**0.5 * torch.linalg.solve(precision, right)
    covariance = step.prev.alpha_bar * torch.linalg.inv(precision) + (1 - step.prev.alpha_bar) * torch.eye(3)
    assert (samples.mean(0) - mean).abs().max() < 0.03
    assert (samples.T.cov() - covariance).abs().max() < 0.02


def test_the_levels_of_daps_ode_fall_evenly_and_end_at_the_clean_image():
    schedule = NoiseSchedule()
    steps = Even().steps(schedule, 10)
    levels = EvenTimes().levels(steps[0], schedule, 3)
    assert [level.t for level in levels[:-1]] == [999, 666, 333]
    assert [level.alpha_bar for level in levels] == pytest.approx([*schedule.alpha_bar[[999, 666, 333]], 1.0])
    assert EvenTimes().levels(steps[-1], schedule, 3) == [steps[-1], CLEAN]


def test_daps_tells_combiners_where_the_trajectory_is(monkeypatch):
    """Each evaluation of a step's ODE has that step's position, and a level of its own (APG's momentum needs it)."""
    sampler = Sampler(Toy(16), tasks.Denoising(), DAPS(ode_steps=2, likelihood_sigma=0.1, chain=Langevin(1)), steps=4)
    process = sampler.begin(Examples(torch.zeros(1, 3, 16, 16)), NoiseStreams([SampleKey(0, "a")]))
    seen, predict = [], process.predict
    monkeypatch.setattr(process, "predict", lambda x, step: seen.append((step.position, step.t)) or predict(x, step))
    list(sampler.run(process))
    assert seen == [(0, 999), (0, 500), (1, 666), (1, 333), (2, 333), (2, 166), (3, 0)]


@pytest.mark.parametrize("guidance", [PiGDM(), DDNM(), BODDNM(), DiffPIR(), DAPS()], ids=repr)
def test_noise_that_is_not_gaussian_is_refused_with_the_mend(guidance):
    with pytest.raises(UserError, match=r"PoissonNoise.*GaussianNoise"):
        guidance.check(DDIM(), tasks.Denoising(noise=PoissonNoise()), Toy(16))


@pytest.mark.parametrize("guidance", [DDNM(), BODDNM(), DDRM()], ids=repr)
def test_tasks_without_singular_values_are_refused_and_those_that_fit_are_named(guidance):
    with pytest.raises(UserError, match=r"singular values.*SuperResolution.*padding circular"):
        guidance.check(DDIM(), tasks.MotionDeblurring(), Toy(16))
    guidance.check(DDIM(), tasks.MotionDeblurring(padding="circular"), Toy(16))


def test_ddnm_without_noise_needs_no_singular_values():
    task = tasks.MotionDeblurring(kernel_size=7, noise=GaussianNoise(0.0))
    DDNM().check(DDIM(), task, Toy(16))
    records, process = pictures(DDNM(), task)
    start, end = (task.loss(x, process.measurement) for x in (records[0].x_t, records[-1].x_prev))
    assert (end < 0.01 * start).all()


def test_ddnm_plus_leaves_singular_values_below_its_cutoff_to_the_network():
    task = tasks.GaussianDeblurring(kernel_size=9, sigma=1.5)
    (kept, process), (cut, _) = (pictures(DDNM(cutoff=c), task) for c in (0.0, 0.5))
    s = process.measurement.operator.singular_values(kept[0].x_t)
    low = s < 0.5 * s.amax()
    difference = process.measurement.operator.v_adjoint(cut[0].x_prev - cut[0].transition.mean)
    noise = NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]).normal("reverse", (3, 16, 16))
    plain = cut[0].transition.std * process.measurement.operator.v_adjoint(noise)
    torch.testing.assert_close(difference * low, plain * low, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(kept[0].x_prev, cut[0].x_prev)


def test_ddnm_plus_over_a_kernel_without_one_noise_level_is_refused():
    with pytest.raises(UserError, match="eta above 0"):
        DDNM().check(DDIM(0.0), tasks.Denoising(), Toy(16))
    with pytest.raises(UserError, match="fixed_small"):
        DDNM().check(DDPM("learned_range"), tasks.Denoising(), Toy(16))
    DDNM().check(DDIM(0.0), tasks.Denoising(noise=GaussianNoise(0.0)), Toy(16))


def test_impossible_settings_are_refused():
    for make, words in [
        (lambda: PiGDM("other"), "published, score"),
        (lambda: BODDNM(0.0), "cutoff"),
        (lambda: DDRM(1.5), "eta"),
        (lambda: DDNM(cutoff=1.0), "cutoff"),
        (lambda: DAPS(0), "at least 1"),
        (lambda: DAPS(spread=0.0), "spread"),
        (lambda: DAPS(likelihood_sigma=0.0), "likelihood_sigma"),
        (lambda: REDDiff(-1.0), "at least 0"),
        (lambda: REDDiff(1.0, 0.0), "above 0"),
        (lambda: DiffPIR(0.0), "above 0"),
        (lambda: DiffPIR(1.0, 1.5), r"\[0, 1\]"),
    ]:
        with pytest.raises(UserError, match=words):
            make()


def test_daps_without_a_noise_level_asks_for_one():
    task = tasks.Denoising(noise=GaussianNoise(0.0))
    with pytest.raises(UserError, match="likelihood_sigma"):
        DAPS().check(DDIM(), task, Toy(16))
    DAPS(likelihood_sigma=0.01).check(DDIM(), task, Toy(16))


def test_a_model_with_a_decoder_is_refused():
    class Latent(Toy):
        def decode(self, state):
            return 2 * state

    with pytest.raises(UserError, match="pixel space"):
        pictures(DiffPIR(), tasks.Denoising(), model=Latent(16))
