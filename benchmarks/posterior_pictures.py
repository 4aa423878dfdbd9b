"""What a posterior looks like under each method, and where the state leaves the noisy data manifold.

python -m benchmarks.posterior_pictures [--out runs/posterior_pictures] [--pictures docs/images]

Runs the methods of configs/comparison/posterior.yaml in two dimensions with one measurement, and manifold.yaml
(finished runs are reused), and draws posterior_2d.png (the exact posterior of the first problem, and the samples of
each method) and manifold.png (how untypical the state is along the way, and against the step size or rate).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from safetensors.torch import load_file

import train_free_eval
from dsg import yaml_text
from dsg.data.examples import Examples
from dsg.data.mixture_draws import MixtureDraws
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance.exact import posteriors
from dsg.models.mixture import GaussianMixture, TwentyFiveGaussians
from tasks import RandomProjection

matplotlib.use("Agg")

CONFIGS = Path(__file__).parent.parent / "configs" / "comparison"
IN_TWO_DIMENSIONS = {
    "include": [str(CONFIGS / "posterior.yaml")],
    "comparison": {
        "tasks": {"dy2": None, "dy4": None},
        "settings": {
            **dict.fromkeys(("dx8", "dx80", "dx800")),
            "dx2": {"model": {"score_model": {"init_args": {"dimension": 2}}, "steps": 100}},
        },
    },
}
PROBLEM = "0000"
METHODS = (
    "exact_samples", "oracle", "unguided", "dps", "dsg", "lgd_mc",
    "ugd", "mpgd", "pigdm", "ddnm", "ddrm", "diffpir",
)  # fmt: skip
STRENGTHS = {
    "dps": ("step size ζ", [0.003, 0.01, 0.03, 0.1, 0.3, 1.0], "tab:red"),
    "dsg": ("guidance rate w", [0.05, 0.1, 0.2, 0.4, 0.7, 1.0], "tab:blue"),
}


def compare(config: Path, out: Path) -> dict[str, Path]:
    """Run a comparison of one task by the command line's own main; the folder of each method's run."""
    status = train_free_eval.main(["compare", "--config", str(config), "--out_dir", str(out), "--workers", "2"])
    if status:
        sys.exit(status)
    with (out / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {row["method"]: _folder(out / "runs", row) for row in rows}


def _folder(runs: Path, row: dict[str, str]) -> Path:
    """Of the run that a row of table.csv is about: where there was a choice, it is named by it."""
    return runs / row["task"] / row["method"] / row["setting"] / row["chosen"].replace("*", "").replace(", ", ",")


def metric(run: Path, name: str) -> float:
    return json.loads((run / "metrics.json").read_text())["metrics"][name]["mean"]


def exact_posterior() -> GaussianMixture:
    """Of the two-dimensional problem, as the runs have it: their seeds are 0."""
    prior, task, data = TwentyFiveGaussians(2), RandomProjection(1), MixtureDraws()
    data.bind(prior)
    measurement = task.measure(Examples.of([data.load(PROBLEM)]), NoiseStreams([SampleKey(0, PROBLEM)]))
    return posteriors(prior, measurement, [PROBLEM], task.noise_sigma)[0][1]


def draw_posteriors(runs: dict[str, Path], file: Path) -> None:
    posterior = exact_posterior()
    axis = torch.linspace(-22, 22, 200, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    density = posterior.log_prob(grid).reshape(200, 200).T
    levels = density.max() - torch.tensor([12.0, 8.0, 4.5, 2.0, 0.5])
    figure, axes = plt.subplots(3, 4, figsize=(12, 9.4), sharex=True, sharey=True, layout="constrained")
    for ax, name in zip(axes.flat, METHODS, strict=True):
        run = runs[name]
        samples = load_file(run / "samples" / f"{PROBLEM}.safetensors")["samples"]
        ax.contour(axis, axis, density, levels=levels, colors="0.6", linewidths=0.7)
        ax.scatter(*samples.T, s=3, alpha=0.35, color="tab:blue", linewidths=0)
        ax.set(title=f"{name}, SW {metric(run, 'sliced_wasserstein'):.2f}", xlim=(-22, 22), ylim=(-22, 22))
    figure.suptitle("One problem: the exact posterior (contours), 1000 samples of each method; SW is over 20 problems")
    figure.savefig(file, dpi=90)
    plt.close(figure)


def draw_manifold(runs: dict[str, Path], file: Path) -> None:
    figure, (along, off, far) = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    _curve(along, runs["unguided"], "unguided", "black", "-")
    for name, (_, strengths, colour) in STRENGTHS.items():
        for strength, style in zip(strengths[1:5:1], (":", "-.", "--", "-"), strict=True):
            _curve(along, runs[f"{name}_{strength}"], f"{name} {strength}", colour, style)
    along.axhspan(-2, 2, color="0.9", zorder=0, label="95 % of noised data")
    along.set(xlabel="step", ylabel="z, standard deviations of −log p_t", yscale="symlog", title="along the way")
    along.legend(fontsize=7, ncols=2)
    for ax, column in ((off, "off_manifold"), (far, "sliced_wasserstein")):
        for name, (label, strengths, colour) in STRENGTHS.items():
            side = ax if name == "dps" else ax.twiny()
            values = [metric(runs[f"{name}_{s}"], column) for s in strengths]
            side.plot(strengths, values, "o-", color=colour, label=name)
            side.set(xscale="log")
            side.set_xlabel(f"{name}: {label}", color=colour)
        ax.axhline(metric(runs["unguided"], column), color="black", lw=0.8, label="unguided")
        ax.axhline(metric(runs["oracle"], column), color="0.5", ls="--", lw=0.8, label="oracle")
        ax.set(yscale="log", ylabel=column)
        ax.legend(fontsize=8)
    figure.savefig(file, dpi=90)
    plt.close(figure)


def _curve(ax: Axes, run: Path, label: str, colour: str, style: str) -> None:
    """The mean z of all samples after each step."""
    z = np.concatenate([load_file(file)["z"] for file in sorted((run / "manifold").glob("*.safetensors"))])
    ax.plot(np.arange(1, z.shape[1] + 1), z.mean(axis=0), label=label, color=colour, ls=style, lw=1.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/posterior_pictures"))
    parser.add_argument("--pictures", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    two = options.out / "posterior_2.yaml"
    two.write_text(yaml_text.dump(IN_TWO_DIMENSIONS), encoding="utf-8")
    draw_posteriors(compare(two, options.out / "posterior_2"), options.pictures / "posterior_2d.png")
    draw_manifold(compare(CONFIGS / "manifold.yaml", options.out / "manifold"), options.pictures / "manifold.png")


if __name__ == "__main__":
    main()
