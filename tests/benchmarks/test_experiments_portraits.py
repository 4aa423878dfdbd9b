"""The theorem beyond the pair: reduced, everything that has to come out does."""

import pytest
import torch

from benchmarks.experiments.findings import Findings
from benchmarks.theory import general, portraits
from dsg.metrics.reciprocal import Reciprocal


def assert_holds(findings: Findings) -> None:
    assert findings.checks
    assert [str(check) for check in findings.checks if not check.holds] == []


def test_the_mean_reciprocal_falls_without_the_pair_s_symmetry(tmp_path):
    findings = general.run(True, tmp_path)
    assert_holds(findings)
    assert findings.draw is not None
    findings.draw().savefig(tmp_path / "figure.png")
    assert set(findings.tables) == {"general_mixture", "general_roll"}


def test_quadrature_agrees_with_the_prior_and_with_exact_samples():
    model = general.overlapping()
    exact = general.Exact.of(model)
    assert exact.reciprocal == pytest.approx(1 / 0.25, rel=1e-9)
    labels = torch.full((20_000,), general.LABEL)
    x = model.sample(len(labels), torch.Generator().manual_seed(3), labels)
    log_p = model.classifier_log_prob(x, labels)
    found = Reciprocal.of(log_p.numpy())
    assert found.mean == pytest.approx(exact.reciprocal, abs=4 * (exact.variance / len(x)) ** 0.5)
    assert found.standard_error == pytest.approx((exact.variance / len(x)) ** 0.5, rel=0.1)
    assert log_p.exp().mean().item() == pytest.approx(exact.probability, abs=0.01)


def test_the_portraits_comparison_becomes_a_table_a_curve_and_a_strip(tmp_path):
    findings = portraits.run(True, tmp_path)
    assert_holds(findings)
    lines = findings.tables["portraits"].splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["0", "2"]
    assert "nan" not in lines[2].split("|")[2]
    assert findings.draw is not None
    for draw in (findings.draw, *findings.further.values()):
        draw().savefig(tmp_path / "figure.png", dpi=90)
    assert not list(tmp_path.glob("portraits"))
