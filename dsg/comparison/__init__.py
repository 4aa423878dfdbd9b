"""Many methods over many tasks at an equal budget: a grid of ordinary runs, and one table of them."""
