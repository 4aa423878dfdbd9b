"""The exact laws of DPS's and DSG's samples on N(0, I), and what is scored of them, against other ways to the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.dsg_radius import predicted_std
from benchmarks.neighbours.consistency import SAMPLES, Problems, calibrated
from benchmarks.neighbours.consistency_places import places
from benchmarks.neighbours.exact.consistency import Law, dps, dsg, posterior, std_psnr
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import DSG

PROBLEMS = Problems.draw(1, 16)
WORLD = PROBLEMS.world()


def test_exact_samples_have_crps_s_over_root_pi_and_nominal_coverage_and_twice_the_variance_for_error():
    law, s2 = posterior(WORLD), 0.09 / 1.09
    assert law.crps == pytest.approx((1 + math.sqrt(s2)) / 2 / math.sqrt(math.pi), abs=1e-12)
    assert law.error == pytest.approx(1 + s2, abs=1e-12)
    for count in (2, 5, 19, 50):
        assert law.seen_coverage(count) == pytest.approx((count - 1) / (count + 1), abs=1e-9)


@pytest.mark.parametrize("v", [0.02, 0.3])
def test_crps_and_coverage_are_their_integrals(v):
    law, k, t = Law(WORLD, 0.8, v, 0.7), 7, np.linspace(-8, 8, 8001)
    low = norm.cdf(t / math.sqrt(v))
    between = (1 - low**k - (1 - low) ** k) * norm.pdf(t, scale=math.sqrt(law.gap))
    assert law.seen_coverage(k) == pytest.approx(np.trapezoid(between, t), abs=1e-9)

    def score(gap: float, variance: float) -> float:
        """∫ (F(t) − 1{x* ≤ t})² dt of N(0, variance), mean over x* ~ N(0, gap)."""
        below, truth = norm.cdf(t, scale=math.sqrt(variance)), norm.cdf(t, scale=math.sqrt(gap))
        return np.trapezoid(below**2 * (1 - truth) + (1 - below) ** 2 * truth, t)

    assert law.crps == pytest.approx((score(law.gap, v) + score(1.0, 0.7)) / 2, abs=1e-9)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_what_is_not_seen_has_the_spread_that_dsg_s_sphere_leaves_it(rate):
    levels = Even().steps(NoiseSchedule("linear"), 100)
    assert math.sqrt(dsg(WORLD, rate).u) == pytest.approx(predicted_std(levels, DSG(guidance_rate=rate)), rel=1e-3)


def test_without_strength_both_methods_are_the_unguided_sampler():
    one, other = dps(WORLD, 0.0), dsg(WORLD, 0.0)
    assert (one.a, one.v, one.u, one.use) == (other.a, other.v, other.u, other.use) == (0.0, one.u, one.u, 0.0)


def test_the_spread_of_psnr_is_that_of_independent_draws():
    law, rng = posterior(WORLD), np.random.default_rng(0)
    n, found = WORLD.numbers, []
    for _ in range(100):
        deviations = np.sqrt(np.where(np.arange(n) < n // 2, law.v, 1.0))
        truth, x = rng.standard_normal(n) * deviations, rng.standard_normal((SAMPLES, n)) * deviations
        found.append(np.std(-10 * np.log10(((x - truth) ** 2).mean(1)), ddof=1))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(std_psnr(law, SAMPLES), abs=3 * error + 0.01 * np.mean(found))


def test_more_steps_want_a_lower_rate_and_a_sharp_rate_is_accurate_and_over_confident():
    rates = [calibrated(PROBLEMS.world(steps))[0] for steps in (50, 100)]
    assert rates == sorted(rates, reverse=True)
    sharp, exact = dsg(WORLD, 0.5), posterior(WORLD)
    assert sharp.error < exact.error
    assert sharp.crps > exact.crps
    assert sharp.seen_ratio < 0.1
    assert sharp.seen_coverage(SAMPLES) < 0.1


def test_the_ranks_of_a_comparison_are_those_of_its_means(tmp_path):
    assert places(tmp_path) == {}
    means = {"dps": (30, 1.0, 28, 0.02, -0.1), "dsg": (31, 0.5, 30, 0.03, -0.3), "ddrm": (29, 0.2, 29, 0.01, 0.05)}
    names = ("psnr", "std_psnr", "psnr_worst", "crps_pixel", "coverage_pixel_minus_nominal")
    rows = [f"blur,{m},{n},{v}" for m, values in means.items() for n, v in zip(names, values, strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(["task,method,metric,mean", *rows, "blur,red_diff,psnr,"]))
    lines = places(tmp_path)["consistency_blur"].splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["dsg", "dps", "ddrm", "τ with PSNR"]
    assert lines[2].split("|")[2:7] == [" 31 (1) ", " 0.5 (2) ", " 30 (1) ", " 0.03 (3) ", " -0.3 (3) "]
    assert lines[-1].split("|")[2:4] == [" 1.00 ", " -0.33 "]
    (tmp_path / "table.csv").write_text("task,method,metric,mean\nblur,dps,psnr,30")
    with pytest.raises(UserError, match="has no coverage_pixel_minus_nominal, crps_pixel, psnr_worst, std_psnr; run"):
        places(tmp_path)
