"""What published codes of posterior methods change, against closed forms. Their recorded steps are in tests/replay."""

import math

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion import Karras, NoiseSchedule, SigmaSchedule
from dsg.diffusion.kernels import DDIM, DDPM, Renoise
from dsg.diffusion.level import CLEAN, Step
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import DAPS, DDNM, DDRM, DiffPIR, PiGDM, REDDiff, Unguided
from dsg.guidance.chain_step import DecayingStep
from dsg.guidance.langevin import Langevin
from dsg.guidance.ode_path import PowerLaw
from dsg.guidance.red_diff_weighting import WEIGHTINGS, pull_of
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from tasks import GaussianNoise, PoissonNoise
from tests.contract.toys import ToyFromNoiseAlone
from tests.toy import Toy, ToyClassifier

NOISELESS = tasks.SuperResolution(4, noise=GaussianNoise(0.0))


def pictures(guidance, task, kernel=None, model=None, spacing=None):
    sampler = Sampler(model or Toy(16), task, guidance, kernel or DDIM(), 10, spacing or Even())
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    process = sampler.begin(Examples(images), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
    return list(sampler.run(process)), process


def test_pigdms_estimate_rule_is_the_papers_step_times_the_root_of_alpha_bar_prev():
    published, estimate = (pictures(PiGDM(rule), tasks.SuperResolution(4))[0][0] for rule in ("published", "estimate"))
    plain = pictures(Unguided(), tasks.SuperResolution(4))[0][0].x_prev
    moved = published.step.prev.signal * (published.x_prev - plain)
    torch.testing.assert_close(estimate.x_prev - plain, moved, rtol=1e-4, atol=1e-6)


def test_a_kernel_that_reads_epsilon_as_part_of_the_estimate_makes_both_estimate_rules_one():
    kept, moved = (pictures(PiGDM(rule), NOISELESS, DDPM())[0] for rule in ("estimate", "consistent_estimate"))
    assert all(torch.equal(a.x_prev, b.x_prev) for a, b in zip(kept, moved, strict=True))
    apart, together = (pictures(PiGDM(rule), NOISELESS)[0][0].x_prev for rule in ("estimate", "consistent_estimate"))
    assert not torch.allclose(apart, together)


@pytest.mark.parametrize("rule", ["published", "score", "estimate", "consistent_estimate"])
def test_pigdms_weight_multiplies_what_it_adds_to_a_step(rule):
    plain = pictures(Unguided(), NOISELESS)[0][0].x_prev
    once, twice = (pictures(PiGDM(rule, weight), NOISELESS)[0][0].x_prev - plain for weight in (1.0, 2.0))
    torch.testing.assert_close(twice, 2 * once, rtol=1e-4, atol=1e-5)


def test_where_all_singular_values_are_one_the_simplified_way_is_the_spectral_one():
    for kernel in (DDPM(), DDIM(0.5), Renoise()):
        ways = (pictures(DDNM(noisy=way), tasks.Denoising(), kernel)[0] for way in ("spectral", "simplified"))
        for spectral, simplified in zip(*ways, strict=True):
            torch.testing.assert_close(spectral.x_prev, simplified.x_prev, rtol=1e-4, atol=1e-5)


def test_under_renoise_with_fresh_noise_alone_the_svd_code_is_the_paper_where_the_noise_hides_the_measurements():
    """η = 1: no ε is kept, so that none can be dropped, and the kernel's σ is all of the next level's noise."""
    task = tasks.RandomInpainting()
    ways = (pictures(DDNM(noisy=way), task, Renoise(1.0))[0] for way in ("spectral", "spectral_code"))
    pairs = [(paper, code) for paper, code in zip(*ways, strict=True) if paper.step.prev.sigma >= task.noise_sigma]
    assert len(pairs) >= 8
    for paper, code in pairs:
        torch.testing.assert_close(paper.x_prev, code.x_prev, rtol=1e-4, atol=1e-5)


def test_the_simplified_way_needs_no_singular_values():
    task = tasks.MotionDeblurring(kernel_size=3)
    with pytest.raises(UserError, match="singular values"):
        DDNM().check(DDIM(), task, Toy(16))
    DDNM(noisy="simplified").check(DDIM(), task, Toy(16))


def test_the_authors_simplified_code_adds_too_little_noise_even_without_any_in_the_measurement():
    (few, _), (plain, _) = (
        pictures(DDNM(noisy=way), NOISELESS, Renoise(1.0)) for way in ("simplified_code", "spectral")
    )
    first = few[0].step.prev
    noise = plain[0].x_prev - first.signal * _corrected(plain[0])
    expected = first.signal * _corrected(few[0]) + math.sqrt(1 - first.alpha_bar**2) * noise
    torch.testing.assert_close(few[0].x_prev, expected, rtol=1e-4, atol=1e-5)


def _corrected(record):
    """x̂ with A⁺y in A's range."""
    _, process = pictures(DDNM(), NOISELESS, Renoise(1.0))
    operator, estimate = process.measurement.operator, record.prediction.clean_estimate
    return estimate - operator.pseudo_inverse(operator.forward(estimate) - process.measurement.y)


@pytest.mark.parametrize("way", ["spectral_code", "simplified_code", "simplified_inversebench"])
def test_a_codes_way_to_hide_noise_is_refused_under_a_kernel_that_does_not_renoise(way):
    with pytest.raises(UserError, match="Renoise or DDIM"):
        DDNM(noisy=way).check(DDPM(), tasks.Denoising(), Toy(16))
    DDNM(noisy=way).check(Renoise(), tasks.Denoising(), Toy(16))


@pytest.mark.parametrize("model", [Toy(16), ToyFromNoiseAlone()], ids=["toy", "from noise alone"])
def test_ddrm_begins_around_the_measurement_with_the_variance_of_its_level(model):
    """Inpainting, where s is 1 or 0: √ā y plus noise of variance 1−ā−ā σ_y² where y is, and 1−ā elsewhere."""
    task, sigma = tasks.BoxInpainting(size=6, margin=1, noise=GaussianNoise(0.3)), 0.3
    spacing = Even() if isinstance(model, ToyFromNoiseAlone) else Karras(sigma_max=1.0)
    (first, *_), process = pictures(DDRM(start="measurement"), task, model=model, spacing=spacing)
    level, y = first.step, process.measurement.y
    z = NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]).normal("initial", (3, 16, 16))
    mask = process.measurement.operator.parameters()["mask"].expand_as(y) > 0
    spread = math.sqrt(level.noise_variance - level.alpha_bar * sigma**2)
    expected = torch.where(mask, level.signal * y + spread * z, level.noise * z)
    torch.testing.assert_close(first.x_t, expected, rtol=1e-5, atol=1e-5)
    (code, *_), _ = pictures(DDRM(start="measurement_code"), task, model=model, spacing=spacing)
    torch.testing.assert_close(level.noise * code.x_t, first.x_t, rtol=1e-5, atol=1e-5)


