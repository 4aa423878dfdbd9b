"""What guidance of tokens does at few and many steps is read from the folders of finished runs."""

from __future__ import annotations

import json

import pytest
import yaml
from PIL import Image

from benchmarks.portraits.guided_tokens import Guided, draw, draw_samples, lines_of, main, tables
from dsg.errors import UserError


def finished(root, steps, scale, normalised=True, lacks=()):
    folder = root / "runs" / f"steps_{steps}" / f"{scale}_{normalised}" / "default"
    folder.mkdir(parents=True)
    combiner = {"init_args": {"guidance_scale": scale, "normalised": normalised}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": {"steps": steps, "combiner": combiner}}))
    values = {
        "judge_correct": {"mean": scale / 10},
        "judge_reciprocal": {"mean": 1e9, "truncated": 4.0 / scale},
        "fd_portraits": {"mean": 64.0 / steps},
        "recall_portraits": {"mean": 0.5},
    }
    kept = {name: value for name, value in values.items() if name not in lacks}
    (folder / "metrics.json").write_text(json.dumps({"metrics": kept}))
    (folder / "samples").mkdir()
    for name in "ab":
        Image.new("RGB", (4, 4), (steps, 0, 0)).save(folder / "samples" / f"{name}.png")
    return folder


def test_a_row_is_a_scale_and_a_column_a_number_of_steps(tmp_path, capsys):
    for steps in (8, 64):
        finished(tmp_path, steps, 1.0)
        finished(tmp_path, steps, 5.0)
    finished(tmp_path, 64, 5.0, normalised=False)
    main(["--comparison", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "| rates | judge's accuracy, 8 steps | judge's accuracy, 64 steps | E min(1/p, 100), 8 steps |" in shown
    assert "| γ = 5 | 0.50 | 0.50 | 0.80 | 0.80 |" in shown
    assert "| γ = 5, not normalised |  | 0.50 |  | 0.80 |" in shown
    assert "| γ = 1 | 8.0 | 1.0 | 0.50 | 0.50 |" in shown
    assert (tmp_path / "guided_tokens.png").is_file()


def test_the_pictures_of_a_line_are_those_of_its_most_steps(tmp_path):
    runs = [Guided.read(finished(tmp_path, steps, scale)) for steps, scale in [(8, 1.0), (64, 1.0), (16, 5.0)]]
    shown = [[round(255 * ax.images[0].get_array()[0, 0, 0]) for ax in draw_samples(runs, 3).axes if ax.images]]
    assert shown == [[64, 64, 16, 16]]  # two of each: there is no third


def test_at_scale_one_rates_are_one_whether_normalised_or_not(tmp_path):
    runs = [Guided.read(finished(tmp_path, 8, 1.0, normalised)) for normalised in (True, False)]
    assert list(lines_of(runs)) == [(1.0, True)]
    assert len(draw(runs).axes) == 4
    assert "not normalised" not in "".join(tables(runs))


def test_a_run_that_lacks_a_metric_or_guides_no_tokens_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no fd_portraits; run configs/comparison/portraits_tokens\.yaml"):
        Guided.read(finished(tmp_path, 8, 2.0, lacks=["fd_portraits"]))
    with pytest.raises(UserError, match="does not guide tokens by one scale"):
        Guided.read(finished(tmp_path, 16, 2.0, normalised="both"))
    with pytest.raises(SystemExit, match="no finished run"):
        main(["--comparison", str(tmp_path / "empty")])
