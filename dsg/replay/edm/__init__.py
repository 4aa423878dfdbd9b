"""Recorded networks, layers and samplers of EDM and EDM2, against ours."""