def test_ddrm_is_its_formula_in_both_branches():
    records, process = pictures(DDRM(0.6, 0.7), tasks.Denoising(noise=GaussianNoise(0.3)))
    y, streams, weak = process.measurement.y, NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]), []
    for record in records:
        step, x, z = record.step, record.prediction.clean_estimate, streams.normal("reverse", (3, 16, 16))
        tau = step.prev.sigma
        weak.append(tau < 0.3)
        towards = tau * (0.8 * (y - x) / 0.3 + 0.6 * z)
        mixed = 0.3 * x + 0.7 * y + math.sqrt(max(tau**2 - 0.7**2 * 0.3**2, 0.0)) * z
        expected = step.prev.signal * (x + towards if weak[-1] else mixed)
        torch.testing.assert_close(record.x_prev, expected, rtol=1e-4, atol=1e-4)
    assert 1 < sum(weak) < len(weak)


def test_diffpirs_bounded_step_is_its_proximal_one_where_the_operator_keeps_lengths():
    for task in (tasks.Denoising(), tasks.RandomInpainting()):
        steps = (pictures(DiffPIR(data_step=step), task)[0] for step in ("proximal", "bounded_first_order"))
        for proximal, bounded in zip(*steps, strict=True):
            torch.testing.assert_close(proximal.x_prev, bounded.x_prev, rtol=1e-4, atol=1e-4)


