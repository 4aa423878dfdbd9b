"""The ground truth: exact posteriors, their floors, and the measures of the distance to them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.stats import wasserstein_distance

import tasks
from callbacks import Posterior
from dsg.data.batches import batches
from dsg.data.examples import Examples
from dsg.data.mixture_draws import MixtureDraws
from dsg.diffusion.kernels import DDIM, DDPM
from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, ExactSamples, Oracle, PiGDM, Unguided
from dsg.metrics.first_step import guided_estimate, use_of_measurement
from dsg.metrics.manifold import TypicalSet
from dsg.metrics.posterior import (
    covariance_error,
    mean_error,
    moments,
    random_directions,
    sliced_wasserstein,
    spread_ratio,
)
from dsg.models.mixture import GaussianMixture, TwentyFiveGaussians
from dsg.models.score_error import ScoreError
from dsg.module import GuidedDiffusion
from dsg.sampling import Sampler
from tests.toy import Toy

PRIOR = TwentyFiveGaussians(8)
TASK = tasks.RandomProjection(2)


def problem(count: int, name: str = "0000"):
    """The streams of `count` samples of one problem, its x_0 repeated, and its posterior."""
    streams = NoiseStreams([SampleKey(0, name, k) for k in range(count)])
    x = PRIOR.transform(torch.from_numpy(SampleKey(0, name).generator(Purpose.REFERENCE).standard_normal((1, 9))))
    measurement = TASK.measure(Examples(x.float().expand(count, -1)), streams)
    posterior = PRIOR.posterior(measurement.operator.matrix()[0].double(), measurement.y[0].double(), 1.0)
    return x.float().expand(count, -1), posterior


def run(guidance, count=600, steps=50, prior=PRIOR, **options):
    x, posterior = problem(count)
    streams = NoiseStreams([SampleKey(0, "0000", k) for k in range(count)])
    sampler = Sampler(prior, TASK, guidance, DDIM(1.0), steps, clip_denoised=False, **options)
    records = list(sampler.run(sampler.begin(Examples(x), streams)))
    return records, posterior


def distance(samples, posterior):
    generator = np.random.default_rng(0)
    truth = posterior.transform(torch.from_numpy(generator.standard_normal((len(samples), 9))))
    return sliced_wasserstein(samples, truth, random_directions(generator, 50, 8))


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 100))
def test_the_sliced_distance_is_scipy_s_averaged_over_directions(n, m, seed):
    generator = np.random.default_rng(seed)
    x, y = (torch.from_numpy(generator.standard_normal((k, 3))) for k in (n, m))
    directions = random_directions(generator, 5, 3)
    expected = np.mean([wasserstein_distance(x @ d, y @ d) for d in directions])
    assert sliced_wasserstein(x, y, directions) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_shifted_set_is_as_far_as_the_shift():
    x = torch.randn(100, 2)
    directions = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert sliced_wasserstein(x, x + torch.tensor([1.0, 3.0]), directions) == pytest.approx(2.0)


def test_the_errors_of_moments_fall_as_one_over_the_root_of_the_number_of_exact_samples():
    _, posterior = problem(1)
    for n in (100, 10_000):
        draws = [torch.from_numpy(np.random.default_rng(k).standard_normal((n, 9))) for k in range(20)]
        errors = [mean_error(posterior.transform(z), posterior) for z in draws]
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(n**-0.5, rel=0.25)
    assert covariance_error(posterior.transform(draws[0]), posterior) < 0.1


def test_the_errors_of_moments_are_those_worked_out_by_hand():
    """½N((−1,0), ¼I) + ½N((1,0), ¼I) has mean 0 and covariance diag(1.25, 0.25), of trace 1.5."""
    mixture = GaussianMixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], [0.25, 0.25])
    mean, covariance = moments(mixture)
    assert mean.tolist() == [0.0, 0.0]
    assert covariance.tolist() == [[1.25, 0.0], [0.0, 0.25]]
    samples = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])  # mean (2, 0), covariance diag(1, 0)
    assert mean_error(samples, mixture) == pytest.approx(2 / 1.5**0.5)
    norms = (0.25**2 + 0.25**2) ** 0.5, (1.25**2 + 0.25**2) ** 0.5
    assert covariance_error(samples, mixture) == pytest.approx(norms[0] / norms[1])
    assert spread_ratio(samples, mixture) == pytest.approx((1 / 1.5) ** 0.5)


def test_the_moments_of_a_mixture_are_those_of_its_samples():
    mean, covariance = moments(PRIOR)
    samples = PRIOR.sample(200_000, torch.Generator().manual_seed(0))
    assert torch.allclose(samples.mean(0), mean, atol=0.15)
    assert torch.allclose(samples.T.cov(), covariance, rtol=0.03, atol=0.5)


def test_exact_samples_are_as_far_from_the_posterior_as_other_exact_samples_and_the_oracle_nearly():
    exact, posterior = run(ExactSamples())
    oracle, _ = run(Oracle())
    unguided, _ = run(Unguided())
    floor = distance(exact[-1].x_prev, posterior)
    assert len(exact) == 1
    assert distance(oracle[-1].x_prev, posterior) < 2 * floor + 0.1
    assert distance(unguided[-1].x_prev, posterior) > 10 * floor


def test_the_oracle_s_score_is_that_of_the_noised_posterior():
    records, posterior = run(Oracle(), count=3, steps=5)
    for record in records:
        expected = posterior(record.x_t, record.step).epsilon
        torch.testing.assert_close(record.prediction.epsilon, expected, atol=1e-5, rtol=1e-4)


def first_step_use(guidance, count=400, kernel=None):
    """Of N(0, I) in 8 dimensions, two of them measured."""
    kernel, prior = kernel or DDIM(1.0), GaussianMixture.standard_normal((8,))
    x, _ = problem(count)
    streams = NoiseStreams([SampleKey(0, "0000", k) for k in range(count)])
    sampler = Sampler(prior, TASK, guidance, kernel, 50, clip_denoised=False)
    process = sampler.begin(Examples(x), streams)
    record = next(sampler.run(process))
    measurement = process.measurement
    posterior = prior.posterior(measurement.operator.matrix()[0].double(), measurement.y[0].double(), 1.0)
    return use_of_measurement(guided_estimate(record, kernel), prior, posterior)


@pytest.mark.parametrize("kernel", [DDIM(1.0), DDIM(0.0), DDPM()], ids=repr)
def test_the_first_estimate_uses_all_of_the_measurement_where_the_score_is_exact_and_nothing_unguided(kernel):
    assert first_step_use(Oracle(), kernel=kernel) == pytest.approx(1, abs=0.01)
    assert first_step_use(PiGDM(update_rule="score"), kernel=kernel) == pytest.approx(1, abs=0.01)
    assert first_step_use(Unguided(), kernel=kernel) == pytest.approx(0, abs=0.01)


def test_the_first_estimate_moves_in_proportion_to_dps_s_step_and_dsg_s_goes_beyond():
    one, two = (first_step_use(DPS(zeta)) for zeta in (0.1, 0.2))
    assert two == pytest.approx(2 * one, rel=0.05)
    assert first_step_use(DSG(guidance_rate=0.2)) > 10


def test_the_use_of_a_measurement_that_moves_nothing_is_not_known():
    assert use_of_measurement(torch.zeros(2, 8), PRIOR, PRIOR) is None


def test_a_batch_of_two_problems_is_two_batches_of_one():
    for guidance in (Oracle(), ExactSamples()):
        sampler = Sampler(PRIOR, TASK, guidance, DDIM(1.0), 5, clip_denoised=False)
        keys = [SampleKey(0, name, k) for name in ("a", "b") for k in range(2)]
        x = torch.randn(2, 8).repeat_interleave(2, 0)
        *_, both = sampler.run(sampler.begin(Examples(x), NoiseStreams(keys)))
        for rows in ([0, 1], [2, 3]):
            *_, alone = sampler.run(sampler.begin(Examples(x[rows]), NoiseStreams([keys[i] for i in rows])))
            torch.testing.assert_close(both.x_prev[rows], alone.x_prev, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("guidance", [Oracle(), ExactSamples()], ids=repr)
def test_the_floors_refuse_what_has_no_known_posterior(guidance):
    with pytest.raises(UserError, match="GaussianMixture"):
        guidance.check(DDIM(), tasks.Denoising(), Toy(16))
    with pytest.raises(UserError, match="RandomProjection"):
        guidance.check(DDIM(), tasks.Denoising(), PRIOR)
    guidance.check(DDIM(), TASK, PRIOR)


def test_the_random_matrix_has_its_adjoint_its_pseudo_inverse_and_its_singular_values():
    streams = NoiseStreams([SampleKey(0, name) for name in "abc"])
    operator = tasks.RandomProjection(3).operator((7,), streams)
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(3, 7, generator=generator), torch.randn(3, 3, generator=generator)
    matrix = operator.matrix().double()

    def agree(found, expected, by):
        expected = (expected @ by.double()[..., None])[..., 0]
        assert ((found - expected).norm(dim=1) < 1e-4 * expected.norm(dim=1)).all()

    agree(operator.forward(x), matrix, x)
    agree(operator.adjoint(y), matrix.mT, y)
    agree(operator.pseudo_inverse(y), torch.linalg.pinv(matrix), y)
    agree(operator.regularised_inverse(y, 2.0, 0.5), torch.linalg.inv(2.0 * matrix @ matrix.mT + 0.5 * torch.eye(3)), y)
    torch.testing.assert_close(
        operator.singular_values(y)[:, 0].double(), torch.linalg.svdvals(matrix), rtol=1e-4, atol=0
    )
    assert not torch.allclose(matrix[0], matrix[1])


def test_every_sample_of_a_problem_has_its_matrix_and_its_measurement():
    x, _ = problem(3)
    one = TASK.measure(Examples(x), NoiseStreams([SampleKey(0, "p", k) for k in range(3)]))
    assert torch.equal(one.y[0], one.y[2])
    assert torch.equal(one.operator.matrix()[0], one.operator.matrix()[1])


def test_the_typical_set_is_where_noised_data_is():
    typical = TypicalSet(PRIOR)
    generator = torch.Generator().manual_seed(3)
    clean, noise = PRIOR.sample(500, generator), torch.randn(500, 8, generator=generator, dtype=torch.float64)
    noised = 0.5**0.5 * clean + 0.5**0.5 * noise
    z = typical.deviation(noised, 0.5)
    assert abs(z.mean()) < 0.2
    assert z.std() == pytest.approx(1.0, abs=0.2)
    assert typical.deviation(noised + 8 * torch.nn.functional.normalize(noise), 0.5).mean() > 10


def test_dps_with_a_large_step_leaves_the_manifold_and_dsg_does_not():
    typical = TypicalSet(PRIOR)

    def worst(guidance):
        records, _ = run(guidance, count=100)
        z = [typical.deviation(r.x_prev, r.step.prev.alpha_bar).square().mean() for r in records[:-1]]
        return torch.stack(z).mean().sqrt()

    assert worst(Unguided()) < 1.3
    assert worst(DSG(guidance_rate=0.3)) < 1.5
    assert worst(DPS(1.0)) > 4


def test_the_benchmark_s_mixture_is_a_grid_of_25_unit_gaussians():
    assert PRIOR.means.shape == (25, 8)
    assert torch.equal(PRIOR.means[:, 0:2], PRIOR.means[:, 6:8])
    assert set(PRIOR.means.unique().tolist()) == {-16.0, -8.0, 0.0, 8.0, 16.0}
    assert PRIOR.mixture_weights.sum() == pytest.approx(1.0)
    with pytest.raises(UserError, match="even"):
        TwentyFiveGaussians(7)


def test_problems_are_drawn_from_the_bound_mixture_alone():
    data = MixtureDraws(limit=2, samples_per_image=3)
    with pytest.raises(UserError, match="GaussianMixture"):
        GuidedDiffusion(Toy(16), tasks.Denoising(), Unguided(), DDIM()).check(data)
    GuidedDiffusion(PRIOR, TASK, Unguided(), DDIM(), clip_denoised=False).check(data)
    found = list(batches(data, done=frozenset({("0000", 1)})))
    assert [batch.keys for batch in found] == [[(name, k) for k in range(3)] for name in ("0000", "0001")]
    done = frozenset(("0000", k) for k in range(3))
    assert [batch.keys[0][0] for batch in batches(data, done=done)] == ["0001"]


def test_more_measurements_than_numbers_are_refused():
    with pytest.raises(UserError, match=r"lower model\.task"):
        tasks.RandomProjection(9).check((8,))
    with pytest.raises(UserError, match="at least 1"):
        tasks.RandomProjection(0)


@pytest.fixture
def predict(tmp_path):
    from train_free_eval import main

    root = Path(__file__).parents[2] / "configs"
    parts = ["model/twenty_five_gaussians", "task/random_projection", "guidance/dsg"]
    configs = [option for part in parts for option in ("--config", str(root / f"{part}.yaml"))]
    small = ["--model.score_model.dimension", "4", "--model.steps", "5", "--data.samples_per_image", "20"]

    def evaluate(into: str, *options: str) -> dict:
        assert main(["predict", *configs, "--run_dir", str(tmp_path / into), *small, *options]) == 0
        return json.loads((tmp_path / into / "metrics.json").read_text())["metrics"]

    return evaluate


def test_predict_measures_each_problem_and_keeps_its_samples(predict, tmp_path):
    metrics = predict("run", "--data.limit", "2", "--callbacks.manifold", "callbacks.Manifold")
    assert metrics["sliced_wasserstein"]["n"] == metrics["mean_error"]["n"] == metrics["off_manifold"]["n"] == 2
    assert metrics["spread_ratio"]["n"] == metrics["first_step_use"]["n"] == 2
    assert "psnr" not in metrics
    assert load_file(tmp_path / "run" / "samples" / "0001.safetensors")["samples"].shape == (20, 4)
    assert load_file(tmp_path / "run" / "manifold" / "0001.safetensors")["z"].shape == (20, 5)
    assert not (tmp_path / "run" / "measurements").exists()


EXACT = ["--config", str(Path(__file__).parents[2] / "configs/guidance/exact_samples.yaml"), "--data.limit", "2"]


def test_where_exact_samples_are_is_measured_batch_by_batch(predict, tmp_path):
    options = [*EXACT, "--callbacks.manifold", "callbacks.Manifold"]
    predict("each", *options, "--data.batch_size", "1")
    predict("both", *options, "--data.batch_size", "2")
    for name in ("0000", "0001"):
        one, other = (load_file(tmp_path / r / "manifold" / f"{name}.safetensors")["z"] for r in ("each", "both"))
        assert one.shape == (20, 1)
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_posterior_is_that_of_what_the_data_was_drawn_from_and_not_the_model_s(predict):
    narrow = ["--data.prior", "dsg.models.mixture.GaussianMixture", "--data.prior.weights", "[1]",
              "--data.prior.means", "[[3, 3, 3, 3]]", "--data.prior.covariances", "0.01"]  # fmt: skip
    own, other = predict("own", *EXACT), predict("other", *EXACT, *narrow)
    assert other["mean_error"]["mean"] > 10 * own["mean_error"]["mean"]


def test_a_prior_of_another_shape_or_that_cannot_be_drawn_from_is_refused():
    with pytest.raises(UserError, match=r"^data\.prior: it has the shape \(4,\) and the score model \(8,\); give"):
        MixtureDraws(prior=TwentyFiveGaussians(4)).bind(PRIOR)
    with pytest.raises(UserError, match=r"^data\.prior: Toy cannot be drawn from exactly"):
        MixtureDraws(prior=Toy(16))
    pair = GaussianMixture([1.0, 1.0], torch.zeros(2, 8), 1.0, classes=[0, 1])
    with pytest.raises(UserError, match=r"^data\.label: the prior has no classes, got 1"):
        MixtureDraws(prior=PRIOR, label=1).bind(pair)


def test_a_model_that_is_no_mixture_is_judged_by_the_prior_that_was_given():
    data = MixtureDraws(prior=PRIOR, limit=1)
    data.bind(ScoreError(PRIOR, 0.5))
    assert torch.equal(data.load("0000").image, _drawn(MixtureDraws(limit=1), PRIOR))
    callback, module = Posterior(), GuidedDiffusion(ScoreError(PRIOR), TASK, Unguided(), DDIM(), clip_denoised=False)
    callback.check(module, data)
    with pytest.raises(UserError, match="with ScoreError the posterior is not known; take a GaussianMixture"):
        callback.check(module, MixtureDraws(limit=1))


def _drawn(data, model):
    data.bind(model)
    return data.load("0000").image


def test_a_problem_is_the_same_alone_and_in_a_batch_of_problems(predict, tmp_path):
    predict("alone", "--data.limit", "3")
    predict("together", "--data.limit", "3", "--data.batch_size", "3")
    for name in ("0000", "0001", "0002"):
        one, other = (load_file(tmp_path / r / "samples" / f"{name}.safetensors") for r in ("alone", "together"))
        torch.testing.assert_close(one["samples"], other["samples"], atol=1e-4, rtol=1e-4)


def test_one_sample_a_problem_is_refused_before_the_first(predict, tmp_path, capsys):
    with pytest.raises(AssertionError):
        predict("one", "--data.samples_per_image", "1")
    assert "callbacks.posterior: compares how samples are spread, and data.samples_per_image is 1" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "one").exists()


def test_the_manifold_needs_a_known_density(settings, capsys):
    from train_free_eval import main

    assert main(["predict", "--config", str(settings), "--run_dir", str(settings.parent / "r"), "--callbacks.manifold",
                 "callbacks.Manifold"]) == 2  # fmt: skip
    assert "callbacks.manifold: the density of Toy is not known" in capsys.readouterr().err
    assert not (settings.parent / "r").exists()


def test_one_shared_covariance_is_as_many_equal_ones():
    root = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    covariance, means = (root @ root.T)[None], torch.randn(3, 4, dtype=torch.float64)
    shared = GaussianMixture([0.2, 0.3, 0.5], means, covariance)
    own = GaussianMixture([0.2, 0.3, 0.5], means, covariance.expand(3, -1, -1))
    x, level = torch.randn(5, 4), Even().steps(shared.schedule, 10)[4]
    for ask in (
        lambda m: m.score(x, level), lambda m: m.log_prob(x, level), lambda m: m.denoise(x, level),
        lambda m: m.denoising_covariance(x, level), lambda m: m.covariances, lambda m: moments(m)[1],
        lambda m: m.posterior(torch.ones(1, 4), torch.ones(1), 0.5).score(x, level),
        lambda m: m.transform(torch.linspace(-2, 2, 15).reshape(3, 5)),
    ):  # fmt: skip
        torch.testing.assert_close(ask(shared), ask(own))
