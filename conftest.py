"""pytest reads this file before any test, so that it knows `--guidance` wherever the option's value points to."""

pytest_plugins = ["tests.contract.plugin", "tests.gpu.plugin", "pytester"]
