"""`bench`: one command to take part, and one page of everybody."""

from __future__ import annotations

import json

TUNE = ("--tune", "step_size=[0.2, 0.4]")


def test_a_method_of_twenty_lines_in_a_file_of_its_own_takes_part_by_one_command(bench, tmp_path, capsys):
    assert bench("--guidance", "my_method.Mine", *TUNE, "--out_dir", tmp_path / "mine") == 0
    print(capsys.readouterr())
    found = json.loads((tmp_path / "mine" / "submission.json").read_text())
    assert found["methods"]["Mine"]["results"]["holes"]["randominpainting"]["default"]["tried"] == 2
