"""Do skips help? Train FCN-32s, 16s from it and 8s from that on CamVid, with a control, and compare them.

    python examples/skip_experiment.py --features CAFFEMODEL [--data FOLDER] [--out FOLDER] [--iterations N]

The features are weights with VGG16's conv1_1 to conv5_3. FOLDER has JPEGImages, SegmentationClass, classes.txt and
ImageSets/Segmentation/{train,val,test}.txt. The result: OUT/scores.json, OUT/table.md, OUT/skips.jpg, OUT/curves.png,
and OUT/NAME/trained.caffemodel with its record for each net. Started again it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))

import score
import skip_report

import caffe
from caffe_fcn.cli.caffe import main as caffe_command
from caffe_fcn.errors import WeightsError
from caffe_fcn.evaluation.confusion import Scores
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.proto.printer import to_text
from caffe_fcn.training.runs import load
from caffe_fcn.weights import read_weights
from caffe_fcn_models import camvid_skips

MEANS = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")


def ids(data: Path, split: str) -> list[str]:
    """The frames of a list."""
    return (data / "ImageSets" / "Segmentation" / f"{split}.txt").read_text(encoding="utf-8").split()


def prepare(name: str, folder: Path, data: Path, iterations: int | None) -> None:
    """Write nets and solver of one stage. ValueError if the folder holds a stage that is different."""
    frames = len(ids(data, "val"))
    messages = {split: camvid_skips.net(name, split, str(data)) for split in (*camvid_skips.SPLITS, "deploy")}
    messages["solver"] = camvid_skips.solver(name, str(folder), str(folder / "snapshot"), frames, iterations)
    folder.mkdir(parents=True, exist_ok=True)
    for file, message in messages.items():
        path, text = folder / f"{file}.prototxt", to_text(message)
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ValueError(f"'{path}' is of a run with other settings: go on with those, or choose another --out")
        path.write_text(text, encoding="utf-8")


def take_features(source: Path, out: Path) -> Path:
    """Write conv1_1 to conv5_3 of a weight file alone: its fc6 has another shape. WeightsError if one is missing."""
    layers = camvid_skips.net("camvid-fcn32s", "deploy").layer
    names = [layer.name for layer in layers]
    trunk = caffe.proto.caffe_pb2.NetParameter(name="features", layer=layers[: names.index("fc6")])
    wanted = {layer.name for layer in trunk.layer if layer.type == "Convolution"}
    missing = sorted(wanted - {layer.name for layer in read_weights(source)})
    if missing:
        raise WeightsError(f"'{source}' has no weights of {', '.join(missing)}: give a net with VGG16's layers")
    out.mkdir(parents=True, exist_ok=True)
    (out / "features.prototxt").write_text(to_text(trunk), encoding="utf-8")
    target = out / "features.caffemodel"
    caffe.Net(str(out / "features.prototxt"), str(source), caffe.TEST).save(str(target))
    return target


def train(folder: Path, trained: Path, start: Path) -> None:
    """Train one stage from its last snapshot, or from the weights `start`, until there is the file `trained`."""
    if trained.exists():
        return
    begin = ["-snapshot", "auto"] if any(folder.glob("*.solverstate")) else ["-weights", str(start)]
    status = caffe_command(["train", "-solver", str(folder / "solver.prototxt"), *begin, "--keep", "1",
                            "--record", str(folder / "record")])
    if status or not trained.exists():
        sys.exit(status or f"stopped before the end of '{folder.name}'; the same command goes on from there")


def rate(folder: Path, trained: Path, data: Path) -> dict[str, object]:
    """Scores on the val and test frames, and what the training took; predictions land in FOLDER/val and FOLDER/test."""
    result = folder / "scores.json"
    if not result.exists():
        seconds = load(folder / "record").series("seconds")[1]
        facts: dict[str, object] = {"iterations": len(seconds), "minutes": round(float(seconds.sum()) / 60, 1)}
        for split in ("val", "test"):
            net = caffe.Net(str(folder / f"{split}.prototxt"), str(trained), caffe.TEST)
            hist, loss = score.compute_hist(net, str(folder / split), ids(data, split))
            scores = Scores(hist)
            facts[split] = {"frames": len(ids(data, split)), "loss": round(loss, 4),
                            **{mean: round(getattr(scores, mean), 4) for mean in MEANS},
                            "iu": [round(float(iu), 4) for iu in scores.iu]}
        with atomic_write(result) as file:
            file.write(json.dumps(facts, indent=1).encode())
    return json.loads(result.read_text(encoding="utf-8"))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, required=True, help="caffemodel with conv1_1 ... conv5_3 of VGG16")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "camvid")
    parser.add_argument("--out", type=Path, default=Path("skip_out"))
    parser.add_argument("--iterations", type=int, help="of each stage; default: as the recipes say")
    given = parser.parse_args(argv)
    if given.iterations is not None and given.iterations < 1:
        parser.error("--iterations must be at least 1")
    data, out = given.data.resolve(), given.out.resolve()
    for path in (given.features, data / "ImageSets"):
        if not path.exists():
            parser.error(f"there is no '{path}'")
    trained, scores = {}, {}
    try:
        features = take_features(given.features, out)
        for name in camvid_skips.ALL:
            prepare(name, out / name, data, given.iterations)
    except ValueError as error:
        parser.error(str(error))
    for name, recipe in camvid_skips.ALL.items():
        folder = out / name
        trained[name] = folder / f"snapshot_iter_{given.iterations or recipe.iterations}.caffemodel"
        train(folder, trained[name], trained[recipe.start] if recipe.start else features)
        scores[name] = rate(folder, trained[name], data)
        print(f"{name}: mean IU {scores[name]['val']['mean_iu']} (val), {scores[name]['test']['mean_iu']} (test)")
    skip_report.write(out, data, scores)
    print(f"see {out / 'table.md'}, {out / 'skips.jpg'}, {out / 'curves.png'}")


if __name__ == "__main__":
    main()
