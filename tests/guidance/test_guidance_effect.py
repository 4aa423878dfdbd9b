"""What guidance does to 1/p(c | x), measured by the command line, and by the terms of the theorem."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.integrate import trapezoid
from torch import nn

from callbacks.twin import Twin
from dsg.combiners import ClassifierFree, Conditional, MixtureClassifier
from dsg.data.examples import Examples
from dsg.diffusion.continuous_spacing import LogSNR
from dsg.diffusion.kernels import DDIM, EulerMaruyama
from dsg.diffusion.noise import EnsembleStreams, NoiseStreams, SampleKey
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.guidance import DSG, ClassifierGradient, Unguided
from dsg.metrics.theorem_terms import TheoremTerms
from dsg.models.mixture import GaussianMixture, MixtureJudge
from dsg.run_folder.folder import RunFolder
from dsg.sampling import Sampler
from tasks import Generation
from tests.launch import ROOT

PAIR = GaussianMixture([1, 1], [[-1.0, 0.0], [1.0, 0.0]], 1.0, [0, 1])
SMALL = ["--trainer.accelerator", "cpu", "--data.limit", "3", "--data.samples_per_image", "8", "--model.steps", "12"]


class Impossible(nn.Module):
    """A judge to whom the second class is impossible left of 1."""

    def forward(self, x):
        left = torch.where((x[:, :1] < 1.0) & (x[:, :1] != 0.0), -torch.inf, 0.0)  # 0 is what it is tried with
        return torch.cat([torch.zeros_like(left), left], dim=1)


@pytest.fixture
def guided(tmp_path):
    """Run the pair's experiment: `guided(*options, into="run")` → exit code."""
    from train_free_eval import main

    def run(*options, into="run"):
        arguments = ["predict", "--config", str(ROOT / "configs/experiment/theory_pair.yaml")]
        try:
            return main(
                [
                    *arguments,
                    "--run_dir",
                    str(tmp_path / into),
                    "--trainer.accelerator",
                    "cpu",
                    *SMALL,
                    *map(str, options),
                ]
            )
        except SystemExit as end:
            return int(end.code or 0)

    return run


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "per_image.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_row_has_the_probability_its_logarithm_and_its_reciprocal(guided, tmp_path):
    assert guided() == 0
    for row in rows(tmp_path / "run"):
        p = float(row["judge_probability"])
        assert 0 < p < 1
        assert float(row["judge_reciprocal"]) == pytest.approx(1 / p)
        assert float(row["judge_log_probability"]) == pytest.approx(torch.tensor(p).log().item(), abs=1e-5)
        assert "psnr" not in row  # nothing was measured that a sample should look like
    found = metrics(tmp_path / "run")["metrics"]["judge_reciprocal"]
    values = [float(row["judge_reciprocal"]) for row in rows(tmp_path / "run")]
    assert found["mean"] == pytest.approx(sum(values) / len(values))
    assert {"truncated", "standard_error", "effective_samples", "tail_index", "largest_share"} <= found.keys()


def test_the_terms_of_the_identity_add_up_row_by_row(guided, tmp_path):
    assert guided() == 0
    for row in rows(tmp_path / "run"):
        start, end, *taken = (
            float(row[f"reciprocal_{name}"]) for name in ("start", "end", "decrease", "by_steps", "residual")
        )
        assert start - end == pytest.approx(sum(taken))
        assert end == pytest.approx(float(row["judge_reciprocal"]), rel=1e-5)  # judge and classifier are both exact


def test_with_its_twin_a_run_tells_the_share_of_samples_that_got_worse(guided, tmp_path):
    """In one dimension guidance moves every path to the right, so that none does."""
    assert guided("--model.combiner.guidance_scale", 1.0, into="twin") == 0
    assert guided("--callbacks.classification.twin", tmp_path / "twin") == 0
    assert metrics(tmp_path / "run")["metrics"]["worse_than_twin"]["mean"] == 0.0
    assert (
        guided(
            "--model.combiner.guidance_scale", 0.0, "--callbacks.classification.twin", tmp_path / "twin", into="less"
        )
        == 0
    )
    assert metrics(tmp_path / "less")["metrics"]["worse_than_twin"]["mean"] == 1.0


def test_what_is_taken_off_is_the_trapezoid_of_the_rates_and_the_last_step():
    sampler, process = start(EulerMaruyama(), Unguided(), ClassifierFree(3.0), steps=8)
    terms, times, rates = TheoremTerms(MixtureClassifier(PAIR)), [], []
    for record in sampler.run(process):
        terms.add(record, process)
        times.append(record.step.log_alpha_bar)
        rates.append(terms.rate.numpy())
    expected = trapezoid(np.stack(rates), times, axis=0) - times[-1] * rates[-1]
    np.testing.assert_allclose(terms.decrease.numpy(), expected, rtol=1e-6)


def test_a_finished_run_may_get_a_twin_afterwards(guided, tmp_path):
    assert guided("--model.combiner.guidance_scale", 1.0, into="twin") == 0
    assert guided() == 0
    assert guided("--callbacks.classification.twin", tmp_path / "twin") == 0
    assert metrics(tmp_path / "run")["metrics"]["worse_than_twin"]["mean"] == 0.0


