"""Recorded steps of posterior methods for linear tasks, by their authors' code and by others'."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dsg.diffusion.kernels import DDIM, Renoise
from dsg.diffusion.noise import Purpose
from dsg.guidance import DDNM, DDRM, DiffPIR, PiGDM
from dsg.replay.steps.daps import daps_inversebench, daps_official, daps_spacing
from dsg.replay.steps.read import RecordedStep
from dsg.replay.steps.recorded import levels, prior, process_through
from dsg.replay.steps.red_diff import reddiff_inversebench, reddiff_official
from dsg.replay.steps.replayed import Replayed, Table, Unequal, in_words, taken


def pigdm_reddiff(record: RecordedStep) -> Replayed:
    """RED-diff's authors': noiseless. `mcg` is the paper's step, `awd` keeps ε."""
    of = record.option
    rule = "published" if of("mcg") else "estimate" if of("awd") else "consistent_estimate"
    guidance = PiGDM(rule, of("grad_term_weight"))
    return taken(record, guidance, DDIM(of("eta")), {Purpose.REVERSE: record.numbered()}, sigma=0.0)


def pigdm_inversebench(record: RecordedStep) -> Replayed:
    """InverseBench's, with noise, on x/√ā."""
    kernel = Renoise(record.number("eta"))
    return taken(record, PiGDM("estimate"), kernel, {Purpose.REVERSE: record.numbered()}, exploding=True)


def ddnm_official(record: RecordedStep) -> Replayed | Unequal:
    """The authors' code, its SVD code with noise, and its simplified code."""
    if "plus_sr2" in record.tag:
        return Unequal("its Vᵀ is missing: pixels of z and ε are taken for spectral coefficients, which is a mistake")
    way = "simplified_code" if "simplified" in record.tag else "spectral_code" if "plus" in record.tag else "spectral"
    kernel = Renoise(record.option("eta"))
    draws = {Purpose.REVERSE: record.numbered()}
    return taken(record, DDNM(noisy=way), kernel, draws, sigma=record.option("sigma_y"))


def ddnm_inversebench(record: RecordedStep) -> Replayed:
    """InverseBench's without time travel, on x/√ā; its first draw is multiplied by 0."""
    own = record.hyper["ddnm"]
    guidance = DDNM(keep_epsilon=False, noisy="simplified_inversebench")
    draws = {Purpose.REVERSE: [record["noise1"][:, 0]]}
    return taken(record, guidance, Renoise(own["eta"]), draws, sigma=own["sigma_y"], exploding=True)


def ddrm_official(record: RecordedStep) -> Replayed:
    """The authors' code. Its noise is drawn in the spectral basis, for three kinds of direction apart."""
    of = record.option
    guidance = DDRM(of("etaA"), of("etaB"))
    draws = {Purpose.REVERSE: [_spectral_noise(record)]}
    return taken(record, guidance, DDIM(), draws, sigma=of("sigma_0"))


def ddrm_start(record: RecordedStep) -> Replayed:
    """The authors' first state, which is around y."""
    guidance, steps = DDRM(start="measurement_code"), levels(prior(record.common))
    first = next(step for step in steps if step.t == record.number("t"))
    process = process_through(record, steps, DDIM(), {}, sigma=record.hyper["inpaint"]["sigma_0"])
    with torch.no_grad():
        return Replayed(in_words(guidance), {"x_T_over_sigma": guidance.begin(record["V_noise"], first, process)})


def diffpir_official(record: RecordedStep) -> Replayed:
    """The authors' code. The first draw is not used; the others are those of η and ζ, and ours is their sum."""
    of = record.option
    data_step = "first_order" if "firstorder" in record.tag else "proximal"
    guidance = DiffPIR(of("lambda_"), of("zeta"), data_step, of("eta"), unit_noise=True)
    a, p, beta = (record.number(name) for name in ("abar_t", "abar_prev", "beta_t"))
    _, of_eta, of_zeta = record.numbered()
    drawn = of("eta") * math.sqrt((1.0 - of("zeta")) * beta * (1.0 - p) / (1.0 - a))
    fresh = math.sqrt(of("zeta") * (1.0 - p))
    noise = (drawn * of_eta + fresh * of_zeta) / math.hypot(drawn, fresh)
    draws, sigma = {Purpose.REVERSE: [noise]}, 2.0 * of("sigma")
    return taken(record, guidance, DDIM(), draws, clip=of("clip"), sigma=sigma)


def diffpir_inversebench(record: RecordedStep) -> Replayed:
    """InverseBench's for tasks that are not linear, on x/√ā."""
    own = record.hyper["diffpir"]
    guidance = DiffPIR(own["lamb"], own["xi"], "first_order")
    draws = {Purpose.REVERSE: [record["noise0"][:, 0]]}
    return taken(record, guidance, DDIM(), draws, sigma=own["sigma_n"], exploding=True)


def _spectral_noise(record: RecordedStep) -> Tensor:
    """The draw of a step of DDRM as an image, whose part that A sees is the draw of its kind of direction.

    `noise_missing_img` is V of the draw of the others, of which the first coefficients are those that A sees: the kept
    numbers of a mask with colours fastest, or half the sums of 2x2 pixels, up to a sign.
    """
    p, s = record.number("abar_prev"), record["singulars"].max().item()
    below = s * math.sqrt(1.0 - p) < math.sqrt(p) * record.option("sigma_0")
    seen, image = record["noise_spec1" if below else "noise_spec2"], record["noise_missing_img"]
    if "mask" in record:
        kept = record["mask"].expand(1, *image.shape[1:])[0].permute(1, 2, 0) > 0
        pixels = image.permute(0, 2, 3, 1).clone()
        pixels[:, kept] = seen
        return pixels.permute(0, 3, 1, 2)
    half_sums = 2.0 * torch.nn.functional.avg_pool2d(image, 2)
    sign = (half_sums.flatten(1) * record["noise_spec0"][:, : seen.shape[1]]).sign()
    change = (sign * seen).reshape(half_sums.shape) - half_sums
    return image + change.repeat_interleave(2, -1).repeat_interleave(2, -2) / 2.0


POSTERIOR: Table = {
    "pigdm_reddiff_repo": pigdm_reddiff,
    "pigdm_inversebench": pigdm_inversebench,
    "ddnm_official": ddnm_official,
    "ddrm_official/init": ddrm_start,
    "ddrm_official": ddrm_official,
    "diffpir_official": diffpir_official,
    "dps_ddnm_diffpir_inversebench/ddnm": ddnm_inversebench,
    "dps_ddnm_diffpir_inversebench/diffpir": diffpir_inversebench,
    "reddiff_official": reddiff_official,
    "reddiff_daps_inversebench/reddiff": reddiff_inversebench,
    "reddiff_daps_inversebench/daps": daps_inversebench,
    "daps_official/schedule": daps_spacing,
    "daps_official": daps_official,
}
