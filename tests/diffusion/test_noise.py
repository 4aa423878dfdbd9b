import numpy as np
import torch

from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey


def _keys(*names: str) -> list[SampleKey]:
    return [SampleKey(0, name) for name in names]


def test_noise_of_an_image_is_bitwise_the_same_in_any_batch_and_order():
    alone = NoiseStreams(_keys("a")).normal(Purpose.REVERSE, (3, 5, 5))
    among = NoiseStreams(_keys("c", "a", "b")).normal(Purpose.REVERSE, (3, 5, 5))
    assert torch.equal(alone[0], among[1])


def test_drawing_more_for_one_purpose_changes_no_other():
    plain, busy = NoiseStreams(_keys("a")), NoiseStreams(_keys("a"))
    busy.normal(Purpose.MONTE_CARLO, (100,))
    assert torch.equal(plain.normal(Purpose.REVERSE, (7,)), busy.normal(Purpose.REVERSE, (7,)))


def test_every_part_of_the_key_makes_another_stream():
    keys = [SampleKey(0, "a", 0), SampleKey(1, "a", 0), SampleKey(0, "b", 0), SampleKey(0, "a", 1)]
    first_numbers = NoiseStreams(keys).normal(Purpose.INITIAL, (1,)).flatten().tolist()
    other_purpose = NoiseStreams(keys[:1]).normal(Purpose.REVERSE, (1,)).item()
    assert len({*first_numbers, other_purpose}) == 5


def test_samples_of_one_image_share_their_measurement_and_no_other_noise():
    streams = NoiseStreams([SampleKey(0, "a", 0), SampleKey(0, "a", 1)])
    for purpose in Purpose:
        one, two = streams.normal(purpose, (4,))
        assert torch.equal(one, two) == (purpose in (Purpose.REFERENCE, Purpose.OPERATOR, Purpose.MEASUREMENT))


def test_draws_continue_the_stream_instead_of_repeating_it():
    streams = NoiseStreams(_keys("a"))
    assert not torch.equal(streams.normal(Purpose.REVERSE, (4,)), streams.normal(Purpose.REVERSE, (4,)))


def test_streams_of_a_thousand_images_are_standard_normal_and_uncorrelated():
    draws = NoiseStreams(_keys(*map(str, range(1000)))).normal(Purpose.REVERSE, (64,)).numpy()
    assert abs(draws.mean()) < 4 / np.sqrt(draws.size)
    assert abs(draws.std() - 1) < 0.01
    correlations = np.corrcoef(draws.T)[np.triu_indices(64, 1)]
    assert np.abs(correlations).max() < 5.5 / np.sqrt(1000)


def test_uniform_numbers_are_each_samples_own_and_lie_in_the_half_open_interval():
    keys = [SampleKey(0, "a"), SampleKey(0, "b")]
    together = NoiseStreams(keys).uniform(Purpose.TOKEN, (5000,))
    assert torch.equal(together[1:], NoiseStreams(keys[1:]).uniform(Purpose.TOKEN, (5000,)))
    assert not torch.equal(together[0], NoiseStreams(keys[:1]).uniform(Purpose.UNMASK, (5000,))[0])
    assert 0.0 <= together.min() < 0.01
    assert 0.99 < together.max() < 1.0
    streams = NoiseStreams(keys)
    halves = torch.cat([streams.uniform(Purpose.TOKEN, (2500,)) for _ in range(2)], dim=1)
    assert torch.equal(halves, together)