def test_twins_of_other_noise_or_of_nothing_are_refused(guided, tmp_path, capsys):
    assert guided("--model.seed", 1, into="twin") == 0
    assert guided("--callbacks.classification.twin", tmp_path / "twin") == 2
    assert (
        f"callbacks.classification.twin: {tmp_path / 'twin'} has another model.seed; run it again"
        in capsys.readouterr().err
    )
    assert guided("--callbacks.classification.twin", tmp_path / "nothing", into="other") == 2
    assert "is no run folder; run it without guidance first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "other"),
    [
        (
            "--callbacks.classification.judge",
            f"{__name__}.Impossible",
            "another callbacks.classification.init_args.judge",
        ),
        ("--data.label", 0, "another data.init_args.label"),
    ],
)
def test_a_twin_that_was_asked_for_other_classes_or_another_judge_is_refused(
    guided, tmp_path, capsys, option, value, other
):
    assert guided("--model.combiner.guidance_scale", 1.0, option, value, into="twin") == 0
    assert guided("--callbacks.classification.twin", tmp_path / "twin") == 2
    assert other in capsys.readouterr().err


def test_a_twin_that_lacks_a_sample_is_refused_before_the_first(guided, tmp_path, capsys):
    assert guided("--model.combiner.guidance_scale", 1.0, "--data.limit", 2, into="twin") == 0
    assert guided("--callbacks.classification.twin", tmp_path / "twin") == 2
    assert "samples, as sample 0 of 0002; finish it with the same data" in capsys.readouterr().err
    assert not (tmp_path / "run" / "rows").exists()


def test_a_pair_of_which_one_has_no_probability_tells_nothing(tmp_path):
    folder = RunFolder(tmp_path / "twin")
    folder.open({})
    of_twin, own = {"a": math.nan, "b": -1.0, "c": -1.0, "d": -1.0}, {"a": -2.0, "b": math.nan, "c": -2.0}
    known = [{"id": key, "sample": 0, "status": "ok", "judge_log_probability": log_p} for key, log_p in of_twin.items()]
    folder.append([*known, {"id": "e", "sample": 0, "status": "failed: not finite"}])
    rows = [{"id": key, "sample": 0, "status": "ok", "judge_log_probability": log_p} for key, log_p in own.items()]
    assert Twin(str(folder.path)).worse(known[1:]).mean == 0.0  # nobody is worse than the same
    found = Twin(str(folder.path)).worse([*rows, {**rows[0], "id": "e"}])
    assert (found.mean, found.n) == (1.0, 1)
    assert Twin(str(folder.path)).worse(rows[:2]).n == 0


