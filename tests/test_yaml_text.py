"""What libyaml reads is what PyYAML's Python reads, and a mistake shows its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from dsg import yaml_text

FILES = sorted((Path(__file__).parents[1] / "configs").rglob("*.yaml"))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
SETTINGS = st.recursive(PLAIN, lambda of: st.lists(of) | st.dictionaries(st.text(), of), max_leaves=8)


def test_every_configuration_is_read_as_by_python():
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert repr(yaml_text.load(text)) == repr(yaml.safe_load(text)), file


@given(SETTINGS)
@example({"\x85": None, "a\u2028 b": "\u2029", "": "a \x85"})
def test_what_is_written_is_read_again(settings):
    text = yaml_text.dump(settings)
    assert repr(yaml.safe_load(text)) == repr(settings)
    assert repr(yaml_text.load(text)) == repr(settings)


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "a: *x", "!!python/object/apply:os.system [ls]"])
def test_a_mistake_shows_its_place(text):
    with pytest.raises(yaml_text.YAMLError) as error:
        yaml_text.load(text)
    assert f"{text}\n" in str(error.value)
    assert "^" in str(error.value)
