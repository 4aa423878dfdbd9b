"""Recorded steps of posterior methods."""

from __future__ import annotations

from dsg.replay.steps.replayed import Table

POSTERIOR: Table = {}
