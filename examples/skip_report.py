"""Table, pictures and curves of the skip experiment (skip_experiment.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from caffe_fcn.training import charts
from caffe_fcn.training.runs import load
from caffe_fcn_models import camvid_skips

SHOWN = 4  # frames, evenly among those of `val`
CAPTION = 22  # pixels above the columns
MEANS = (("pixel_accuracy", "pixel acc."), ("mean_accuracy", "mean acc."), ("mean_iu", "mean IU"),
         ("frequency_weighted_iu", "f.w. IU"))


def table(scores: dict[str, Any], classes: list[str]) -> str:
    """Scores of all nets, and the IU of each class on the test frames, as Markdown."""
    lines = ["| net | iterations | minutes | frames | " + " | ".join(title for _, title in MEANS) + " |",
             "|---" * (4 + len(MEANS)) + "|"]
    for split in ("val", "test"):
        for name, facts in scores.items():
            cells = [name, facts["iterations"], facts["minutes"], f"{split} ({facts[split]['frames']})"]
            cells += [f"{facts[split][mean]:.3f}" for mean, _ in MEANS]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "| IU on test | " + " | ".join(scores) + " |", "|---" * (1 + len(scores)) + "|"]
    for k, title in enumerate(classes):
        cells = [title.replace("_", " "), *(f"{facts['test']['iu'][k]:.3f}" for facts in scores.values())]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def row(out: Path, data: Path, frame: str) -> Image.Image:
    """Frame, truth and the predictions of the three nets, side by side."""
    height, width = camvid_skips.SIZE
    with Image.open(data / "SegmentationClass" / f"{frame}.png") as picture:
        truth = picture.resize((width, height), Image.Resampling.NEAREST)
        colours = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)
    with Image.open(data / "JPEGImages" / f"{frame}.jpg") as photo:
        parts = [np.asarray(photo.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))]
    labels = [np.asarray(truth)]
    for name in camvid_skips.RECIPES:
        with Image.open(out / name / "val" / f"{frame}.png") as picture:
            labels.append(np.asarray(picture))
    parts += [np.where((label < 255)[..., None], np.resize(colours, (256, 3))[label], 0) for label in labels]
    return Image.fromarray(np.concatenate(parts, axis=1).astype(np.uint8))


def picture(out: Path, data: Path, frames: list[str]) -> Image.Image:
    """One row for each frame, with a caption."""
    rows = [row(out, data, frame) for frame in frames]
    width, height = rows[0].size
    sheet = Image.new("RGB", (width, CAPTION + height * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for k, title in enumerate(("frame", "truth", "FCN-32s", "FCN-16s", "FCN-8s")):
        draw.text((width * (2 * k + 1) // 10, CAPTION // 2), title, fill="black", font=font, anchor="mm")
    for k, part in enumerate(rows):
        sheet.paste(part, (0, CAPTION + height * k))
    return sheet


def curves(out: Path, names: dict[str, Any]) -> Any:
    """Loss and mean IU on the val frames over all iterations since the features, a colour for each net."""
    figure, ((loss, score),) = charts.new_figure(1, 2, (11, 4))
    for name in names:
        begin, start = 0, camvid_skips.ALL[name].start
        while start:
            begin, start = begin + names[start]["iterations"], camvid_skips.ALL[start].start
        run = load(out / name / "record")
        x, y = run.series("smoothed_loss")
        charts.curve(loss, x + begin, y, name)
        x, y = run.scores()["mean iu"]
        score.plot(x + begin, y, marker=".", label=name)
    charts.titled(loss, "Loss while training (mean of 50 frames)")
    charts.titled(score, "Mean IU on the val frames")
    return figure


def write(out: Path, data: Path, scores: dict[str, Any]) -> None:
    """Write table.md, skips.jpg and curves.png into `out`.

    scores  by net: what skip_experiment.rate gives
    """
    listed = data / "classes.txt"
    count = camvid_skips.CLASSES
    classes = listed.read_text(encoding="utf-8").split() if listed.exists() else [str(k) for k in range(count)]
    (out / "table.md").write_text(table(scores, classes), encoding="utf-8")
    frames = (data / "ImageSets" / "Segmentation" / "val.txt").read_text(encoding="utf-8").split()
    shown = frames[len(frames) // (2 * SHOWN) :: max(1, len(frames) // SHOWN)][:SHOWN]
    picture(out, data, shown).save(out / "skips.jpg", quality=88)
    with (out / "curves.png").open("wb") as file:
        charts.save(curves(out, scores), file, "png")
