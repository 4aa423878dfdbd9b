"""A model of latents: the loss is taken through its decoder, whose passes are counted apart."""

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import (
    DAPS,
    DDNM,
    DDRM,
    DPS,
    DSG,
    LGDMC,
    MPGD,
    PSLD,
    UGD,
    DiffPIR,
    FlowChef,
    FlowDPS,
    PiGDM,
    PnPFlow,
    ReSample,
    Unguided,
)
from dsg.guidance.hard_consistency import HardConsistency
from dsg.guidance.langevin import Langevin
from dsg.sampling import Sampler
from tests.toy import Toy


class Latent(Toy):
    """The toy, whose state is a picture of half the size and twice the contrast."""

    clean_range = None

    def __init__(self):
        super().__init__(8)
        self.clean_range = None

    @property
    def image_shape(self):
        return (3, 16, 16)

    def decode(self, state):
        return torch.tanh(2 * state).repeat_interleave(2, -1).repeat_interleave(2, -2)

    def encode(self, image):
        return torch.atanh(torch.nn.functional.avg_pool2d(image, 2).clamp(-0.99, 0.99)) / 2


def run(guidance, kernel=None):
    sampler = Sampler(Latent(), tasks.SuperResolution(factor=4), guidance, kernel or DDIM(), 5, Even())
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    process = sampler.begin(Examples(images), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
    *_, record = sampler.run(process)
    return record, process


@pytest.mark.parametrize(
    ("guidance", "network", "decoder"),
    [
        (Unguided(), (5, 0), (0, 0)),
        (DPS(0.5), (5, 5), (5, 5)),
        (DSG(guidance_rate=0.2), (5, 4), (4, 4)),
        (MPGD(0.5), (5, 0), (5, 5)),
        (LGDMC(0.5, draws=3), (5, 5), (15, 15)),
        (UGD(0.5, 2, 0.2), (5, 5), (15, 15)),
        (DAPS(ode_steps=1, chain=Langevin(3)), (5, 0), (15 + 11, 15 + 10)),  # and once how steep A∘D is
        (PSLD(0.5, 0.1), (5, 5), (5, 5)),
        (FlowDPS(0.5, 3), (5, 0), (15, 15)),
        (FlowChef(0.5, 3), (5, 0), (15, 15)),
        (PnPFlow(draws=2), (10, 0), (5 + 11, 5 + 10)),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, tuple) else "",
)
def test_passes_through_network_and_decoder_are_counted_apart(guidance, network, decoder):
    record, process = run(guidance)
    assert (process.forwards, process.backwards) == network
    assert (process.decoder_forwards, process.decoder_backwards) == decoder
    assert record.x_prev.shape == (2, 3, 8, 8)


@pytest.mark.parametrize(
    ("guidance", "encoder"), [(PSLD(0.5, 0.1), (5, 5)), (PSLD(0.5, 0.0), (0, 0)), (DPS(0.5), (0, 0))], ids=str
)
def test_only_a_method_that_encodes_passes_the_encoder(guidance, encoder):
    _, process = run(guidance)
    assert (process.encoder_forwards, process.encoder_backwards) == encoder


def test_hard_consistency_passes_the_decoder_once_an_iteration_and_encodes_what_it_found_among_pictures():
    every = HardConsistency(iterations=4, tolerance=0.0)
    _, process = run(ReSample(interval=1, begin=0.0, latent_from=0.6, pixel=every, latent=every))
    assert (process.forwards, process.backwards) == (5, 0)
    assert (process.encoder_forwards, process.encoder_backwards) == (3, 0)  # of the five steps three are among pictures
    assert (process.decoder_forwards, process.decoder_backwards) == (3 + 2 * 4, 2 * 4)


@pytest.mark.parametrize("guidance", [PSLD(), ReSample()], ids=lambda x: type(x).__name__)
def test_a_model_that_decodes_and_does_not_encode_is_refused_by_methods_that_encode(guidance, monkeypatch):
    monkeypatch.delattr(Latent, "encode")
    with pytest.raises(UserError, match="Latent decodes its states but has no `encode`"):
        run(guidance)
    assert run(FlowDPS(0.5))[0].x_prev.isfinite().all()


@pytest.mark.parametrize("guidance", [DDRM(), DDNM(), PiGDM(), DiffPIR()], ids=lambda x: type(x).__name__)
def test_a_method_that_needs_the_inverse_of_a_where_its_state_is_names_those_that_do_not(guidance):
    with pytest.raises(UserError, match=r"Latent decodes its state; of latents take PSLD, ReSample, DAPS, FlowDPS"):
        run(guidance)


def test_a_model_without_a_decoder_counts_none():
    assert not Toy(16).has_decoder
    assert Latent().has_decoder


def test_the_gradient_goes_through_the_decoder():
    (guided, process), (free, _) = run(DPS(1.0)), run(Unguided())
    decoded = [Latent().decode(record.x_prev) for record in (guided, free)]
    losses = [process.task.loss(x, process.measurement).mean() for x in decoded]
    assert losses[0] < losses[1]


def test_passes_through_the_encoder_are_counted_where_there_is_one():
    _, process = run(Unguided())
    image = torch.zeros(2, 3, 16, 16, requires_grad=True)
    process.encode(image)
    process.encode(image.detach())
    assert (process.encoder_forwards, process.encoder_backwards) == (2, 1)
    with process.uncounted():
        process.encode(image)
    assert (process.encoder_forwards, process.encoder_backwards) == (2, 1)
