"""Recorded steps of posterior methods."""

from __future__ import annotations

from dsg.replay.steps.daps import daps_inversebench, daps_official
from dsg.replay.steps.read import RecordedStep
from dsg.replay.steps.replayed import Replayed, Table, Unequal


def reddiff_daps_inversebench(record: RecordedStep) -> Replayed | Unequal:
    """Two methods of InverseBench in one file."""
    return daps_inversebench(record)


POSTERIOR: Table = {"daps_official": daps_official}
