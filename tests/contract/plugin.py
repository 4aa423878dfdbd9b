"""`python -m pytest --guidance my_module.MyMethod`, `--kernel`, `--combiner`: the contract, for what is outside."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

OPTIONS = {"guidance": "method", "kernel": "kernel", "combiner": "combiner"}  # which axis each one is a value of


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract", "contract tests of a guidance method, a kernel or a combiner of your own")
    for option in OPTIONS:
        group.addoption(
            f"--{option}",
            metavar="CLASS",
            help=f"run the contract tests alone, for this {option}: MODULE.CLASS, made with its defaults and found "
            f"from the current folder, or a YAML file, whose model.{option} is taken",
        )
    group.addoption(
        "--zero",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="what makes the method the unguided sampler, as step_size=0 or base.step_size=0; may be given again",
    )
    group.addoption(
        "--evaluations",
        metavar="F,B",
        help="the method's network evaluations of 8 steps, forward and backward, whatever the batch size; "
        "by default 8 forward and at most 8 backward",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "contract: what every guidance must do; runs for `--guidance` and the like too")
    config.addinivalue_line("markers", "full: every case of the contract that fits, for hours; `make test-full`")
    if config.option.guidance is None and (config.option.zero or config.option.evaluations):
        raise pytest.UsageError("--zero, --evaluations: say of which method, with --guidance MODULE.CLASS")
    if len(given := [f"--{option}" for option in OPTIONS if getattr(config.option, option) is not None]) > 1:
        raise pytest.UsageError(f"{', '.join(given)}: the contract is of one at a time; leave the other out")


def pytest_sessionstart(session: pytest.Session) -> None:
    option, folder = session.config.option, session.config.invocation_params.dir
    if _axis(session.config) is None or option.help:
        return
    sys.path.insert(0, str(folder))
    from tests.contract.foreign import foreign_axes  # late: it needs torch, and `pytest --help` does not

    session.config.stash[FOREIGN] = foreign_axes(option, folder)


FOREIGN, CASES = pytest.StashKey(), pytest.StashKey()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("contract") is None:
        return
    from tests.contract.cases import Cases

    stash = metafunc.config.stash
    if CASES not in stash:
        stash[CASES] = Cases(stash.get(FOREIGN, None))  # once: the design is searched for
    cases = stash[CASES]
    for name in Cases.FIXTURES:
        if name in metafunc.fixturenames:
            full = name in ("case", "part") and _is_full(metafunc.config)
            marks = [pytest.mark.full] if full else []
            # of the session, so that tests of one case follow each other and share its sample
            params = [pytest.param(value, id=of, marks=marks) for of, value in cases.values(name, full).items()]
            metafunc.parametrize(name, params, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Without oneDNN, which takes longer to begin a convolution of the toys than to make it."""
    if item.get_closest_marker("contract") is None:
        return (yield)
    from torch.backends import mkldnn

    before, mkldnn.enabled = mkldnn.enabled, False
    try:
        return (yield)
    finally:
        mkldnn.enabled = before


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (axis := _axis(config)) is None:
        return
    others = [item for item in items if not _is_of(item, axis)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if _is_of(item, axis)]


def _axis(config: pytest.Config) -> str | None:
    """The axis that has one value, from outside."""
    return next((axis for option, axis in OPTIONS.items() if getattr(config.option, option) is not None), None)


def _is_full(config: pytest.Config) -> bool:
    return config.option.markexpr.strip() == "full"


def _is_of(item: pytest.Item, axis: str) -> bool:
    """Whether a test is of the contract and looks at a value of the axis."""
    from tests.contract.cases import Cases

    names = getattr(item, "fixturenames", ())
    return item.get_closest_marker("contract") is not None and any(
        axis in Cases.FIXTURES.get(name, ()) for name in names
    )
