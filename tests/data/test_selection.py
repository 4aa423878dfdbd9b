"""Which images are evaluated."""

from __future__ import annotations

import pytest

from dsg.data.folder import ImageFolder
from dsg.data.selection import select
from dsg.errors import UserError

IDS = [f"class{c:02}/{i:02}" for c in range(20) for i in range(5)]  # 20 classes of 5 images


def test_without_options_all_are_taken_and_with_a_limit_the_first():
    assert select(IDS) == IDS
    assert select(IDS, limit=7) == IDS[:7]
    assert select(IDS, limit=1000) == IDS
    assert select(IDS, first=98) == IDS[98:]
    assert select(IDS, first=3, limit=2) == IDS[3:5]


def test_spread_over_as_many_pieces_as_classes_every_class_has_one():
    assert select(IDS, limit=20, spread=True) == [f"class{c:02}/00" for c in range(20)]
    assert select(IDS, first=2, limit=20, spread=True) == [f"class{c:02}/02" for c in range(20)]


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 33, 99, 100, 101])
def test_spread_images_are_as_many_as_asked_in_their_order_with_even_gaps(limit):
    places = [IDS.index(image_id) for image_id in select(IDS, limit=limit, spread=True)]
    gaps = {b - a for a, b in zip(places, [*places[1:], len(IDS)], strict=True)}
    assert len(places) == min(limit, len(IDS))
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("total", [100, 97])
@pytest.mark.parametrize(("many", "few"), [(20, 20), (20, 5), (24, 8)])
def test_another_first_gives_other_images_where_the_smaller_limit_divides_the_larger(total, many, few):
    evaluated = select(IDS[:total], limit=many, spread=True)
    assert set(evaluated).isdisjoint(select(IDS[:total], first=1, limit=few, spread=True))


def test_without_a_limit_there_is_nothing_to_spread_over():
    assert select(IDS, spread=True) == IDS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"first": 100}, "there are 100 images, and 100 is behind the last"),
        ({"first": 5, "limit": 20, "spread": True}, "100 images spread over 20 are pieces of 5, and 5 is not in each"),
        ({"first": 1, "limit": 200, "spread": True}, "spread over 100 are pieces of 1"),
    ],
)
def test_a_place_behind_the_last_image_is_refused(options, words):
    with pytest.raises(UserError, match=rf"data\.first: .*{words}"):
        select(IDS, **options)


def test_a_folder_of_images_is_spread_and_its_labels_are_those_of_all(image_folder):
    def folder(**options):
        return ImageFolder(str(image_folder), image_size=16, **options)

    assert folder(limit=3, spread=True).evaluated_ids() == ["a", "c", "more/e"]
    assert folder(limit=3, spread=True, first=1).evaluated_ids() == ["b", "d", "more/f"]
    assert folder(limit=2, first=3).evaluated_ids() == ["d", "more/e"]
    table = image_folder / "labels.csv"
    table.write_text("a,5\nb,9\nc,1\nd,9\nmore/e,2\nmore/f,9\n")
    assert folder(limit=3, spread=True, labels=str(table)).largest_label() == 5
    with pytest.raises(UserError, match=r"data\.first: must be at least 0, got -1"):
        folder(first=-1)


def test_other_images_of_the_same_settings_continue_a_run(evaluate, tmp_path):
    assert evaluate("--data.limit", "2") == 0
    assert evaluate("--data.limit", "2", "--data.spread", "true") == 0
    assert evaluate("--data.limit", "2", "--data.first", "1") == 0
    rows = (tmp_path / "run" / "per_image.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["b", "c"]
    assert sorted(path.stem for path in (tmp_path / "run" / "samples").glob("*.png")) == ["a", "b", "c", "d"]
