"""Whoever waits is told how far the run is, how fast it is, and how long it will take."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

FOUR = ("--data.batch_size", 2, "--data.limit", 4)


@pytest.fixture
def shown(monkeypatch):
    """What the run shows: `shown(True)` on a terminal from now on, `shown(False)` without one → a buffer."""

    def on(terminal: bool) -> io.StringIO:
        buffer = io.StringIO()
        console = Console(file=buffer, force_terminal=terminal, width=120, color_system=None)
        monkeypatch.setattr("callbacks.progress.Console", lambda: console)
        return buffer

    return on


def test_a_terminal_has_images_done_images_per_second_time_left_and_inner_steps(evaluate, shown):
    buffer = shown(True)
    assert evaluate(*FOUR) == 0
    images, steps = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", buffer.getvalue()).strip().splitlines()[-2:]
    assert re.fullmatch(r"images .* 4/4 \d:\d\d:\d\d [\d.e+]+ images/s, 0:00:00 left", images.strip())
    assert re.match(r"steps  .* 5/5 ", steps)


def test_without_a_terminal_there_are_lines_of_the_same_at_the_interval_and_no_control_codes(evaluate, shown):
    buffer = shown(False)
    assert evaluate(*FOUR, "--progress.interval", 0) == 0
    lines = buffer.getvalue().splitlines()
    assert len(lines) == 2 * (5 + 1)  # each step, each batch
    assert re.fullmatch(r"0/4 images, step 1/5, [\d.e+]+ images/s, \d:\d\d:\d\d left", lines[0])
    assert re.fullmatch(r"4/4 images, [\d.e+]+ images/s, 0:00:00 left", lines[-1])
    buffer = shown(False)
    assert evaluate(*FOUR, into="quiet") == 0
    assert buffer.getvalue() == ""


def test_a_continued_run_counts_what_was_done_and_not_towards_the_speed(evaluate, shown):
    assert evaluate("--data.batch_size", 1, "--data.limit", 3) == 0
    buffer = shown(False)
    assert evaluate(*FOUR, "--progress.interval", 0) == 0
    lines = buffer.getvalue().splitlines()
    assert lines[0] == "3/4 images were done before"
    assert lines[1].startswith("3/4 images, step 1/5, ")
    assert lines[-1].startswith("4/4 images, ")


def test_of_several_samples_of_an_image_each_counts(evaluate, shown):
    buffer = shown(False)
    assert evaluate(*FOUR, "--data.samples_per_image", 2, "--progress.interval", 0) == 0
    assert buffer.getvalue().splitlines()[-1].startswith("8/8 samples, ")


def test_an_image_that_fails_counts_as_done(evaluate, shown, image_folder):
    (image_folder / "a.png").write_bytes(b"no picture")
    buffer = shown(False)
    assert evaluate(*FOUR, "--progress.interval", 0) == 1
    assert buffer.getvalue().splitlines()[-1].startswith("4/4 images, ")
