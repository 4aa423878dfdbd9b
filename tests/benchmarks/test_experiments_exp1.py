"""Bias, confidence and support come out as theory says, with fewer samples and steps."""

import pytest

from benchmarks.theory import EXPERIMENTS


@pytest.mark.parametrize("name", ["bias", "confidence", "support"])
def test_every_number_of_the_experiment_comes_out(name, tmp_path):
    findings = EXPERIMENTS[name](True, tmp_path)
    assert [str(check) for check in findings.checks if not check.holds] == []
