"""The methods of the contract, and what each declares. A new one joins by one line."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.guidance import (
    BODDNM,
    DAPS,
    DDNM,
    DDRM,
    DDS,
    DPS,
    DSG,
    FLAIR,
    LGDMC,
    MPGD,
    PSLD,
    TFG,
    UGD,
    DiffPIR,
    DiffRGD,
    FlowChef,
    FlowDPS,
    FreeDoM,
    Guidance,
    PiGDM,
    PnPFlow,
    REDDiff,
    RePaint,
    ReSample,
    Unguided,
)
from dsg.guidance.hamiltonian import HamiltonianMonteCarlo
from dsg.guidance.hard_consistency import HardConsistency
from dsg.guidance.langevin import Langevin
from dsg.guidance.metropolis import MetropolisHastings
from dsg.guidance.ode_path import PowerLaw
from dsg.guidance.step_rules import Normalised, OverLoss

STEPS = 8
QUICK = HardConsistency(iterations=10, learning_rate=0.1)


@dataclass(frozen=True)
class Method:
    """A guidance and what it declares.

    Args:
        guidance: of ordinary strength: it lowers the loss.
        zero: its twin of zero strength, or None.
        evaluations: network evaluations of `steps` steps under a kernel of one a step, (forward, backward); None for
            one forward and at most one backward a step.
        further: evaluations that a kernel of two a step, and of one on the last step, takes besides, (forward,
            backward); (0, 0) of a method that does not ask the kernel; None for up to as many again.
        first: forward evaluations, of those of `evaluations`, that belong to the first step.
        without_zero: why there is no twin.
        steps: reverse steps; more than STEPS where those are too coarse for the method to be stable, or to arrive.
        rounding: how far a network in bf16 may move a sample, in its own norm.
    """

    guidance: Guidance
    zero: Guidance | None
    evaluations: tuple[int, int] | None
    further: tuple[int, int] | None = (STEPS - 1, 0)
    first: int = 1
    without_zero: str = "the method has no strength"
    steps: int = STEPS
    rounding: float = 0.1


METHODS = {
    "unguided": Method(Unguided(), Unguided(), (STEPS, 0)),
    "dps": Method(DPS(0.5), DPS(0.0), (STEPS, STEPS)),
    # as long a step whatever the gradient: where a kernel adds much noise, rounding that turns it moves the sample far
    "dsg": Method(DSG(guidance_rate=0.2), DSG(guidance_rate=0.0), (STEPS, STEPS - 1), rounding=0.15),
    "dsg, interval and window": Method(
        DSG(guidance_rate=0.2, interval=2, start=30, stop=80, stated_for=100), DSG(guidance_rate=0.0), (STEPS, 2)
    ),
    "dsg, rising rate and chi radius": Method(
        DSG(guidance_rate=0.1, final_rate=0.4, radius="chi"), DSG(guidance_rate=0.0, radius="chi"), (STEPS, STEPS - 1)
    ),
    "dsg, free radius": Method(
        DSG(guidance_rate=0.2, radius="free"), DSG(guidance_rate=0.0, radius="free"), (STEPS, STEPS - 1), rounding=0.15
    ),
    # as long a step whatever the gradient: one that rounding has turned is followed as far
    "freedom, normalised": Method(
        FreeDoM(0.2, rule=Normalised()), FreeDoM(0.0, rule=Normalised()), (STEPS, STEPS), rounding=0.5
    ),
    "freedom": Method(FreeDoM(2.0, 2, 2, 6), FreeDoM(0.0, 2), (STEPS + 4, STEPS + 4), (STEPS + 3, 0)),
    "lgd-mc": Method(LGDMC(0.5, draws=3), LGDMC(0.0), (STEPS, STEPS)),
    "lgd-mc, root of squares, over the loss": Method(
        LGDMC(10.0, 3, average="root_sum_square_over_draws", rule=OverLoss()), LGDMC(0.0), (STEPS, STEPS)
    ),
    "mpgd": Method(MPGD(0.5), MPGD(0.0), (STEPS, 0)),
    "ugd": Method(
        UGD(0.5, 2, 0.5, 2), UGD(0.0, 0, 1.0, 2), (2 * STEPS, 2 * STEPS), (2 * STEPS - 2, 2 * STEPS - 2), first=2
    ),
    "ugd, by adam": Method(
        UGD(0.5, 2, 0.01, backward_optimiser="adam", backward_start="forward", backward_bounds=(-1.0, 1.0)),
        UGD(0.0, 0, backward_optimiser="adam"),
        (STEPS, STEPS),
        (STEPS - 1, STEPS - 1),
    ),
    "tfg": Method(TFG(0.3, 0.1, 0.1), TFG(0.0, 0.0), (STEPS, STEPS)),
    "tfg, mean guidance alone": Method(TFG(0.0, 0.2), TFG(0.0, 0.0), (STEPS, 0)),
    "dsg over freedom": Method(
        DSG(FreeDoM(repetitions=2, travel_start=2, travel_stop=6), 0.2),
        DSG(FreeDoM(), 0.0),
        (STEPS + 4, STEPS + 3),
        (STEPS + 3, 0),
    ),
    "dsg over lgd-mc": Method(DSG(LGDMC(draws=3), 0.2), DSG(LGDMC(), 0.0), (STEPS, STEPS - 1)),
    "dsg over ugd": Method(DSG(UGD(), 0.2), DSG(UGD(), 0.0), (STEPS, STEPS - 1)),
    "dsg over tfg": Method(DSG(TFG(sigma=0.1, draws=2), 0.2), DSG(TFG(), 0.0), (STEPS, STEPS - 1)),
    "dsg over mpgd": Method(DSG(MPGD(), 0.2), DSG(MPGD(), 0.0), (STEPS, 0)),
    "diff-rgd": Method(DiffRGD(5.0, 2), DiffRGD(0.0), (3 * STEPS - 2, 2 * STEPS - 2), (0, 0), first=3, rounding=0.15),
    "pigdm": Method(PiGDM(), PiGDM(weight=0.0), (STEPS, STEPS)),
    "pigdm, estimate": Method(PiGDM("estimate"), PiGDM("estimate", 0.0), (STEPS, STEPS), (STEPS - 1, STEPS - 1)),
    # x̂ moves by (1−ā)/√ā Jᵀv, which is stiff: ten explicit steps of Euler diverge, and rounding is amplified
    "pigdm as a score": Method(PiGDM("score"), None, (20, 20), (19, 19), steps=20, rounding=0.35),
    "dsg over pigdm": Method(DSG(PiGDM(), 0.2), DSG(PiGDM(), 0.0), (STEPS, STEPS - 1), rounding=0.15),
    "ddnm": Method(DDNM(), None, (STEPS, 0)),
    "ddnm, corrected epsilon": Method(DDNM(keep_epsilon=False), None, (STEPS, 0)),
    "ddnm, published noise": Method(DDNM(noisy="spectral_code"), None, (STEPS, 0)),
    "bo-ddnm": Method(BODDNM(), None, (STEPS, 0)),
    "diffpir": Method(DiffPIR(), None, (STEPS, 0), (0, 0)),
    "diffpir, bounded first order": Method(
        DiffPIR(1.0, 0.9, "bounded_first_order", 0.5), None, (10, 0), (0, 0), steps=10
    ),
    "red-diff": Method(REDDiff(0.01, learning_rate=0.2), None, (STEPS, 0), (0, 0)),
    "red-diff, published means": Method(REDDiff(0.01, 0.2, "sqrt", "mean", "zero", 0.05), None, (STEPS, 0), (0, 0)),
    "daps": Method(DAPS(likelihood_sigma=0.1, chain=Langevin(8)), None, (2 * STEPS - 1, 0), (0, 0), first=2),
    "daps, hamiltonian": Method(
        DAPS(2, 0.3, 0.1, HamiltonianMonteCarlo(5, 0.5, 0.5, half=False), PowerLaw(), "tweedie"),
        None,
        (2 * STEPS - 1, 0),
        (0, 0),
        first=2,
    ),
    # a chain that accepts or rejects: rounding turns some of its answers round
    "daps, metropolis-hastings": Method(
        DAPS(likelihood_sigma=0.1, chain=MetropolisHastings(25)),
        None,
        (19, 0),
        (0, 0),
        first=2,
        steps=10,
        rounding=0.3,
    ),
    "psld": Method(PSLD(0.5, 0.2), PSLD(0.0, 0.0), (STEPS, STEPS)),
    "resample": Method(ReSample(2, pixel=QUICK, latent=QUICK), None, (STEPS, 0)),
    "flow-dps": Method(FlowDPS(0.5), FlowDPS(0.0), (STEPS, 0)),
    "flow-chef": Method(FlowChef(0.5, 2), FlowChef(0.0), (STEPS, 0)),
    "dsg over flow-chef": Method(DSG(FlowChef(), 0.2), DSG(FlowChef(), 0.0), (STEPS, 0)),
    "pnp-flow": Method(PnPFlow(draws=3), None, (3 * STEPS, 0), (0, 0), first=3),
    "flair": Method(FLAIR(0.5, likelihood_steps=4), None, (10, 0), (0, 0), steps=10),
    "dds": Method(DDS(), DDS(0), (STEPS, 0)),
    "dds, without weight": Method(DDS(3, None), DDS(0, None), (STEPS, 0)),
    "repaint": Method(RePaint(2, 3), None, (STEPS + 6, 0), (STEPS + 5, 0)),
    "ddrm": Method(DDRM(), None, (STEPS, 0), (0, 0)),
    "ddrm, around y": Method(DDRM(start="measurement"), None, (STEPS, 0), (0, 0)),
}
