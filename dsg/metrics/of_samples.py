"""What several samples of an image say together of a metric: the best, the worst, and how far they are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from statistics import stdev

from dsg.metrics.direction import direction_of

QUALITY = ("psnr", "ssim", "lpips")
"""How the metrics begin of which there is a best, a worst and a spread."""
STD, BEST, WORST = "std_", "_best", "_worst"


def of_samples(
    metric: str, images: Mapping[str, Sequence[float]], flawed: Set[str] = frozenset()
) -> dict[str, dict[str, float]]:
    """Derived metric: image id: value; nothing of a metric that is none of `QUALITY`, or of which no image has two
    values.

        <metric>_best, <metric>_worst   of the image's samples
        std_<metric>                    standard deviation over its K ≥ 2 samples, with the divisor K − 1

    Wang et al. 2025 (2505.16474) report the mean over images of the last. A small one is no merit by itself: it is 0 of
    a method that always gives the same sample.

    Args:
        metric: its name.
        images: the values of each image's finished samples, at least one.
        flawed: images of which a sample failed: the worst is not known of these.
    """
    if not metric.startswith(QUALITY) or not any(len(values) > 1 for values in images.values()):
        return {}
    better, worse = (max, min) if direction_of(metric).sign > 0 else (min, max)
    ids = sorted(images)
    found = (
        {key: float(better(images[key])) for key in ids},
        {key: float(worse(images[key])) for key in ids if key not in flawed},
        {key: stdev(images[key]) for key in ids if len(images[key]) > 1},
    )
    return {name: values for name, values in zip(names_of(metric), found, strict=True) if values}


def names_of(metric: str) -> tuple[str, str, str]:
    """What `of_samples` calls what it makes of `metric`."""
    return f"{metric}{BEST}", f"{metric}{WORST}", f"{STD}{metric}"


def of_one_sample(metric: str) -> str:
    """The metric of single samples that `metric` is made of: psnr of std_psnr and of psnr_worst; else itself."""
    found = metric.removeprefix(STD).removesuffix(BEST).removesuffix(WORST)
    return found if found.startswith(QUALITY) else metric
