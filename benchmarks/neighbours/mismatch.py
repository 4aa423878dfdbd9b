"""A sampler whose score is not that of the posterior, and one whose prior is not the data's: how far they end from it.

Gaussians in the plane, of which the first coordinate is measured. Everything is affine, so that the bias is predicted
without a sample: by matrices (`exact.mismatch`), and by the transitions that the library's own steps tell of.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.neighbours.exact.mismatch import Gaussian, bo_ddnm, ddpm, score_of
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDPM
from dsg.diffusion.noise import EnsembleStreams, NoiseStreams, SampleKey
from dsg.guidance import BODDNM, Oracle
from dsg.guidance.base import PredictionGuidance
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler
from tasks.base import InverseProblem, Measurement
from tasks.noise import GaussianNoise
from tasks.operators.matrix import Matrix

Y, STEPS = 1.0, 1000
SIGMAS, RHOS = (0.1, 0.3, 1.0), (0.0, 0.5, 0.9)
PUBLISHED = ((0.006, 0.040, 0.220), (0.041, 0.072, 0.247), (0.191, 0.217, 0.379))  # rows ρ, columns σ
TRUTH, SIGMA = Gaussian.of(0.5), 0.3
NETWORKS = (-0.5, 0.0, 0.5, 0.8, 0.95)  # ρ' of networks with the right means
SHIFTS = (-1.0, 1.0)  # means of networks with the right covariance


class FirstCoordinate(InverseProblem):
    """y = x_1 + σ n of vectors in the plane, with y given."""

    def __init__(self, sigma: float) -> None:
        super().__init__(GaussianNoise(sigma))

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Matrix:
        count = len(streams)
        return Matrix(torch.ones(count, 1, 1), torch.ones(count, 1), torch.tensor([[[1.0, 0.0]]] * count), (2,))

    def example_operator(self) -> Matrix:
        return self.operator((2,), NoiseStreams([SampleKey(0, "example")]))

    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        return Measurement(torch.full((len(streams), 1), Y), self.operator((2,), streams))


class Law:
    """Observer: mean (2,) and covariance (2, 2) of the ensemble's law, from each step's own guided transition.

    It asks the method again, since a record tells of the unguided one.
    """

    def __init__(self, guidance: PredictionGuidance) -> None:
        self.guidance = guidance
        self.mean, self.covariance = torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)

    def __call__(self, record: StepRecord, process: ReverseProcess) -> None:
        _, guided = self.guidance.predict(record.x_t, record.step, process)
        x, y = record.x_t.double(), process.transition(record.x_t, guided, record.step).mean.double()
        slope = torch.linalg.lstsq(x - x.mean(0), y - y.mean(0)).solution  # y = x·slope + shift, to float32's digits
        self.mean = y.mean(0) + (self.mean - x.mean(0)) @ slope
        noise = float(record.transition.std) ** 2 * torch.eye(2, dtype=torch.float64)
        self.covariance = slope.T @ self.covariance @ slope + noise

    @property
    def gaussian(self) -> Gaussian:
        return Gaussian(self.mean.numpy(), self.covariance.numpy())


def sample(network: Gaussian, guidance: PredictionGuidance, sigma: float, count: int) -> tuple[Tensor, Gaussian]:
    """Samples (count, 2), and the law that their transitions say they have."""
    model = GaussianMixture([1.0], torch.from_numpy(network.mean)[None], torch.from_numpy(network.covariance)[None])
    sampler = Sampler(model, FirstCoordinate(sigma), guidance, DDPM(), STEPS, clip_denoised=False)
    process = sampler.begin(Examples(torch.zeros(count, 2)), EnsembleStreams(SampleKey(0, "mismatch"), count))
    law, x = Law(guidance), torch.empty(0)
    for record in sampler.run(process):
        law(record, process)
        x = record.x_prev
    return x.double(), law.gaussian


def furthest(x: Tensor, law: Gaussian) -> float:
    """The largest |sample moment − the law's| in standard errors: two means, two variances and a covariance."""
    mean, cov, n = x.mean(0).numpy(), x.T.cov().numpy(), len(x)
    variances = np.diag(law.covariance)
    of_mean = np.abs(mean - law.mean) / np.sqrt(variances / n)
    errors = np.sqrt((np.outer(variances, variances) + law.covariance**2) / n)
    return float(max(of_mean.max(), (np.abs(cov - law.covariance) / errors).max()))


def fitted(x: Tensor) -> Gaussian:
    return Gaussian(x.mean(0).numpy(), x.T.cov().numpy())


