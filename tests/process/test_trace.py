import math

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM, Transition
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.guidance import DSG
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler
from tasks import Denoising
from tests.toy import Toy

STEP = Even().steps(NoiseSchedule(), 10)[0]


def test_the_measures_of_a_step_are_their_formulas():
    mean = torch.zeros(2, 1, 2, 2)
    x_prev = torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 2]).reshape(2, 1, 2, 2)
    gradient = torch.tensor([-1.0, 0, 0, 0, 0, 0, 0, 3]).reshape(2, 1, 2, 2)
    record = StepRecord(STEP, mean, x_prev, Prediction(mean, mean), Transition(mean, 0.5), gradient=gradient)
    assert record.shell_ratio.tolist() == pytest.approx([2 / (2 * 0.5), 2 / (2 * 0.5)])
    assert record.gradient_norm.tolist() == [1, 3]
    assert record.cosine.tolist() == pytest.approx([0.5, -1])


def test_an_unguided_step_has_no_gradient_to_measure():
    mean = torch.zeros(2, 1, 2, 2)
    record = StepRecord(STEP, mean, mean, Prediction(mean, mean), Transition(mean, 0.5))
    assert record.cosine is None
    assert record.gradient_norm is None
    assert record.loss is None


def test_dsg_is_seen_to_stay_on_the_shell_at_the_expected_angle():
    rate = 0.3
    sampler = Sampler(Toy(32), Denoising(), DSG(guidance_rate=rate), DDIM(), 10)
    process = sampler.begin(Examples(torch.zeros(4, 3, 32, 32)), NoiseStreams([SampleKey(0, str(i)) for i in range(4)]))
    *records, last = sampler.run(process)
    for record in records:
        assert record.shell_ratio.tolist() == pytest.approx([1] * 4, rel=1e-4)
        assert record.cosine.mean().item() == pytest.approx(rate / math.hypot(rate, 1 - rate), abs=0.05)
    assert last.gradient is None
