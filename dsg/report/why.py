"""Why a run is as good as it is: its trace in a few numbers, and in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from dsg.report.evaluated_run import EvaluatedRun
from dsg.run_folder.trace_file import Curve, Trace

OFF_THE_SHELL = 1.25  # times the radius
HARDLY = 0.8  # of the first loss
RISES = 1.25  # times the least loss
NEARLY_NONE = 0.02  # of the first loss: a least one below counts as that much
WEAK, ALONE = 0.01, 0.9  # cosines
NOT_MET, FITS_NOISE = 1.5, 0.67  # residuals
RULES = (
    f"Medians of the samples that were traced. Shell: ‖x_prev − μ‖/√n σ where it is furthest from 1; from "
    f"{OFF_THE_SHELL:g} on, or below {1 / OFF_THE_SHELL:g}, the state leaves the noise shell. Cosine: of the step and "
    f"−g, over the steps; in words only over those with noise, of which the shell ratio is known: from 0 to {WEAK:g} "
    f"guidance is lost in the noise, above {ALONE:g} it is all there is. Loss left: at the end, of that at the "
    f"beginning; it hardly falls if it is more than {HARDLY:g}, and rises again if it ends above its least by more "
    f"than {100 * (RISES - 1):g} % of that, or of {100 * NEARLY_NONE:g} % of the first if that is more. "
    f"Residual ‖y − A x‖/σ√m: above {NOT_MET:g} the measurement is not met, below {FITS_NOISE:g} its noise is "
    "fitted too."
)


@dataclass(frozen=True)
class Why:
    """A run's trace, in short; NaN for what it does not have.

    Args:
        shell: the median shell ratio that is furthest from 1, by its logarithm, and `step` where, from 0.
        cosine: the median over steps.
        loss: the last over the first.
        residual: mean over images, of the finished samples.
        words: what there is to say.
        samples: that were traced.
    """

    shell: float
    step: int
    cosine: float
    loss: float
    residual: float
    words: Sequence[str]
    samples: int = 0


def why(run: EvaluatedRun) -> Why:
    """Of a run without a trace its residual and its failures are all that is known."""
    trace, residual = run.trace, run.results.mean("residual")
    if trace is None:
        words = [*_of_the_end(residual, run.results.failures), "it kept no trace"]
        return Why(math.nan, 0, math.nan, math.nan, residual, words)
    shells, cosines, losses = (dict(_known(trace, name)) for name in ("shell_ratio", "cosine", "loss"))
    positive = ((abs(math.log(value)), value, step) for step, value in shells.items() if value > 0)
    _, shell, step = max(positive, default=(0.0, math.nan, 0))
    cosine = _median(cosines.values())
    # without noise a step is along −g by construction, or is the denoiser's
    in_noise = _median(value for step, value in cosines.items() if step in shells)
    known = list(losses.values())
    left = known[-1] / known[0] if known and known[0] > 0 else math.nan
    words = [
        *_of_the_shell(shell, step, trace.steps), *_of_the_cosine(in_noise),
        *_of_the_loss(list(losses.items()), left), *_of_tokens(trace), *_of_the_end(residual, run.results.failures),
    ]  # fmt: skip
    return Why(shell, step, cosine, left, residual, words, trace.samples)


def _median(values: Iterable[float]) -> float:
    """NaN of none."""
    found = list(values)
    return median(found) if found else math.nan


def _known(trace: Trace, measure: str) -> list[tuple[int, float]]:
    """(step, median) where there is one."""
    curve: Curve | None = trace.measures.get(measure)
    return [] if curve is None else [(i, value) for i, value in enumerate(curve.p50) if value is not None]


def _of_the_shell(shell: float, step: int, steps: int) -> Iterator[str]:
    if shell >= OFF_THE_SHELL:
        yield f"leaves the noise shell in step {step + 1} of {steps}"
    elif shell <= 1 / OFF_THE_SHELL:
        yield f"falls below the noise shell in step {step + 1} of {steps}"
    elif math.isfinite(shell):
        yield "stays on the noise shell"


def _of_the_cosine(cosine: float) -> Iterator[str]:
    if 0 <= cosine < WEAK:
        yield "guidance is lost in the noise"
    elif cosine > ALONE:
        yield "guidance is all there is of a step"


def _of_the_loss(losses: Sequence[tuple[int, float]], left: float) -> Iterator[str]:
    """Of (step, loss)."""
    if left > HARDLY:
        yield "the loss hardly falls" if left <= 1 else "the loss rises"
    elif losses:
        least_step, least = min(losses, key=lambda known: known[1])
        if losses[-1][1] - least > (RISES - 1) * max(abs(least), NEARLY_NONE * losses[0][1]):
            yield f"the loss rises again after step {least_step + 1}"


def _of_tokens(trace: Trace) -> Iterator[str]:
    entropies = [value for _, value in _known(trace, "entropy")]
    if entropies:
        yield f"entropy of a token from {entropies[0]:.2g} to {entropies[-1]:.2g} nats"
    if speeds := [value for _, value in _known(trace, "speed")]:
        yield f"unmasks {max(speeds):.2g} times as fast as without guidance at most"


def _of_the_end(residual: float, failures: int) -> Iterator[str]:
    if residual > NOT_MET:
        yield "the measurement is not met"
    elif residual < FITS_NOISE:
        yield "fits the measurement's noise"
    if failures:
        yield f"{failures} failed"
