"""The main job at a glance: no guidance, DPS and DSG on three tasks, on held-out portraits.

python -m benchmarks.demo [--out runs/demo] [--images 6] [--steps 50]

Makes a run folder for each of the nine evaluations, prints their table, and draws one contact sheet. Run again, it
continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

import train_free_eval
from dsg.data.examples import Examples
from dsg.data.held_out import HeldOutPortraits
from dsg.data.image_file import encode_image

CONFIGS = Path(__file__).parent.parent / "configs" / "experiment"
TASKS = {
    "inpainting": "random inpainting",
    "super_resolution": "super-resolution x4",
    "gaussian_deblurring": "Gaussian deblurring",
}
METHODS = {"unguided": "no guidance", "dps": "DPS", "dsg": "DSG"}
COLUMNS = {"psnr": "PSNR", "ssim": "SSIM", "seconds": "s/image", "nfe_forward": "fwd", "nfe_backward": "bwd"}


def evaluate(out: Path, images: int, steps: int, console: Console) -> None:
    """The nine evaluations, each by the command line's own main."""
    for task in TASKS:
        for method in METHODS:
            run = f"{task}_{method}"
            console.rule(f"{TASKS[task]}, {METHODS[method]}")
            arguments = ["--config", str(CONFIGS / f"portraits_{run}.yaml"), "--run_dir", str(out / run)]
            # two batches at least, since the first is warm-up and not timed; no LPIPS, since its weights do not ship
            sizes = [
                "--quality.lpips",
                "[]",
                "--data.limit",
                str(images),
                "--data.batch_size",
                str(min(math.ceil(images / 2), 16)),
                "--model.steps",
                str(steps),
            ]
            status = train_free_eval.main(["predict", *arguments, *sizes])
            if status:
                sys.exit(status)


def table(out: Path, title: str) -> Table:
    """Every run's metrics.json in one table."""
    rows = Table(title=title)
    for heading in ("task", "method"):
        rows.add_column(heading, no_wrap=True)
    for heading in COLUMNS.values():
        rows.add_column(heading, justify="right")
    for task, task_name in TASKS.items():
        for method, method_name in METHODS.items():
            metrics = json.loads((out / f"{task}_{method}" / "metrics.json").read_text())["metrics"]
            values = [f"{metrics[name]['mean']:.{0 if name.startswith('nfe') else 2}f}" for name in COLUMNS]
            rows.add_row(task_name, method_name, *values, end_section=method == "dsg")
    return rows


def contact_sheet(out: Path, images: int, scale: int = 2) -> Image.Image:
    """truth | measurement | DPS | DSG, for the first images, a block a task."""
    data = HeldOutPortraits(limit=images)
    side, gap, head = 64 * scale, 4, 40
    headings = ("truth", "measurement", "DPS", "DSG")
    block_width = len(headings) * (side + gap) + 4 * gap
    sheet = Image.new("RGB", (len(TASKS) * block_width - 5 * gap, head + images * (side + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for block, task in enumerate(TASKS):
        draw.text((block * block_width, 2), TASKS[task], "black", ImageFont.load_default(16))
        for column, heading in enumerate(headings):
            draw.text((block * block_width + column * (side + gap), 24), heading, "black", ImageFont.load_default(12))
        for row, image_id in enumerate(data.image_ids()):
            files = [
                out / f"{task}_dsg" / "measurements" / f"{image_id}.png",
                *(out / f"{task}_{method}" / "samples" / f"{image_id}.png" for method in ("dps", "dsg")),
            ]
            truth = Examples.of([data.load(image_id)]).tensor("image")[0]
            for column, picture in enumerate([encode_image(truth), *map(Image.open, files)]):
                place = (block * block_width + column * (side + gap), head + row * (side + gap))
                sheet.paste(picture.convert("RGB").resize((side, side), Image.Resampling.NEAREST), place)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    console = Console()
    evaluate(options.out, options.images, options.steps, console)
    console.print(table(options.out, f"{options.images} held-out portraits, {options.steps} steps, σ_y = 0.05"))
    sheet = contact_sheet(options.out, min(options.images, 8))
    sheet.save(options.out / "contact_sheet.png")
    console.print(
        f"contact sheet: {options.out / 'contact_sheet.png'}\nTensorBoard:   tensorboard --logdir {options.out}"
    )


if __name__ == "__main__":
    main()
