"""Whoever watches the steps is no cost of the method that is watched."""

import time

import torch

import tasks
from dsg.data.batches import Batch
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.guidance import Unguided
from dsg.module import GuidedDiffusion
from tests.toy import Toy


class Slow:
    """Looks through the network once more at every step, and takes its time."""

    def on_sampling_step(self, record, process, keys):
        process.predict(record.x_t, record.step)
        time.sleep(0.05)


def test_what_an_observer_takes_is_in_neither_the_seconds_nor_the_evaluations_of_a_row():
    module = GuidedDiffusion(Toy(16), tasks.Denoising(), Unguided(), DDIM(), steps=10)
    batch = Batch([("a", 0)], Examples(torch.zeros(1, 3, 16, 16)), [])
    with torch.no_grad():
        (alone,) = module.predict_step(batch).rows
        module.observers = [Slow()]
        (watched,) = module.predict_step(batch).rows
    assert watched["nfe_forward"] == alone["nfe_forward"] == 10
    assert watched["seconds"] < 0.5  # of which the observer slept all ten twentieths
