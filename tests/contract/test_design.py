"""The design of the contract: every pair that fits meets, and what is refused is known by name."""

import itertools

import pytest

from tests.contract.design import AXES, NAMES, covering, pairs_of, product

DSGS = {name for name in AXES.method if name.startswith("dsg")}
STILL = {"ddim without noise", "euler", "heun"}
OF_CLASSES = {
    "cfg",
    "cfg, a scale for each class",
    "cfg++",
    "apg",
    "apg, from the unconditional",
    "cfg-zero*",
    "frequency-decoupled",
    "switching",
}
SPECTRAL = {"ddnm", "ddnm, corrected epsilon", "ddnm, published noise", "bo-ddnm", "ddrm", "ddrm, around y"}
LINEAR = SPECTRAL | {
    "pigdm",
    "pigdm, estimate",
    "pigdm as a score",
    "dsg over pigdm",
    "diffpir",
    "dds",
    "dds, without weight",
    "repaint",
}
OF_NETWORKS = ("class label", "sum")
REFUSED = {
    # a sphere without a radius
    **{("method", name, "kernel", kernel): "a sphere" for name in (*DSGS, "diff-rgd") for kernel in STILL},
    # of the task
    **{
        ("task", task, "method", name): "linear or Gaussian"
        for name in LINEAR
        for task in ("poisson denoising", *OF_NETWORKS, "phase retrieval", "high dynamic range")
    },
    **{
        ("task", task, "method", "diffpir, bounded first order"): "Gaussian"
        for task in ("poisson denoising", *OF_NETWORKS)
    },
    **{("task", task, "method", "red-diff, published means"): "numbers of y" for task in OF_NETWORKS},
    **{
        ("task", task, "method", name): "linear"
        for name in ("psld", "flair")
        for task in (*OF_NETWORKS, "phase retrieval", "high dynamic range")
    },
    **{("task", task, "method", name): "an operator" for name in ("resample", "pnp-flow") for task in OF_NETWORKS},
    **{("task", "motion deblurring", "method", name): "singular values" for name in SPECTRAL},
    # of the model
    **{("model", "toy with decoder", "method", name): "pixels" for name in LINEAR},
    **{
        ("model", "toy from noise alone", "method", name): "ā = 0"
        for name in (
            "freedom, normalised",
            "tfg",
            "ugd",
            "ugd, by adam",
            "pigdm as a score",
            "daps",
            "daps, hamiltonian",
            "daps, metropolis-hastings",
        )
    },
    **{
        ("model", "toy from noise alone", "kernel", kernel): "ā = 0"
        for kernel in ("euler-maruyama", "euler-maruyama, exploding", "euler", "heun")
    },
    **{
        ("model", "toy from noise alone", "combiner", combiner): "ā = 0"
        for combiner in ("classifier guidance", "discriminator guidance", "apg, from the unconditional")
    },
    ("model", "edm", "method", "diffpir, bounded first order"): "no table of timesteps",
    ("model", "edm", "kernel", "churned"): "no level above its noisiest",
    **{
        ("model", name, "kernel", "ddpm, learned variance"): "no variance"
        for name in ("toy", "toy from noise alone", "toy with decoder", "edm")
    },
    **{
        ("model", name, "combiner", combiner): "no classes"
        for name in ("toy", "toy with learned variance")
        for combiner in OF_CLASSES
    },
    # of the kernel
    **{
        ("kernel", name, "combiner", "cfg++"): "renoises"
        for name in AXES.kernel
        if not name.startswith(("ddim", "renoise"))
    },
}


@pytest.fixture(scope="module")
def design():
    return covering(AXES)


@pytest.fixture(scope="module")
def accepted():
    """The pairs that meet in any accepted case."""
    return pairs_of(product(AXES))


def test_in_the_design_every_pair_meets_that_meets_in_any_accepted_case(design, accepted):
    assert pairs_of(design) == accepted


def test_the_pairs_that_are_refused_are_those_that_cannot_fit(accepted):
    named = [[(axis, name) for name in values] for axis, values in zip(NAMES, AXES, strict=True)]
    every = {pair for one, other in itertools.combinations(named, 2) for pair in itertools.product(one, other)}
    assert {(*one, *other) for one, other in every - accepted} == set(REFUSED)


def test_every_row_of_the_design_can_be_sampled(design):
    assert [row for row in design if AXES.case(row).refusal() is not None] == []


def test_the_design_is_the_same_every_time(design):
    assert covering(AXES) == design
    assert len(set(design)) == len(design)