def test_diffpirs_first_order_step_refuses_to_start_from_noise_alone():
    task = tasks.HighDynamicRange()
    model = GaussianMixture.standard_normal((3, 16, 16), NoiseSchedule(zero_terminal_snr=True))
    with pytest.raises(UserError, match=r"divides by √ā .* set model.spacing"):
        Sampler(model, task, DiffPIR(1.0, data_step="first_order"), DDIM(), 10)
    Sampler(model, task, DiffPIR(1.0, data_step="bounded_first_order"), DDIM(), 10)


def test_daps_keeps_to_the_timesteps_of_a_network_that_knows_no_others():
    model = Toy(16)
    model.whole_timesteps = True
    with pytest.raises(UserError, match=r"path: PowerLaw visits levels between .* take EvenTimes"):
        Sampler(model, tasks.Denoising(), DAPS(3, path=PowerLaw()), DDIM(), 3)
    Sampler(model, tasks.Denoising(), DAPS(3), DDIM(), 3)


def test_diffpirs_published_first_order_step_divides_the_gradient_by_rho():
    task = tasks.HighDynamicRange()
    guidance = DiffPIR(1e4, 1.0, "first_order")
    (first, *_), process = pictures(guidance, task)
    estimate, step = first.prediction.clean_estimate, first.step
    residual = task.loss(estimate, process.measurement)
    _, gradient = process.clean_loss_gradient(estimate)
    rho = 1e4 * task.noise_sigma**2 * step.alpha_bar / step.noise_variance
    moved = step.prev.signal * residual[:, None, None, None] * gradient / rho
    free = pictures(DiffPIR(1e30, 1.0, "first_order"), task)[0][0].x_prev
    torch.testing.assert_close(free - first.x_prev, moved, rtol=1e-3, atol=1e-5)


def test_diffpirs_noise_on_unit_images_is_a_quarter_of_its_regularisation():
    unit, own = (
        pictures(guidance, tasks.Denoising())[0][-1] for guidance in (DiffPIR(4.0, unit_noise=True), DiffPIR(1.0))
    )
    torch.testing.assert_close(unit.x_prev, own.x_prev)


def test_diffpirs_eta_keeps_the_variance_and_takes_beta_from_the_models_table():
    (first, *_), _ = pictures(DiffPIR(stochasticity=0.0, eta=0.5), tasks.Denoising())
    step, schedule = first.step, NoiseSchedule()
    beta = 1 - schedule.alpha_bar[999] / schedule.alpha_bar[998]
    std = 0.5 * math.sqrt(beta * (1 - step.prev.alpha_bar) / (1 - step.alpha_bar))
    assert first.transition.std == pytest.approx(std)
    kept = first.transition.mean - step.prev.signal * first.prediction.clean_estimate
    expected = math.sqrt(step.prev.noise_variance - std**2) * first.prediction.epsilon
    torch.testing.assert_close(kept, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("guidance", "task", "words"),
    [
        (DiffPIR(), tasks.PhaseRetrieval(), "data_step proximal needs a linear"),
        (DiffPIR(data_step="first_order"), NOISELESS, "bounded_first_order"),
        (DiffPIR(data_step="first_order"), tasks.ClassLabel(ToyClassifier()), "use DPS or DSG"),
        (DiffPIR(data_step="bounded_first_order"), tasks.Denoising(noise=PoissonNoise()), "GaussianNoise"),
        (REDDiff(start="pseudo_inverse"), tasks.PhaseRetrieval(), "linear operator"),
        (REDDiff(average="mean"), tasks.ClassLabel(ToyClassifier()), "set it to sum"),
    ],
)
def test_an_option_that_a_task_cannot_serve_is_refused_with_one_that_it_can(guidance, task, words):
    with pytest.raises(UserError, match=words):
        guidance.check(DDIM(), task, Toy(16))


def test_diffpirs_eta_is_refused_where_there_is_no_table_of_timesteps():
    model = GaussianMixture.standard_normal((3, 16, 16), SigmaSchedule())
    with pytest.raises(UserError, match="SigmaSchedule has none"):
        DiffPIR(eta=0.5).check(DDIM(), tasks.Denoising(), model)


def test_red_diffs_means_are_its_sums_with_the_regularisation_times_m_over_n():
    """Adam does not see the size of a gradient: x4 in each direction measures n/16 numbers."""
    mean, total = (
        pictures(guidance, tasks.SuperResolution(4))[0] for guidance in (REDDiff(1.6, average="mean"), REDDiff(0.1))
    )
    torch.testing.assert_close(mean[-1].x_prev, total[-1].x_prev, rtol=0, atol=2e-3)


