"""What a switch of the class at τ does to portraits, from the runs of a comparison: a table, and a figure.

    python -m benchmarks.portraits.switching --comparison runs/switching

Each sample is judged by networks that no sampler follows: whether it shows the attribute that the switch brings, as the
attribute judge says it; how much it is the person of the run with the smallest τ, from the same noise, by the cosine of
the identity judge; and the Fréchet distance of the run to the held-out portraits of all classes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from benchmarks.experiments.comparison_runs import finished_runs, settings_and_summary
from benchmarks.experiments.findings import table
from dsg.data.image_file import read_image
from dsg.errors import UserError
from dsg.models.portraits.attribute_judge import CHOICES, AttributeJudge
from dsg.models.portraits.identity import PortraitsIdentity
from dsg.report.labels import at
from dsg.run_folder.folder import RunFolder

BITS = {4: "eyewear", 2: "beard", 1: "hat"}  # of a class's number


@dataclass
class Switched:
    """A finished run at its τ, and the attribute that its switch brings."""

    t: float
    attribute: str
    folder: RunFolder
    distance: float

    @classmethod
    def read(cls, path: Path) -> Switched:
        """Raises UserError if the switch does not bring one attribute to every class."""
        settings, summary = settings_and_summary(path)
        above, below = (at(settings, f"model.combiner.init_args.{side}") for side in ("above", "below"))
        lists = isinstance(above, list) and isinstance(below, list)
        bits = {one ^ other for one, other in zip(above, below, strict=True)} if lists else set()
        if len(bits) != 1 or not bits <= BITS.keys():
            raise UserError(f"{path}: its switch does not bring one attribute to every class; set above and below so")
        found = summary["metrics"]
        if "fd_portraits" not in found:
            raise UserError(f"{path}: it has no fd_portraits; evaluate it with --distribution.features '[portraits]'")
        t, distance = float(at(settings, "model.combiner.init_args.t")), found["fd_portraits"]["mean"]
        return cls(t, BITS[bits.pop()], RunFolder(path), float(distance))

    def pictures(self, ids: list[str]) -> Tensor:
        """(N,3,64,64) in [−1, 1]."""
        return torch.stack([read_image(self.folder.picture_path("samples", name, 0), 64) for name in ids])


@dataclass
class Point:
    """What is measured at a τ.

    Args:
        share: of the samples that the judge says have the attribute.
        error: its standard error.
        probability: the judge's mean probability of the attribute.
        undecided: the share that it gives between 0.1 and 0.9.
        identity: mean cosine to the same sample of the smallest τ.
        distance: Fréchet distance to held-out portraits of all classes.
    """

    t: float
    share: float
    error: float
    probability: float
    undecided: float
    identity: float
    distance: float


@torch.no_grad()
def measure(runs: list[Switched]) -> list[Point]:
    """By rising τ. Raises UserError where fewer than two pictures are in all runs."""
    ids = sorted(set.intersection(*({name for name, sample in run.folder.done() if sample == 0} for run in runs)))
    if len(ids) < 2:
        raise UserError("the runs have fewer than two samples in common; finish the comparison first")
    judge, who = AttributeJudge(), PortraitsIdentity("judge")
    points, first = [], None
    for run in sorted(runs, key=lambda run: run.t):
        pictures = run.pictures(ids)
        none = CHOICES[run.attribute].index("none")
        has = torch.cat([1 - judge(part)[run.attribute].softmax(1)[:, none] for part in pictures.split(64)])
        people = torch.cat([who(part) for part in pictures.split(64)])
        first = people if first is None else first
        share = float((has > 0.5).double().mean())
        undecided = float(((has > 0.1) & (has < 0.9)).double().mean())
        error = (share * (1 - share) / len(ids)) ** 0.5
        points.append(Point(run.t, share, error, float(has.mean()), undecided,
                            float((people * first).sum(1).mean()), run.distance))  # fmt: skip
    return points


def draw(points: list[Point], attribute: str) -> Figure:
    """Share, identity and distance against τ."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    share, identity, distance = figure.subplots(1, 3)
    t = [point.t for point in points]
    share.errorbar(
        t, [p.share for p in points], [2 * p.error for p in points], fmt="o-", label="judge's share, ± 2 s.e."
    )
    share.plot(t, [p.undecided for p in points], "s--", color="0.4", mfc="none", label="undecided")
    share.set(ylabel=attribute, ylim=(-0.02, 1.02))
    share.legend(fontsize=8)
    identity.plot(t, [p.identity for p in points], "o-")
    identity.set(ylabel="identity: cosine to the smallest τ")
    distance.plot(t, [p.distance for p in points], "o-")
    distance.set(ylabel="fd_portraits", ylim=(0, None))
    for ax in (share, identity, distance):
        ax.set(xlabel="τ")
    return figure


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparison", type=Path, required=True, help="folder of a finished comparison of τ")
    options = parser.parse_args(arguments)
    try:
        runs = [Switched.read(path) for path in finished_runs(options.comparison)]
        if len(attributes := {run.attribute for run in runs}) > 1:
            raise UserError(f"--comparison: its runs switch {' and '.join(sorted(attributes))}; one figure is of one")
        points = measure(runs)
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    header = ["τ", "judge's share", "s.e.", "judge's probability", "undecided", "identity", "fd_portraits"]
    rows = [[f"{p.t:g}", p.share, p.error, p.probability, p.undecided, p.identity, p.distance] for p in points]
    print(table(header, rows, 3))
    draw(points, runs[0].attribute).savefig(options.comparison / "switching.png", dpi=90)


if __name__ == "__main__":
    main()
