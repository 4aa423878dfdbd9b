"""Recorded steps of DAPS: from an annealing level to the next, and of its chain alone."""

from __future__ import annotations

import torch

from dsg.diffusion import Karras, SigmaSchedule
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.level import CLEAN, NoiseLevel, Step
from dsg.diffusion.noise import Purpose
from dsg.guidance import DAPS
from dsg.guidance.chain import Chain, Target
from dsg.guidance.chain_step import DecayingStep
from dsg.guidance.hamiltonian import HamiltonianMonteCarlo
from dsg.guidance.langevin import Langevin
from dsg.guidance.ode_path import PowerLaw
from dsg.replay.steps.read import RecordedStep
from dsg.replay.steps.recorded import process_through
from dsg.replay.steps.replayed import Replayed, in_words

ANNEALING_STEPS = 50
SIGMA_MIN, SIGMA_MAX, RHO = 0.1, 20.0, 7.0


def daps_official(record: RecordedStep) -> Replayed:
    """The authors' code: states are x/√ā. Its last draw re-noises, those before are the chain's."""
    of, sigma = record.option, record.number("sigma")
    guidance = DAPS(
        ode_steps=of("ode_steps"), spread=1.0, likelihood_sigma=of("tau"), chain=_chain(record, half=False),
        path=PowerLaw(sigma_min=of("ode_sigma_min")), centre="tweedie" if of("prior_solver") == "score-t" else "ode",
    )  # fmt: skip
    *inner, last = record.numbered()
    step = _step(sigma, record.number("sigma_next"), position=record.t, total=ANNEALING_STEPS)
    draws = {Purpose.MONTE_CARLO: inner, Purpose.REVERSE: [last]}
    process = process_through(record, [step], DDIM(), draws)
    with torch.no_grad():
        found = guidance.step(step.signal * record["x_t"], step, process)
    ours = {"x_prev": found.x_prev / step.prev.signal, "x0_ode": found.transition.mean / step.prev.signal}
    return Replayed(in_words(guidance), ours)


def daps_inversebench(record: RecordedStep) -> Replayed:
    """InverseBench's: its chain, begun at the recorded end of the ODE, 2/5 of the way."""
    chain, sigma = _chain(record, half=True), record.number("sigma")
    step = _step(sigma, 0.0, position=2, total=4)
    process = process_through(record, [step], DDIM(), {Purpose.MONTE_CARLO: record.numbered()})
    target = Target(record["x0_ode"], sigma, record.option("tau"))
    return Replayed(f"DAPS(chain={in_words(chain)})", {"x0_mcmc": chain.draw(record["x0_ode"], target, step, process)})


def daps_spacing(record: RecordedStep) -> Replayed:
    """Its annealing levels: those of Karras et al. from σ_max to σ_min, of which 0 takes the last one's place."""
    high, low = SIGMA_MAX ** (1.0 / RHO), SIGMA_MIN ** (1.0 / RHO)
    before_last = (high + (low - high) * (ANNEALING_STEPS - 1) / ANNEALING_STEPS) ** RHO
    spacing = Karras(RHO, before_last, SIGMA_MAX)
    steps = spacing.steps(SigmaSchedule(SIGMA_MIN, SIGMA_MAX), ANNEALING_STEPS)
    sigmas = [step.sigma for step in steps] + [steps[-1].prev.sigma]
    return Replayed(in_words(spacing), {"annealing_sigmas": torch.tensor(sigmas, dtype=torch.float64)})


def _chain(record: RecordedStep, half: bool) -> Chain:
    own = record.hyper[record.tag]
    rule = DecayingStep(own["lr"], own["lr_min_ratio"])
    kind = HamiltonianMonteCarlo if own.get("mc_algo") == "hmc" else Langevin
    return kind(own["mcmc_steps"], rule, half=half)


def _step(sigma: float, following: float, position: int, total: int) -> Step:
    """A step from one level of noise to another, so far along the way."""
    level = NoiseLevel.from_sigma(0.0, sigma)
    prev = CLEAN if following == 0.0 else NoiseLevel.from_sigma(0.0, following)
    return Step(level.t, level.log_snr, prev, index=total - 1 - position, total=total)
