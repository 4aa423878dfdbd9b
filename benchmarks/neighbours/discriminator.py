"""Guided by a discriminator: what the best one does, what a good classifier may do, and what trained ones do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.experiments.findings import Findings, table
from benchmarks.neighbours.discriminators.oscillating import FREQUENCIES, oscillating
from benchmarks.neighbours.discriminators.slopes import NAMES, slopes
from benchmarks.neighbours.discriminators.sphere import sphere
from benchmarks.neighbours.discriminators.trained import trained
from benchmarks.neighbours.discriminators.weights import MODELS, weights


def run(reduced: bool, runs: Path) -> Findings:
    parts = {
        "discriminator_weights": weights(reduced),
        "discriminator_error": oscillating(reduced),
        "discriminator_trained": trained(reduced),
        "discriminator_levels": slopes(reduced),
        "discriminator_sphere": sphere(reduced),
    }
    doubled = [cell for name in NAMES for cell in (name, "exact")]
    headers = {
        "discriminator_weights": ["w", *(f"{cell}" for m, v in MODELS for cell in (f"KL, N({m:g}, {v:g})", "exact"))],
        "discriminator_error": ["k", "excess cross-entropy", "E∥∇d − ∇d*∥²", "KL, ODE", "KL, SDE", "KL, Heun",
                                "E[sin kX], SDE", "s.e.", "exact"],
        "discriminator_trained": ["samples", "loss", "draws", "excess cross-entropy", "(1−ā) E∥∇d − ∇d*∥²",
                                  "KL, w = 0.5", "KL, w = 1", "KL, w = 2", "W₁, ODE", "W₁, SDE"],
        "discriminator_levels": ["wrong where", "sampler", *doubled],
        "discriminator_sphere": ["method", "mean along", "variance along", "variance across", "KL along"],
    }  # fmt: skip
    if reduced:
        headers["discriminator_trained"] = [*headers["discriminator_trained"][:5], "KL, w = 1", "W₁, ODE", "W₁, SDE"]
    tables = {name: table(headers[name], rows) for name, (rows, _) in parts.items()}
    checks = [check for _, found in parts.values() for check in found]
    return Findings(tables, checks, lambda: _draw(parts["discriminator_error"][0], parts["discriminator_trained"][0]))


def _draw(errors: list[list[str | float | int]], by_samples: list[list[str | float | int]]) -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
    for column, name, mark in ((1, "excess cross-entropy", "o-"), (2, "E∥∇d − ∇d*∥²", "s-"),
                               (3, "KL, ODE", "^-"), (4, "KL, SDE", "v-")):  # fmt: skip
        left.plot(FREQUENCIES, [float(row[column]) for row in errors], mark, mfc="none", label=name)
    left.set(xscale="log", yscale="log", xlabel="k", title="logit wrong by sin(kx)/√k", xticks=FREQUENCIES)
    left.set_xticklabels([str(k) for k in FREQUENCIES])
    left.legend(fontsize=8)
    sizes = sorted({int(row[0]) for row in by_samples})
    middle = 6 if len(by_samples[0]) > 8 else 5  # of the columns, the KL at w = 1
    for loss in dict.fromkeys(str(row[1]) for row in by_samples):
        kl = [float(row[middle]) for row in by_samples if row[1] == loss]
        right.plot(sizes, np.where(np.isfinite(kl), kl, np.nan), "o-", mfc="none", label=loss)
    right.axhline(0.125, color="0.6", ls="--", label="no discriminator")
    right.set(xscale="log", yscale="log", xlabel="samples", ylabel="KL, w = 1", title="trained on samples")
    right.legend(fontsize=8)
    return figure
