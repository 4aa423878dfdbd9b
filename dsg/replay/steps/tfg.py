"""Recorded steps of the TFG repository: TFG itself, and that repository's own versions of other methods."""

from __future__ import annotations

from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import Purpose
from dsg.guidance import DPS, LGDMC, MPGD, TFG, UGD, FreeDoM, Guidance
from dsg.guidance.step_rules import OverLoss, Scheduled
from dsg.replay.steps.read import RecordedStep
from dsg.replay.steps.replayed import Replayed, Table, taken


def tfg(record: RecordedStep) -> Replayed:
    """Its draws: K for the smoothing, the step's noise, that which goes back."""
    of = record.option
    guidance = TFG(
        of("rho"), of("mu"), of("sigma"), of("rho_schedule"), of("mu_schedule"), of("sigma_schedule"),
        iterations=of("iter_steps"), recurrence=of("recur_steps"), draws=of("eps_bsz"),
    )  # fmt: skip
    order = [Purpose.MONTE_CARLO] * of("eps_bsz") + [*_reverse(record), Purpose.RECURRENCE]
    return _taken(record, guidance, order)


def lgd(record: RecordedStep) -> Replayed:
    """Its draws: the step's noise, K for the smoothing."""
    of = record.option
    guidance = LGDMC(of("guidance_strength"), of("eps_bsz"), average="log_mean_exp_over_draws")
    return _taken(record, guidance, _reverse(record) + [Purpose.MONTE_CARLO] * of("eps_bsz"))


def ugd(record: RecordedStep) -> Replayed:
    """One strength for both stages; `iter_steps` counts the forward one too."""
    of = record.option
    strength = of("guidance_strength")
    guidance = UGD(strength, of("iter_steps") - 1, strength, of("recur_steps"))
    return _taken(record, guidance, [*_reverse(record), Purpose.RECURRENCE])


def freedom(record: RecordedStep) -> Replayed:
    """The strength follows a curve of mean 1, not √ā."""
    of = record.option
    guidance = FreeDoM(of("guidance_strength"), of("recur_steps"), rule=Scheduled(of("rho_schedule")))
    return _taken(record, guidance, [*_reverse(record), Purpose.RECURRENCE])


def dps(record: RecordedStep) -> Replayed:
    """The gradient of the norm is divided by the norm."""
    return _taken(record, DPS(record.option("guidance_strength"), rule=OverLoss()), _reverse(record))


def mpgd(record: RecordedStep) -> Replayed:
    """As in the paper."""
    return _taken(record, MPGD(record.option("guidance_strength")), _reverse(record))


def _reverse(record: RecordedStep) -> list[Purpose]:
    """The step's noise, where there is some: its code draws none for η = 0 and on the last step."""
    return [Purpose.REVERSE] if record.option("eta") > 0 and record.t > 0 else []


def _taken(record: RecordedStep, guidance: Guidance, order: list[Purpose]) -> Replayed:
    """The step under DDIM; `order` is what one repetition draws."""
    draws: dict[Purpose, list] = {purpose: [] for purpose in Purpose}
    for k, noise in enumerate(record.numbered()):
        draws[order[k % len(order)]].append(noise)
    return taken(record, guidance, DDIM(record.option("eta")), draws, clip=record.option("clip_x0"))


TFG_REPOSITORY: Table = {
    "tfg_official": tfg,
    "lgd_tfg": lgd,
    "ugd_tfg": ugd,
    "freedom_dps_mpgd_tfg/freedom": freedom,
    "freedom_dps_mpgd_tfg/dps": dps,
    "freedom_dps_mpgd_tfg/mpgd": mpgd,
}
