"""The parts of the experiment on discriminator guidance; each gives the rows of a table and its checks."""
