"""Exact numbers of the experiments: closed forms and quadrature, independent of the library's samplers."""
