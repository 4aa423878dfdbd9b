"""`python -m pytest --guidance my_module.MyMethod`: the contract tests, for a method from outside alone."""

from __future__ import annotations

import sys

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract", "contract tests of a guidance method of your own")
    group.addoption(
        "--guidance",
        metavar="METHOD",
        help="run the contract tests alone, for this method: MODULE.CLASS, made with its defaults and found from the "
        "current folder, or a YAML file, whose model.guidance is taken",
    )
    group.addoption(
        "--zero",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="what makes it the unguided sampler, as step_size=0 or base.step_size=0; may be given again",
    )
    group.addoption(
        "--evaluations",
        metavar="F,B",
        help="network evaluations of its 10 steps, forward and backward, whatever the batch size; "
        "by default 10 forward and at most 10 backward",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "contract: what every guidance must do; runs for `--guidance` too")
    if config.option.guidance is None and (config.option.zero or config.option.evaluations):
        raise pytest.UsageError("--zero, --evaluations: say of which method, with --guidance MODULE.CLASS")


def pytest_sessionstart(session: pytest.Session) -> None:
    option, folder = session.config.option, session.config.invocation_params.dir
    if option.guidance is None or option.help:
        return
    sys.path.insert(0, str(folder))
    from tests.contract.foreign import foreign_method  # late: it needs torch, and `pytest --help` does not

    session.config.stash[FOREIGN] = foreign_method(option.guidance, option.zero, option.evaluations, folder)


FOREIGN = pytest.StashKey()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("contract") is None:
        return
    from tests.contract import test_contract as lists

    methods = metafunc.config.stash.get(FOREIGN, lists.METHODS)
    for name, cases in {"model": lists.MODELS, "task": lists.TASKS, "method": methods}.items():
        if name in metafunc.fixturenames:
            # of the session, so that tests of one case follow each other and share its sample
            metafunc.parametrize(name, cases.values(), ids=cases.keys(), scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.guidance is None:
        return
    others = [item for item in items if item.get_closest_marker("contract") is None]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item.get_closest_marker("contract") is not None]
