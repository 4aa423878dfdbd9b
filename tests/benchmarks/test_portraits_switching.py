"""What a switch does to portraits is read from the folders of finished runs."""

from __future__ import annotations

import json

import pytest
import torch
import yaml

from benchmarks.portraits.switching import Switched, draw, main, measure
from dsg.data.image_file import encode_image
from dsg.data.portraits import HELD_OUT_START, render
from dsg.data.portraits.attributes import draw_traits
from dsg.errors import UserError

BARE, GLASSES = [0, 1, 2, 3, 0, 1, 2, 3], [4, 5, 6, 7, 4, 5, 6, 7]


def finished(root, t, indices, below=GLASSES):
    """A run folder of these portraits, under the same ids whatever they are."""
    folder = root / "runs" / "portraits" / f"t{t}" / "seed0"
    for part in ("samples", "rows"):
        (folder / part).mkdir(parents=True)
    settings = {"model": {"combiner": {"init_args": {"t": t, "above": BARE, "below": below}}}}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "metrics.json").write_text(json.dumps({"metrics": {"fd_portraits": {"mean": t / 100}}}))
    rows = []
    for number, index in enumerate(indices):
        encode_image(torch.from_numpy(render(index).image)).save(folder / "samples" / f"{number}.png")
        rows.append(json.dumps({"id": str(number), "sample": 0, "status": "ok", "start": 0}))
    (folder / "rows" / "rank0.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def portraits(glasses):
    some = (i for i in range(HELD_OUT_START, HELD_OUT_START + 200) if (draw_traits(i).glasses == "square") == glasses)
    return [next(some) for _ in range(3)]


def test_the_share_rises_where_glasses_come_and_the_person_of_the_smallest_time_is_who_it_is(tmp_path, capsys):
    bare = [i for i in portraits(False) if draw_traits(i).glasses == "none"]
    runs = [finished(tmp_path, 0, bare), finished(tmp_path, 999, portraits(True)[: len(bare)])]
    first, last = measure([Switched.read(run) for run in runs])
    assert first.share == 0.0
    assert last.share == 1.0
    assert first.identity == pytest.approx(1.0, abs=1e-5)
    assert last.identity < 0.9
    assert last.distance == 9.99
    draw([first, last], "eyewear").savefig(tmp_path / "figure.png")
    main(["--comparison", str(tmp_path)])
    assert "| 999 | 1.000 |" in capsys.readouterr().out


def test_a_switch_of_more_than_an_attribute_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not bring one attribute"):
        Switched.read(finished(tmp_path, 0, [], below=[1, 5, 3, 7, 4, 4, 6, 6]))


def test_a_folder_without_finished_runs_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no finished run"):
        main(["--comparison", str(tmp_path)])
