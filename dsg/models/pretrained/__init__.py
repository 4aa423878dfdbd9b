"""Folders as networks are published: finding, on disk or on the hub, building without a weight, loading to the last."""
