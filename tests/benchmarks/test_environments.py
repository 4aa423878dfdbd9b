"""What is installed and asked in the environments that are made for each Python, and what becomes a row."""

import sys
from pathlib import Path

import pytest

from benchmarks import environments
from benchmarks.environments import COLUMNS, Failed, check, installs, line, main, run, ten_lines

ROOT = Path(__file__).parents[2]


@pytest.fixture
def said(monkeypatch):
    """Commands that were run, without being run; a test says at which words one fails."""
    asked = []

    def pretended(command, folder):
        words = " ".join(map(str, command))
        asked.append(words)
        if any(word in words for word in said.fails):
            raise Failed("no matching distribution")
        if "train-free-eval predict" in words:
            (folder / "x").mkdir()
            (folder / "x" / "metrics.json").touch()
        return "3.13.0 2.6.0" if "platform" in words else "as told"

    monkeypatch.setattr(environments, "run", pretended)
    said = type("Said", (), {"asked": asked, "fails": ()})
    return said


def test_a_row_tells_what_each_step_gave(said, tmp_path):
    row = check("uv", "3.13", "lowest", Path("x.whl"), tmp_path)
    assert list(row) == [*dict.fromkeys(("python", "libraries", *COLUMNS))]
    assert (row["python"], row["torch"], row["install"], row["command"]) == ("3.13.0", "2.6.0", "yes", "yes")
    assert any("--resolution lowest-direct -r" in words for words in said.asked)


def test_the_first_step_that_fails_is_said_and_is_the_last(said, tmp_path):
    said.fails = ("train-free-eval",)
    row = check("uv", "3.13", "newest", Path("x.whl"), tmp_path)
    assert row["command"] == "failed: no matching distribution"
    assert "tests" not in row


def test_the_loops_environment_has_its_group_alone_and_no_command(said, tmp_path):
    assert list(installs("loop", Path("x.whl"), Path("p.toml"))) == [
        ("--group", "p.toml:loop"), ("--no-deps", Path("x.whl")),
    ]  # fmt: skip
    row = check("uv", "3.13", "loop", Path("x.whl"), tmp_path)
    assert row["ten lines"] == "as told"
    assert not {"command", "tests"} & set(row)


def test_a_command_gives_its_last_line_and_one_that_fails_its_last_words(tmp_path):
    assert run([sys.executable, "-Sc", "print('first\\nlast\\n')"], tmp_path) == "last"
    with pytest.raises(Failed, match="no"):
        run([sys.executable, "-Sc", "print('fine'); raise SystemExit('no')"], tmp_path)
    with pytest.raises(Failed, match="exit code 3"):
        run([sys.executable, "-Sc", "raise SystemExit(3)"], tmp_path)


def test_the_ten_lines_are_code_that_prints_a_psnr():
    code = ten_lines((ROOT / "README.md").read_text(encoding="utf-8"))
    compile(code, "README.md", "exec")
    assert "steps=4)" in code
    assert code.rstrip().endswith('dB")')


def test_a_cell_does_not_break_the_table():
    assert line(["a | b", "c"]) == "| a / b | c |"


def test_without_uv_a_line_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "error: uv, which makes the environments, is not installed: pip install uv" in capsys.readouterr().err
