"""Exact numbers of the neighbours' experiments: closed forms and quadrature, independent of the library."""
