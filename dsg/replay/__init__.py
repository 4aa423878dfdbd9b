"""Recorded runs of reference implementations, replayed through this project's loop."""
