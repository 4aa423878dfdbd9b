"""The pieces from which the latent world was trained."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.portraits.cache import cached_pictures
from benchmarks.portraits.latents import as_images, encode, to_unit_scale
from benchmarks.portraits.learning import learn
from benchmarks.portraits.replicas import Replicas
from benchmarks.portraits.timed import Average, Timed
from benchmarks.portraits.train_flow import times_of
from dsg.data.portraits import render


@pytest.fixture(scope="module")
def autoencoder():
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    return AutoencoderKL(**blocks, block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4).eval()


@torch.no_grad()
def test_unit_scale_changes_the_latents_and_not_what_is_decoded(autoencoder):
    pictures = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
    images = as_images(torch.from_numpy(pictures))
    before = autoencoder.encode(images).latent_dist
    decoded = autoencoder.decode(before.mean).sample
    to_unit_scale(autoencoder, before.mean)
    after = autoencoder.encode(images).latent_dist
    torch.testing.assert_close(autoencoder.decode(after.mean).sample, decoded, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after.mean.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(after.mean.std((0, 2, 3)), torch.ones(4), atol=1e-4, rtol=0)
    change = before.mean.std((0, 2, 3))[:, None, None]
    torch.testing.assert_close(after.std, before.std / change, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        encode(autoencoder, pictures, torch.device("cpu")), after.mean, atol=0.2, rtol=0
    )  # bfloat16


def test_times_are_logit_normal_and_spread_evenly():
    times = times_of(1000, torch.Generator().manual_seed(0))
    logits = torch.logit(times)
    assert abs(float(logits.mean())) < 0.02
    assert float(logits.std()) == pytest.approx(1.0, abs=0.02)
    assert bool((times.diff() > 0).all())


def test_a_training_that_starts_again_goes_on_where_its_checkpoint_was(tmp_path):
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], 1.0)
    first = Timed(tmp_path, "toy", 100.0, 0.1, Replicas(torch.device("cpu")), warm_up=1)
    for _ in range(3):
        assert first.goes_on(optimizer)
    first.log(loss=2.0)
    first.save({"weight": weight.detach()})
    again = Timed(tmp_path, "toy", 100.0, 0.1, Replicas(torch.device("cpu")), warm_up=1)
    assert again.step == 3
    assert again.seconds >= first.spent
    assert again.goes_on(optimizer)
    assert 0.099 < optimizer.param_groups[0]["lr"] <= 0.1
    again.log(loss=1.0)
    header, *rows = (tmp_path / "log_toy.csv").read_text().splitlines()
    assert header == "step,seconds,lr,loss,device"
    assert [row.split(",")[0] for row in rows] == ["3", "4"]


def test_a_training_ends_when_its_time_is_over(tmp_path):
    run = Timed(tmp_path, "toy", 0.0, 0.1, Replicas(torch.device("cpu")))
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
    run.time_limit = 1e-9
    assert not run.goes_on(optimizer)
    assert run.step == 0


def test_a_training_ends_after_its_steps_and_its_time_begins_with_the_first(tmp_path):
    run = Timed(tmp_path, "toy", 1e9, 0.1, Replicas(torch.device("cpu")), warm_up=1, steps=4)
    optimizer, rates = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0), []
    assert run.seconds == 0.0
    while run.goes_on(optimizer):
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * step / 4)) for step in range(4)])
    assert run.seconds > 0.0


def test_the_average_follows_the_weights_and_forgets_the_first():
    network = nn.Linear(1, 1, bias=False)
    average = Average(network, 0.9)
    with torch.no_grad():
        network.weight.fill_(5.0)
    for step in range(200):
        average.update(step)
    torch.testing.assert_close(average.weights["weight"], torch.full((1, 1), 5.0))


def test_pictures_are_rendered_once_and_read_again(tmp_path):
    pictures = cached_pictures(tmp_path, 7, 3)
    again = cached_pictures(tmp_path, 7, 3)
    assert np.array_equal(pictures, again)
    assert torch.equal(as_images(torch.from_numpy(pictures[1:2]))[0], torch.from_numpy(render(8).image))
    assert [file.name for file in tmp_path.iterdir()] == ["portraits_7_3.npy"]


def learned(values, **options):
    """A weight that starts at 0 and goes down the loss, as the log of its run has it."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], 1.0)
    run = Timed(options.pop("out"), "toy", 1e9, 1.0, Replicas(torch.device("cpu")), warm_up=1, steps=4)
    learn(run, optimizer, lambda: values(weight), **options)
    return weight.item(), run


def test_the_loop_of_all_trainings_cuts_the_gradient_where_it_is_told_to(tmp_path):
    rates = sum(0.5 * (1 + math.cos(math.pi * step / 4)) for step in range(4))
    steep = lambda weight: -3.0 * weight.sum()  # noqa: E731
    assert learned(steep, out=tmp_path / "cut")[0] == pytest.approx(rates)
    assert learned(steep, out=tmp_path / "wider", largest_norm=2.0)[0] == pytest.approx(2.0 * rates)
    assert learned(steep, out=tmp_path / "whole", largest_norm=None)[0] == pytest.approx(3.0 * rates)


def test_the_loop_logs_the_means_of_what_a_loss_tells_and_saves_beside_a_line(tmp_path):
    seen = iter([1.0, 2.0, 3.0, 4.0])
    told = lambda weight: (weight.sum(), {"mse": torch.tensor(next(seen)), "kl": torch.tensor(0.5)})  # noqa: E731
    _, run = learned(told, out=tmp_path, log_every=2, state=lambda: {"kept": torch.ones(1)}, save_every=0.0)
    header, *rows = (tmp_path / "log_toy.csv").read_text().splitlines()
    assert header == "step,seconds,lr,mse,kl,device"
    assert [row.split(",")[3:5] for row in rows] == [["1.50000", "0.50000"], ["3.50000", "0.50000"]]
    assert torch.load(run.checkpoint, weights_only=True)["step"] == 4
