"""What the experiments are measured against: closed forms and quadrature, independent of the library's samplers."""
