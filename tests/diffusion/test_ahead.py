"""Noise that threads draw ahead, as for a GPU: here for the CPU, so that every machine can show it."""

import os
import pickle
import select
import signal
import threading
import time
from concurrent.futures import Executor, Future
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dsg.data.examples import Examples
from dsg.diffusion import noise
from dsg.diffusion.ahead import Draw
from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey
from dsg.guidance import Unguided
from dsg.sampling import Sampler
from tasks import RandomInpainting
from tests.toy import Toy

KEYS = [SampleKey(0, name, sample) for name in "abc" for sample in (0, 1)]
PURPOSES = [Purpose.REVERSE, Purpose.MONTE_CARLO, Purpose.MEASUREMENT]
SHAPES = [(3, 5), (3, 4), (15,), (1,)]
CALLS = st.one_of(
    st.tuples(st.just("normal"), st.sampled_from(PURPOSES), st.sampled_from(SHAPES)),
    st.tuples(st.just("integers"), st.sampled_from(PURPOSES), st.integers(0, len(KEYS) - 1)),
    st.tuples(st.sampled_from(["held", "rest", "sent"]), st.just(Purpose.REVERSE), st.just(0)),
)


@pytest.fixture(autouse=True, scope="module")
def small_draws_are_worth_a_thread():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noise, "WORTH_A_THREAD", 2)
        yield


def _noise_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("noise")]


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(CALLS, max_size=12), threads=st.integers(1, 8))
def test_what_is_drawn_ahead_is_bitwise_what_is_drawn_when_asked_in_every_order_of_draws(calls, threads):
    ahead, plain = NoiseStreams(KEYS, threads=threads), NoiseStreams(KEYS)
    held = [streams.generators(Purpose.REVERSE)[0] for streams in (ahead, plain)]
    for call, purpose, what in calls:
        if call == "normal":
            assert torch.equal(ahead.normal(purpose, what), plain.normal(purpose, what))
        elif call == "integers":
            one, two = (streams.generators(purpose)[what].integers(2**31, size=3) for streams in (ahead, plain))
            assert np.array_equal(one, two)
        elif call == "held":  # a generator that somebody got before the draw went ahead
            assert held[0].random(dtype=np.float32) == held[1].random(dtype=np.float32)
        elif call == "rest":
            ahead.rest()
        else:
            ahead = pickle.loads(pickle.dumps(ahead))
            held[0] = ahead.generators(Purpose.REVERSE)[0]
    ahead.rest()


def test_the_numbers_of_the_next_step_are_there_before_they_are_asked_for():
    streams = NoiseStreams(KEYS, threads=2)
    streams.normal(Purpose.REVERSE, (3, 5))
    ahead = streams._ahead[Purpose.REVERSE]
    for share in ahead._shares:
        share.result()
    expected = ahead._values.clone()
    assert torch.equal(streams.normal(Purpose.REVERSE, (3, 5)), expected)
    streams.rest()


def test_numbers_that_are_handed_out_are_not_drawn_over():
    streams = NoiseStreams(KEYS, threads=3)
    drawn = [streams.normal(Purpose.REVERSE, (3, 5)) for _ in range(20)]
    copies = [values.clone() for values in drawn]
    streams.rest()
    assert all(map(torch.equal, drawn, copies))
    assert len({values.data_ptr() for values in drawn}) == 20


def test_what_fails_in_a_thread_is_raised_where_it_is_asked_for_and_moves_no_stream(monkeypatch):
    streams, plain = NoiseStreams(KEYS, threads=2), NoiseStreams(KEYS)
    first = streams.normal(Purpose.INITIAL, (3, 5))
    assert torch.equal(first, plain.normal(Purpose.INITIAL, (3, 5)))
    with monkeypatch.context() as patch:
        patch.setattr(np.random, "PCG64DXSM", lambda seed: (_ for _ in ()).throw(MemoryError("no room")))
        with pytest.raises(MemoryError, match="no room"):
            streams.normal(Purpose.INITIAL, (3, 5))
    assert torch.equal(streams.normal(Purpose.INITIAL, (3, 5)), plain.normal(Purpose.INITIAL, (3, 5)))
    streams.rest()


class Later(Executor):
    """Does its job when it is told to."""

    def submit(self, fn, /, *args, **kwargs):
        self.job = partial(fn, *args, **kwargs)
        return Future()


def test_what_nobody_will_take_any_more_is_not_drawn():
    generators, later = NoiseStreams(KEYS).generators(Purpose.REVERSE), Later()
    draw = Draw(generators, (3, 5), later, shares=1)
    assert len(later.job()) == len(KEYS)
    draw.drop()
    assert later.job() == []


def _trajectory():
    sampler = Sampler(Toy(16), RandomInpainting(), Unguided(), steps=4)
    streams = NoiseStreams(KEYS[:2], threads=2)
    return sampler.run(sampler.begin(Examples(torch.zeros(2, 3, 16, 16)), streams)), streams


def test_no_thread_outlives_a_trajectory_that_ends_is_left_or_fails():
    trajectory, _ = _trajectory()
    next(trajectory)
    assert _noise_threads()
    assert len(list(trajectory)) == 3
    assert not _noise_threads()
    trajectory, _ = _trajectory()
    next(trajectory)
    assert _noise_threads()
    trajectory.close()
    assert not _noise_threads()
    trajectory, streams = _trajectory()
    next(trajectory)
    streams.generators = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        list(trajectory)
    assert not _noise_threads()


def test_streams_that_nobody_keeps_let_their_threads_go():
    streams = NoiseStreams(KEYS, threads=2)
    streams.normal(Purpose.REVERSE, (3, 5))
    assert _noise_threads()
    del streams
    deadline = time.monotonic() + 10
    while _noise_threads() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not _noise_threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system copies no processes")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_copy_that_fork_made_draws_on_as_the_process_itself():
    streams, plain = NoiseStreams(KEYS, threads=2), NoiseStreams(KEYS)
    for each in (streams, plain):
        each.normal(Purpose.REVERSE, (3, 5))
    expected = plain.normal(Purpose.REVERSE, (3, 5)).numpy().tobytes()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, streams.normal(Purpose.REVERSE, (3, 5)).numpy().tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    there, _, _ = select.select([reading], [], [], 60)
    found = os.read(reading, 2**16) if there else b"nothing came"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    assert found == expected
    assert streams.normal(Purpose.REVERSE, (3, 5)).numpy().tobytes() == expected
    streams.rest()


def test_for_a_cpu_nothing_is_drawn_ahead_since_the_network_needs_its_cores():
    streams = NoiseStreams(KEYS)
    streams.normal(Purpose.REVERSE, (3, 64, 64))
    assert not streams._ahead
    assert not _noise_threads()
    assert NoiseStreams(KEYS, "cuda")._count == min(len(KEYS), torch.get_num_threads())
