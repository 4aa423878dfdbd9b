"""What the callbacks of a run say that it may be measured by."""

import pytest

import tasks
from callbacks import ClassGroups, Classification, Distribution, Diversity, EvaluationCallback, Posterior, not_measured
from tests.toy import ToyClassifier, ToyFeatures

TASK = tasks.Denoising()


class Own(EvaluationCallback):
    """Says nothing of what it adds."""


@pytest.mark.parametrize(
    ("callback", "known", "unknown"),
    [
        (Posterior(), ["loss", "nfe_forward", "mean_error", "first_step_use"], "judge_correct"),
        (Classification(ToyClassifier()), ["judge_correct", "judge_reciprocal"], "judge_correct_tail"),
        (ClassGroups({"tail": [0], "head_2": [1]}), ["judge_correct_tail", "fd_x_head_2"], "judge_correct_body"),
        (Distribution(["inception"]), ["fid_clean", "recall_clean"], "fd_clean"),
        (Distribution(), ["seconds"], "fid_clean"),
        (Diversity(), ["crps_pixel", "coverage_pixel_minus_nominal", "diversity_lpips_vgg"], "std_psnr"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, EvaluationCallback) else "",
)
def test_a_metric_is_measured_by_the_callback_that_names_it_and_by_no_other(callback, known, unknown):
    assert not_measured([*known, unknown], [callback], TASK) == unknown


def test_a_callback_that_does_not_say_what_it_adds_may_add_anything():
    assert not_measured(["hats"], [Posterior()], TASK) == "hats"
    assert not_measured(["hats"], [Posterior(), Own()], TASK) is None


def test_what_a_task_tells_of_samples_is_measured_where_the_task_tells_anything():
    assert not_measured(["feature_distance"], [], TASK) == "feature_distance"
    assert not_measured(["feature_distance"], [], tasks.Feature(ToyFeatures())) is None
