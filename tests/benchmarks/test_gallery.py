"""The picture of tasks x methods shows the runs that the table was made of."""

import pytest
from PIL import Image, ImageFont

from benchmarks.gallery import LEFT, LINE, SIDE, gallery, lines_of
from dsg.errors import UserError

COLOURS = {"dps": (200, 0, 0), "dsg": (0, 200, 0)}


@pytest.fixture
def compared(tmp_path):
    lines = ["task,method,setting,metric,chosen"]
    for method, colour in COLOURS.items():
        chosen = "guidance_rate=0.3" if method == "dsg" else ""
        lines += [f"blur,{method},default,{metric},{'*'.join([chosen, ''])}" for metric in ("psnr", "ssim") if chosen]
        lines += [f"blur,{method},default,psnr,"] * (not chosen)
        run = tmp_path / "runs/blur" / method / "default" / chosen
        for kind, shade in (("samples", colour), ("measurements", (0, 0, 200))):
            (run / kind).mkdir(parents=True)
            Image.new("RGB", (8, 8), shade).save(run / kind / "7.png")
    (tmp_path / "runs/blur/dsg/default/guidance_rate=0.1/samples").mkdir(parents=True)  # another choice, left as it was
    lines = [f"{line}," for line in lines] + [f"blur,{method},default,psnr,,label" for method in COLOURS]
    (tmp_path / "table.csv").write_text("\n".join(["task,method,setting,metric,chosen,cells", *lines[1:]]) + "\n")
    return tmp_path


def test_the_measurement_and_every_method_of_a_task_stand_in_a_row(compared):
    sheet = gallery(compared, "7")
    middle = [sheet.getpixel((LEFT + column * (SIDE + 2) + SIDE // 2, 2 + LINE + SIDE // 2)) for column in range(3)]
    assert middle == [(0, 0, 200), *COLOURS.values()]


def test_a_name_that_is_wider_than_a_picture_has_several_lines_and_no_word_is_lost():
    font = ImageFont.load_default(11)
    lines = lines_of("dsg_over_lgd_mc_of_a_name_without_end", font)
    assert len(lines) > 1
    assert "_".join(lines).replace(" ", "_") == "dsg_over_lgd_mc_of_a_name_without_end"
    assert all(font.getlength(line) <= SIDE for line in lines)


@pytest.mark.parametrize(("image_id", "words"), [("8", "give the id"), (None, "a comparison that has ended")])
def test_what_is_not_there_is_named(compared, tmp_path, image_id, words):
    with pytest.raises(UserError, match=words):
        gallery(compared if image_id else tmp_path / "empty", image_id or "7")
