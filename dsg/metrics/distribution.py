"""How far a set of samples is from a set of references, in the features of one network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dsg.metrics.feature_set import FeatureSet
from dsg.metrics.features import FeatureNetwork
from dsg.metrics.frechet import frechet_distance
from dsg.metrics.kernel import kernel_distance
from dsg.metrics.neighbours import precision_and_recall


@dataclass
class Findings:
    """What metrics.json is told.

    Args:
        metrics: name: `mean`, the value; `n`, of how many pictures; `reference`, and `reference_n` where it is known.
        unavailable: name: why it could not be measured.
        warnings: what a reader of the values has to know.
    """

    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def names(network: FeatureNetwork | type[FeatureNetwork]) -> tuple[str, str, str, str]:
    """Of the Fréchet distance, the kernel distance, precision and recall."""
    kind = network.name
    return f"{network.frechet}_{kind}", f"{network.kernel}_{kind}", f"precision_{kind}", f"recall_{kind}"


def distances(
    network: FeatureNetwork, samples: FeatureSet, reference: FeatureSet, source: str, neighbours: int = 3
) -> Findings:
    """All metrics that the reference allows.

    Args:
        network: whose features both are.
        samples: the samples, with features.
        reference: the references.
        source: what to say of where they are from.
        neighbours: k of precision and recall.
    """
    found, (frechet, kernel, precision, recall) = Findings(), names(network)

    def add(name: str, value: float, n: int | None, reference_n: int | None) -> None:
        found.metrics[name] = {"mean": value, "n": n, "reference": source, "reference_n": reference_n}

    n, reference_n = samples.statistics.n, reference.statistics.n
    add(frechet, frechet_distance(samples.statistics, reference.statistics), n, reference_n)
    for side, count in (("samples", n), ("references", reference_n)):
        if count is not None and count <= network.dimension:
            found.warnings.append(
                f"{frechet}: {count} {side} give a singular covariance of {network.dimension} features; "
                "the distance depends on their number more than on the method"
            )
    if samples.features is None or reference.features is None:
        for name in (kernel, precision, recall):
            found.unavailable[name] = (
                f"{name}: needs features, and the reference ({source}) has mu and sigma alone; set "
                "distribution.reference to a folder of pictures"
            )
        return found
    counts = len(samples.features), len(reference.features)
    try:
        add(kernel, kernel_distance(samples.features, reference.features), *counts)
        shares = precision_and_recall(samples.features, reference.features, neighbours)
        for name, share in zip((precision, recall), shares, strict=True):
            add(name, share, *counts)
    except ValueError as error:
        missing = [name for name in (kernel, precision, recall) if name not in found.metrics]
        found.unavailable |= {name: f"{name}: {error}" for name in missing}
    return found
