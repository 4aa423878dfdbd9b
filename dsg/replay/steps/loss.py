"""Recorded steps of methods that follow the gradient of a loss."""

from __future__ import annotations

from dsg.diffusion.kernels import DDIM, DDPM
from dsg.diffusion.noise import Purpose
from dsg.guidance import DPS, DSG, TFG
from dsg.replay.steps.read import RecordedStep
from dsg.replay.steps.replayed import FLOAT32, Replayed, Table, taken


def dps_official(record: RecordedStep) -> Replayed:
    """The authors' code: of its two draws the second is not used."""
    kernel = DDIM(0.0) if "ddim" in record.tag else DDPM()
    draws = {Purpose.REVERSE: record.numbered()}
    clip = "clip" in record.tag
    return taken(record, DPS(record.option("scale")), kernel, draws, clip=clip)


def dsg_official(record: RecordedStep) -> Replayed:
    """The authors' code."""
    guidance = DSG(guidance_rate=record.number("guidance_scale"))
    kernel = DDIM(record.number("eta"))
    return taken(record, guidance, kernel, {Purpose.REVERSE: record.numbered()}, tolerance=FLOAT32)


def tfg_official(record: RecordedStep) -> Replayed:
    """The authors' code. A repetition draws K for the smoothing, one for DDIM unless it is the last, one to go back."""
    of = record.option
    guidance = TFG(
        of("rho"), of("mu"), of("sigma"), of("rho_schedule"), of("mu_schedule"), of("sigma_schedule"),
        iterations=of("iter_steps"), recurrence=of("recur_steps"), draws=of("eps_bsz"),
    )  # fmt: skip
    draws = {Purpose.MONTE_CARLO: [], Purpose.REVERSE: [], Purpose.RECURRENCE: []}
    purposes = [Purpose.MONTE_CARLO] * of("eps_bsz")
    purposes += [Purpose.REVERSE] * (of("eta") > 0 and record.t > 0) + [Purpose.RECURRENCE]
    for purpose, noise in zip(purposes * of("recur_steps"), record.numbered(), strict=True):
        draws[purpose].append(noise)
    return taken(record, guidance, DDIM(of("eta")), draws, clip=of("clip_x0"))


LOSS: Table = {"dps_official": dps_official, "dsg_official": dsg_official, "tfg_official": tfg_official}
