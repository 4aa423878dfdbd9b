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
from dsg.replay.steps.replayed import Replayed, Table, in_words, taken


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


def ddnm_official(record: RecordedStep) -> Replayed:
    """The authors' code, its SVD code with noise, and its simplified code."""
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
    guidance = DiffPIR(of("lambda_"), of("zeta"), eta=of("eta"), unit_noise=True)
    a, p, beta = (record.number(name) for name in ("abar_t", "abar_prev", "beta_t"))
    _, of_eta, of_zeta = record.numbered()
    drawn = of("eta") * math.sqrt((1.0 - of("zeta")) * beta * (1.0 - p) / (1.0 - a))
    fresh = math.sqrt(of("zeta") * (1.0 - p))
    noise = (drawn * of_eta + fresh * of_zeta) / math.hypot(drawn, fresh)
    draws, sigma = {Purpose.REVERSE: [noise]}, 2.0 * of("sigma")
    return taken(record, guidance, DDIM(), draws, clip=of("clip"), sigma=sigma)


def _spectral_noise(record: RecordedStep) -> Tensor:
    """The draw of a step of DDRM as an image: where A sees, in the order of the kept numbers, colours fastest."""
    p, sigma = record.number("abar_prev"), record.option("sigma_0")
    below = math.sqrt(1.0 - p) < math.sqrt(p) * sigma
    spectral = record["noise_spec1" if below else "noise_spec2"]
    mask = record["mask"].expand(1, *record["x_t"].shape[1:])
    kept = mask[0].permute(1, 2, 0) > 0
    pixels = record["noise_missing_img"].permute(0, 2, 3, 1).clone()
    pixels[:, kept] = spectral
    return pixels.permute(0, 3, 1, 2)


POSTERIOR: Table = {
    "pigdm_reddiff_repo": pigdm_reddiff,
    "pigdm_inversebench": pigdm_inversebench,
    "ddnm_official": ddnm_official,
    "ddrm_official/init": ddrm_start,
    "ddrm_official": ddrm_official,
    "diffpir_official": diffpir_official,
    "dps_ddnm_diffpir_inversebench/ddnm": ddnm_inversebench,
    "reddiff_official": reddiff_official,
    "reddiff_daps_inversebench/reddiff": reddiff_inversebench,
    "reddiff_daps_inversebench/daps": daps_inversebench,
    "daps_official/schedule": daps_spacing,
    "daps_official": daps_official,
}