def published(count: int, reduced: bool) -> tuple[list[list], list[Check]]:
    """KL(posterior ‖ BO-DDNM) with the right prior, beside what is published."""
    rows, checks = [], []
    for rho, expected in zip(RHOS, PUBLISHED, strict=True):
        for sigma, known in zip(SIGMAS, expected, strict=True):
            prior = Gaussian.of(rho)
            truth, exact = prior.posterior(Y, sigma), ddpm(bo_ddnm(prior, Y, sigma), STEPS)
            name = f"mismatch, ρ = {rho:g}, σ = {sigma:g}"
            checks.append(Check(f"{name}, KL against the published", truth.kl(exact), known, 6e-4))
            if reduced and (rho, sigma) != (0.9, 0.3):
                rows.append([f"{rho:g}", f"{sigma:g}", known, truth.kl(exact), "–", "–", "–"])
                continue
            x, law = sample(prior, BODDNM(), sigma, count)
            rows.append([f"{rho:g}", f"{sigma:g}", known, truth.kl(exact), truth.kl(law), truth.kl(fitted(x)),
                         furthest(x, exact)])  # fmt: skip
            checks.append(Check(f"{name}, KL by the steps' transitions", truth.kl(law), truth.kl(exact), 1e-4))
            checks.append(Check(f"{name}, samples against the prediction, 3 s.e.", rows[-1][-1], 0.0, 3.0))
    return rows, checks


def networks() -> list[tuple[str, Gaussian]]:
    """What the network believes, by its name."""
    return [(f"ρ' = {rho:g}", Gaussian.of(rho)) for rho in NETWORKS] + [
        (f"ρ' = 0.5, μ' = {mean:g}", Gaussian(np.full(2, mean), TRUTH.covariance)) for mean in SHIFTS
    ]


def curve(count: int, reduced: bool) -> tuple[list[list], list[Check]]:
    """Networks of another prior: the bias of BO-DDNM and of the oracle, which knows the network's posterior alone."""
    rows, checks, truth = [], [], TRUTH.posterior(Y, SIGMA)
    for name, network in networks()[1:2] if reduced else networks():
        row = [name]
        for method, guidance, score in (
            ("BO-DDNM", BODDNM(), bo_ddnm(network, Y, SIGMA)),
            ("oracle", Oracle(), score_of(network.posterior(Y, SIGMA))),
        ):
            exact, (x, law) = ddpm(score, STEPS), sample(network, guidance, SIGMA, count)
            bias = (exact.mean - truth.mean)[1], (fitted(x).mean - truth.mean)[1]
            row += [*bias, truth.kl(exact), truth.kl(fitted(x))]
            what = f"mismatch, {name}, {method}"
            checks.append(Check(f"{what}, KL by the steps' transitions", truth.kl(law), truth.kl(exact), 1e-4))
            checks.append(Check(f"{what}, samples against the prediction, 3 s.e.", furthest(x, exact), 0.0, 3.0))
        rows.append(row)
    return rows, checks


def run(reduced: bool, runs: Path) -> Findings:
    count = 300 if reduced else 2_000
    right, checks = published(count, reduced)
    wrong, more = curve(count, reduced)
    own = TRUTH.posterior(Y, SIGMA)
    of_steps = own.kl(ddpm(score_of(own)))
    checks += [*more, Check("mismatch, the right network's posterior by 1000 steps, KL", of_steps, 0.0, 2e-3)]

    def draw() -> Figure:
        figure, (left, right_) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
        grid = np.linspace(-0.95, 0.97, 5 if reduced else 25)
        for name, colour, law in (
            ("BO-DDNM", "tab:blue", lambda n: ddpm(bo_ddnm(n, Y, SIGMA), STEPS)),
            ("the network's posterior", "tab:orange", lambda n: n.posterior(Y, SIGMA)),
        ):
            left.plot(grid, [own.kl(law(Gaussian.of(rho))) for rho in grid], color=colour, label=f"{name}, predicted")
        for column, colour in ((4, "tab:blue"), (8, "tab:orange")):
            seen = [(float(r[0][5:]), r[column]) for r in wrong if "μ" not in r[0]]
            left.plot(*zip(*seen, strict=True), "o", color=colour)
        left.axvline(0.5, color="0.7", lw=0.8)
        left.set(xlabel="ρ' that the network believes; the data has 0.5", ylabel="KL from the posterior, nats",
                 yscale="log", title="samples are dots")  # fmt: skip
        left.legend()
        sigmas = np.geomspace(0.03, 3, 3 if reduced else 13)
        for rho, colour in zip(RHOS, ("tab:green", "tab:purple", "tab:red"), strict=True):
            prior = Gaussian.of(rho)
            values = [prior.posterior(Y, s).kl(ddpm(bo_ddnm(prior, Y, s), STEPS)) for s in sigmas]
            right_.plot(sigmas, values, color=colour, label=f"ρ = {rho:g}")
            seen = [(float(r[1]), r[5]) for r in right if r[0] == f"{rho:g}" and r[5] != "–"]
            if seen:
                right_.plot(*zip(*seen, strict=True), "o", color=colour)
        right_.set(xscale="log", yscale="log", xlabel="σ of the measurement", title="BO-DDNM with the right prior")
        right_.legend()
        return figure

    samples = f"{count} samples"
    of_right = ["ρ", "σ", "KL, published", "predicted", "by the transitions", samples, "furthest moment, s.e."]
    of_wrong = [f"{name}: bias of x₂, predicted" for name in ("BO-DDNM", "oracle")]
    tables = {
        "mismatch_right": table(of_right, right),
        "mismatch_wrong": table(
            ["the network's prior", *(h for bias in of_wrong for h in (bias, samples, "KL, predicted", samples))], wrong
        ),
    }
    return Findings(tables, checks, draw)
