"""What the experiments have to find: closed forms and quadrature, without the library's samplers."""