def test_a_probability_of_zero_is_told_and_not_averaged_in(guided, tmp_path, capsys):
    assert guided("--callbacks.classification.judge", f"{__name__}.Impossible") == 0
    found = metrics(tmp_path / "run")
    reciprocal = found["metrics"]["judge_reciprocal"]
    assert "mean" not in reciprocal
    assert reciprocal["not_finite"] > 0
    assert 1 < reciprocal["truncated"] < 100
    assert any("infinite: a sample has probability 0" in line for line in found["warnings"])
    assert "E[1/p] is infinite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model.combiner.guidance_scale", -1], "γ must be at least 0 and finite, got -1"),
        (["--data.label", 2], "data.label: the model has 2 classes, got 2"),
        (["--data.label", "null"], "ClassifierFree guides by class, and the data has none; set data.labels"),
        (
            ["--callbacks.classification.judge", "tests.toy.ToyClassifier"],
            "ToyClassifier cannot take images of shape (1,)",
        ),
        (["--model.kernel.noise", -1], "λ of the reverse SDE must be at least 0"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_sample(guided, tmp_path, capsys, options, words):
    assert guided(*options) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert not (tmp_path / "run" / "rows").exists()


def test_a_judge_that_the_sampler_follows_is_refused(evaluate, capsys):
    task = ["--model.task", "tasks.ClassLabel", "--model.task.classifier", "tests.toy.ToyClassifier"]
    judge = ["--callbacks.classification", "callbacks.Classification", "--callbacks.classification.judge"]
    assert evaluate(*task, *judge, "tests.toy.ToyClassifier") == 2
    assert "has the weights of a network that the sampler follows" in capsys.readouterr().err


def test_a_scale_may_be_a_schedule_in_a_configuration(guided, tmp_path):
    file = tmp_path / "scale.yaml"
    scale = {"class_path": "dsg.combiners.PiecewiseLinear", "init_args": {"t": [0, 600], "scale": [1.0, 5.0]}}
    file.write_text(yaml.safe_dump({"model": {"combiner": {"init_args": {"guidance_scale": scale}}}}))
    assert guided("--config", file) == 0
    assert (
        guided("--config", file, "--model.combiner.init_args.guidance_scale.init_args.scale", "[1.0, -5.0]", into="x")
        == 2
    )


def start(kernel, guidance, combiner, count=2000, steps=40):
    sampler = Sampler(PAIR, Generation(), guidance, kernel, steps, LogSNR(), False, combiner)
    streams = EnsembleStreams(SampleKey(0, "x"), count)
    process = sampler.begin(Examples(torch.zeros(count, 2), {"label": torch.ones(count, dtype=torch.long)}), streams)
    return sampler, process


def test_classifier_guidance_of_the_mean_is_classifier_free_guidance_under_euler_maruyama():
    ends = []
    for guidance, combiner in (
        (ClassifierGradient(MixtureClassifier(PAIR), 1.5), Conditional()),
        (Unguided(), ClassifierFree(2.5)),
    ):
        sampler, process = start(EulerMaruyama(), guidance, combiner, 50)
        ends.append([record.x_prev for record in sampler.run(process)][-2])  # the last step has no noise, and no σ²
    assert torch.allclose(*ends, atol=1e-4)


def test_dsg_over_the_classifier_s_gradient_stays_on_the_shell_and_raises_the_probability():
    guidance = DSG(ClassifierGradient(MixtureClassifier(PAIR)), guidance_rate=0.3)
    ends = []
    for method in (guidance, DSG(guidance.base, guidance_rate=0.0)):
        sampler, process = start(DDIM(1.0), method, Conditional(), 200)
        records = list(sampler.run(process))
        ends.append(PAIR.classifier_log_prob(records[-1].x_prev, torch.ones(200, dtype=torch.long)))
        if method is guidance:
            assert all(torch.allclose(r.shell_ratio, torch.ones(200), atol=1e-4) for r in records[:-1])
            assert (process.forwards, process.backwards) == (40, 0)
    assert (ends[0] > ends[1]).double().mean() > 0.95


def test_no_strength_is_no_guidance():
    ends = []
    for guidance in (ClassifierGradient(MixtureClassifier(PAIR), 0.0), Unguided()):
        sampler, process = start(DDIM(1.0), guidance, Conditional(), 20)
        *_, record = sampler.run(process)
        ends.append(record.x_prev)
    assert torch.equal(*ends)


def path(guidance, combiner, steps):
    sampler, process = start(EulerMaruyama(), guidance, combiner, steps=steps)
    terms = TheoremTerms(MixtureClassifier(PAIR))
    for record in sampler.run(process):
        terms.add(record, process)
    return terms


def test_the_gap_identity_closes_as_the_steps_get_fine():
    open_by = [path(Unguided(), ClassifierFree(3.0), steps).residual.mean().abs().item() for steps in (50, 400)]
    assert open_by[1] < open_by[0] / 3
    assert open_by[1] < 0.02


def test_without_guidance_nothing_is_taken_off_but_by_a_martingale():
    terms = path(Unguided(), Conditional(), 200)
    assert torch.equal(terms.decrease, torch.zeros_like(terms.decrease))
    assert terms.by_steps.mean().abs() < 4 * terms.by_steps.std() / 2000**0.5


def test_what_dsg_takes_off_it_takes_by_its_steps():
    terms = path(DSG(ClassifierGradient(MixtureClassifier(PAIR)), guidance_rate=0.1), Conditional(), 200)
    assert torch.equal(terms.decrease, torch.zeros_like(terms.decrease))
    assert terms.by_steps.mean() > 0.5


@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan")])
def test_a_weight_of_classifier_guidance_below_zero_is_refused(weight):
    with pytest.raises(UserError, match="must be at least 0"):
        ClassifierGradient(MixtureClassifier(PAIR), weight)


def test_a_classifier_of_other_classes_than_the_model_s_is_refused():
    three = GaussianMixture([1, 1, 1], [[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 1.0, [0, 1, 2])
    with pytest.raises(UserError, match="it has 3 classes and the score model 2"):
        Sampler(PAIR, Generation(), ClassifierGradient(MixtureClassifier(three)))


def test_the_judge_of_a_mixture_is_its_classifier_and_refuses_other_states():
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([PAIR.classifier_log_prob(x, torch.full((5,), c)) for c in (0, 1)], dim=1)
    assert torch.equal(MixtureJudge(PAIR)(x), expected)
    with pytest.raises(UserError, match=r"judges states of shape \(2,\)"):
        MixtureJudge(PAIR)(torch.zeros(1, 3))


def test_generation_measures_nothing_and_has_no_loss():
    task, x = Generation(), torch.randn(2, 3, 8, 8, requires_grad=True)
    measurement = task.measure(Examples(x), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
    assert measurement.y.shape == (2, 0)
    task.loss(x, measurement).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_an_ensemble_has_a_stream_a_purpose_and_the_same_one_again():
    first, again = (EnsembleStreams(SampleKey(0, "x"), 4).normal("reverse", (3,)) for _ in range(2))
    assert torch.equal(first, again)
    assert len(first.unique()) == 12


def test_the_pair_s_schedule_is_that_of_its_file():
    written = yaml.safe_load((ROOT / "configs/model/pair.yaml").read_text())["model"]["score_model"]["init_args"]
    assert NoiseSchedule(**written["schedule"]["init_args"]).alpha_bar[-1] < 1e-6
