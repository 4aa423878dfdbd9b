"""Recorded steps of methods that follow the gradient of a loss, by their authors' code and by InverseBench's."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from dsg.diffusion.kernels import DDIM, DDPM, EulerMaruyamaVE, Renoise
from dsg.diffusion.noise import Purpose
from dsg.guidance import DPS, DSG, LGDMC, MPGD, UGD, FreeDoM, Guidance
from dsg.guidance.step_rules import Exploding, Normalised, OverPreviousSignal
from dsg.replay.steps.read import RecordedStep
from dsg.replay.steps.recorded import Draws, one_by_one
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


def mpgd_official(record: RecordedStep) -> Replayed:
    """The authors' code."""
    guidance = MPGD(record.number("scale"), rule=OverPreviousSignal())
    draws = {Purpose.REVERSE: record.numbered()}
    return taken(record, guidance, DDIM(record.number("eta")), draws, clip="clip" in record.tag)


def ugd_official(record: RecordedStep) -> Replayed:
    """The authors' code for ImageNet: a repetition draws the step's noise and then that which goes back."""
    of = record.option
    guidance = UGD(
        of("optim_guidance_3_wt"), of("max_iters"), of("lr"), of("num_steps")[0],
        backward_optimiser="adam", backward_start="forward", backward_bounds=(-1.0, 1.0) if of("clamp") else None,
    )  # fmt: skip
    noise = record.numbered()
    draws = {Purpose.REVERSE: noise[0::2], Purpose.RECURRENCE: noise[1::2]}
    return taken(record, guidance, DDIM(1.0 if of("sampling_type") == "ddpm" else 0.0), draws)


def freedom_official(record: RecordedStep) -> Replayed:
    """The authors' code for faces: that of CLIP with DDPM, on ImageNet with time travel, and that of parsing."""
    if record.tag.startswith("parse"):
        guidance = FreeDoM(record.option("rho_scale"), t_low=record.option("stop") + 1)
        return taken(record, guidance, Renoise(0.5), {Purpose.REVERSE: record.numbered()})
    travels = record.option("domain") == "imagenet" and 500 <= record.t <= 800
    guidance, noise = FreeDoM(0.02, 10 if travels else 1, rule=Normalised()), record.numbered()
    return taken(record, guidance, DDPM(), {Purpose.REVERSE: noise[0::2], Purpose.RECURRENCE: noise[1::2]})


def lgd_inversebench(record: RecordedStep) -> Replayed:
    """InverseBench's LGD-MC."""
    of = record.option
    guidance = LGDMC(of("scale"), of("K"), average="root_sum_square_over_draws", rule=Exploding())
    z = record["noise1"][:, 0] if of("sde") else None
    return _exploding(record, guidance, z, {Purpose.MONTE_CARLO: one_by_one(record["noise0"])})


def dps_inversebench(record: RecordedStep) -> Replayed:
    """InverseBench's DPS."""
    guidance = DPS(record.hyper["dps"]["scale"], rule=Exploding())
    return _exploding(record, guidance, record["noise0"][:, 0], {})


def _exploding(record: RecordedStep, guidance: Guidance, z: Tensor | None, draws: Draws) -> Replayed:
    """A step of x/√ā. InverseBench adds noise on the last one too, where ours ends at the mean."""
    kernel = EulerMaruyamaVE(0.0 if z is None else 1.0)
    found = taken(record, guidance, kernel, {**draws, Purpose.REVERSE: [] if z is None else [z]}, exploding=True)
    if z is None or record.number("sigma_next") > 0.0:
        return found
    x_prev = found.ours["x_prev"] + record["sigma"] * z
    return replace(found, options=f"{found.options}, and then σ z on the last step", ours={"x_prev": x_prev})


LOSS: Table = {
    "dps_official": dps_official,
    "dps_ddnm_diffpir_inversebench/dps": dps_inversebench,
    "dsg_official": dsg_official,
    "freedom_official": freedom_official,
    "lgd_inversebench": lgd_inversebench,
    "mpgd_official": mpgd_official,
    "ugd_official_imagenet": ugd_official,
}
