"""Recorded losses that are networks, and guided steps over them, taken again by ours: weights come from a rule."""