def test_red_diff_may_begin_at_the_pseudo_inverse():
    records, process = pictures(REDDiff(start="pseudo_inverse"), NOISELESS)
    expected = process.measurement.operator.pseudo_inverse(process.measurement.y)
    torch.testing.assert_close(records[0].transition.mean, expected)
    torch.testing.assert_close(records[0].loss, torch.zeros(2), rtol=0, atol=1e-4)


def test_red_diffs_weightings_are_those_of_its_code():
    def weights(sigma):
        return {name: sigma * pull_of(name, sigma) for name in WEIGHTINGS}

    assert weights(8.0) == pytest.approx(
        {
            "linear": 8.0, "sqrt": 8**0.5, "square": 64.0, "log": math.log(9.0), "trunc_linear": 1.0,
            "power2over3": 4.0, "const": 1.0,
        }
    )  # fmt: skip
    assert weights(0.5)["trunc_linear"] == 0.5
    assert {name: pull_of(name, math.inf) for name in WEIGHTINGS if name != "square"} == {
        name: float(name == "linear") for name in WEIGHTINGS if name != "square"
    }
    assert [name for name in WEIGHTINGS if REDDiff(weighting=name).needs_signal] == ["square"]


def test_a_power_law_path_goes_down_to_a_little_noise_and_stays_inside_the_models_levels():
    schedule = NoiseSchedule()
    first, *_, last = Even().steps(schedule, 10)
    levels = PowerLaw().levels(first, schedule, 5)
    high, low = first.sigma ** (1 / 7), 0.01 ** (1 / 7)
    assert [level.sigma for level in levels] == pytest.approx([(high + (low - high) * k / 5) ** 7 for k in range(6)])
    assert PowerLaw(sigma_min=0.005).levels(last, schedule, 5)[1:-1] == []  # between 0.01 and 0.005 the model has none
    assert PowerLaw(sigma_min=0.1).levels(last, schedule, 5) == [last, CLEAN]
    assert PowerLaw(sigma_min=0.0).levels(first, schedule, 5)[-1].sigma == 0.0


def test_a_decaying_step_falls_in_a_line_towards_its_share():
    rule = DecayingStep(1e-3, 0.1)
    lengths = [rule.at(Step(0.0, 0.0, CLEAN, index=9 - k, total=10)) for k in range(10)]
    assert lengths == pytest.approx([1e-3 * (1 - 0.9 * k / 11) for k in range(10)])


def test_a_likelihood_without_its_half_is_one_of_less_noise():
    """With σ_y/√2 in place of σ_y the chain is the same, its step length too."""
    own, halved = (
        DAPS(likelihood_sigma=sigma, chain=Langevin(3, half=half))
        for sigma, half in ((0.1, False), (0.1 / 2**0.5, True))
    )
    one, other = (pictures(guidance, tasks.Denoising())[0][-1].x_prev for guidance in (own, halved))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PiGDM(weight=-1.0), "weight"),
        (lambda: DDNM(noisy="other"), "one of spectral"),
        (lambda: DDNM(keep_epsilon=False, noisy="spectral_code"), "keep_epsilon"),
        (lambda: DDRM(start="y"), "measurement_code"),
        (lambda: DiffPIR(data_step="second_order"), "bounded_first_order"),
        (lambda: DiffPIR(eta=2.0), "η"),
        (lambda: REDDiff(weighting="cubic"), "trunc_linear"),
        (lambda: REDDiff(average="median"), "sum or mean"),
        (lambda: REDDiff(dispersion=-1.0), "dispersion"),
        (lambda: REDDiff(betas=(0.9, 1.0)), "betas"),
        (lambda: REDDiff(adam_epsilon=0.0), "adam_epsilon"),
        (lambda: PowerLaw(rho=0.0), "rho"),
        (lambda: PowerLaw(sigma_min=-1.0), "sigma_min"),
        (lambda: DAPS(centre="y"), "tweedie"),
    ],
)
def test_impossible_options_are_refused(make, words):
    with pytest.raises(UserError, match=words):
        make()
