"""`caffe-fcn score` on small folders, right ones and ones with something wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import sys

import numpy as np
import pytest
from dataset_files import label, photo, text
from PIL import Image
from scipy.io import savemat

from caffe_fcn.cli.main import main
from caffe_fcn.datasets.voc_writer import voc_palette

TRUTH = np.array([[0, 0, 1, 1, 255], [0, 0, 1, 2, 2]])
WRONG = np.array([[0, 0, 1, 1, 1], [0, 1, 1, 2, 1]])  # 7 of 9 right, IU 3/4, 3/5, 1/2: 37/60


def score(capsys, *arguments):
    """Exit status, what is printed, what is said of problems."""
    status = main(["score", *map(str, arguments)])
    streams = capsys.readouterr()
    return status, streams.out, streams.err


@pytest.fixture
def labels(tmp_path):
    """Predictions p and truths t: a is right, below/b is not."""
    for name, predicted in (("a", np.where(TRUTH == 255, 1, TRUTH)), ("below/b", WRONG)):
        label(tmp_path / f"t/{name}.png", TRUTH)
        label(tmp_path / f"p/{name}.png", predicted)
    return tmp_path


# segmentation


def test_label_pictures(labels, capsys):
    photo(labels / "p/a_overlay.png", 0)  # what `predict` writes beside them
    text(labels / "classes.txt", "sky", "road", "car", "tree")
    status, out, err = score(capsys, "segmentation", labels / "p", labels / "t", "--out", labels / "out",
                             "--photos", labels / "p", "--worst", 0)
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert rows[1:5] == [["0", "sky", "44.4", "87.5", "87.5"], ["1", "road", "33.3", "100.0", "75.0"],
                         ["2", "car", "22.2", "75.0", "75.0"], ["3", "tree", "0.0", "-", "-"]]
    assert rows[6] == ["pictures", "2"] and rows[7] == ["pixel", "accuracy", "0.8889"]
    found = json.loads((labels / "out/scores.json").read_text())
    assert found["task"] == "segmentation" and found["frames"] == 2 and found["problems"] == []
    assert found["confusion"][0] == [7, 1, 0, 0] and found["classes"][3]["iu"] is None
    assert found["mean_iu"] == pytest.approx((0.875 + 0.75 + 0.75) / 3)
    assert found["images"]["below/b"] == pytest.approx({"pixel_accuracy": 7 / 9, "mean_iu": 37 / 60})
    with Image.open(labels / "out/confusion.png") as picture:
        assert picture.mode == "RGB"
    assert not (labels / "out/worst").exists()


def test_the_worst_are_named_and_drawn(labels, capsys):
    text(labels / "classes.txt", "sky", "road", "car")
    values = photo(labels / "photos/below/b.png", 3, TRUTH.shape)
    status, out, _ = score(capsys, "segmentation", labels / "p", labels / "t", "--out", labels / "out", "--worst", 1,
                           "--photos", labels / "photos")
    assert status == 0 and out.splitlines()[-1].split() == ["below/b", f"{37 / 60:.4f}"]
    drawn = np.asarray(Image.open(labels / "out/worst/below_b.png"))
    gap, colours = np.full((2, 4, 3), 255), voc_palette()
    np.testing.assert_array_equal(drawn, np.concatenate([values, gap, colours[TRUTH], gap, colours[WRONG]], axis=1))


def test_a_list_and_another_ignored_label(labels, capsys):
    label(labels / "t/a.png", np.where(TRUTH == 255, 9, TRUTH))
    text(labels / "names.txt", "a", "c")
    status, out, err = score(capsys, "segmentation", labels / "p", labels / "t", "--list", labels / "names.txt",
                             "--ignore", 9, "--json")
    found = json.loads(out)
    assert status == 1 and found["frames"] == 1 and found["pixel_accuracy"] == 1
    assert found["problems"] == ["c: nothing is known to compare with"] and "not scored: c:" in err


@pytest.mark.parametrize(("change", "message"), [
    (lambda folder: (folder / "p/a.png").unlink(), r"a: there is no prediction '.*p/a\.png'"),
    (lambda folder: label(folder / "p/a.png", WRONG[:, :4]), "must have one size .* label 2 x 5, prediction 2 x 4"),
    (lambda folder: photo(folder / "p/a.png", 0), "must be a palette or grey picture .* got mode RGB"),
    (lambda folder: label(folder / "p/a.png", WRONG + 200), r"predicted .*p/a\.png' must be 0 to 2; got 200"),
    (lambda folder: label(folder / "t/a.png", TRUTH + (TRUTH == 2)), r"true labels of '.*t/a\.png' must be .* got 3$"),
    (lambda folder: (folder / "p/a.png").write_bytes(b"no"), "a: image .* not an image file"),
])
def test_what_is_wrong_with_one_is_named(labels, capsys, change, message):
    change(labels)
    status, out, err = score(capsys, "segmentation", labels / "p", labels / "t", "--classes", 3)
    assert status == 1 and out.splitlines()[5].split() == ["pictures", "1"]
    assert len(err.splitlines()) == 1
    assert err.startswith("not scored: a: ") and re.search(message, err.strip())


def test_without_known_classes_all_ids_but_the_ignored_are(labels, capsys):
    label(labels / "p/a.png", np.where(TRUTH == 0, 255, TRUTH))
    status, out, err = score(capsys, "segmentation", labels / "p", labels / "t")
    assert status == 1 and "must be 0 to 255, but for 255, which is no class; got 255" in err and "worst" not in out


@pytest.mark.parametrize(("arguments", "message"), [
    (["p", "nowhere"], "there is no folder '.*nowhere'"),
    (["t/below", "t"], r"has no prediction \(.png, .bmp, .tif, .tiff\) for any of 2 names; a: there is no prediction"),
    (["p"], "give the folder of the predictions and that of the true labels, or --model and --data"),
    (["p", "t", "--classes", "300"], "have 1 to 256 classes, got 300"),
    (["p", "t", "--classes", "nowhere"], "there is no file '.*nowhere'"),
    (["p", "t", "--model", "hed"], "the net is for edges, not for segmentation"),
    (["p", "t", "--model", "voc-fcn8"], "there is no net 'voc-fcn8'.* 'voc-fcn8s'"),
    (["p", "t", "--data", "t"], "--data scores what a net predicts: give --model NAME, and no folders"),
    (["p", "t", "--weights", "w"], "--weights is for a net that predicts: give --data, too"),
    (["p", "t", "--out", "t/a.png"], r"cannot make the folder '.*a\.png'"),
    (["p", "t", "--out", "out", "--photos", "photos"], r"there is no file '.*"),
    (["p", "t", "--out", "out", "--photos", "nowhere", "--worst", "1"], r"there is no folder 'nowhere' \(--photos\)"),
    (["p", "empty"], "nothing is known to compare 'p' with: no truths were found"),
])
def test_what_stops_the_command(labels, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(labels)
    for folder in ("photos", "empty"):
        (labels / folder).mkdir()
    status, _, err = score(capsys, "segmentation", *arguments)
    assert status == 2 and len(err.splitlines()) == 1 and re.search(message, err)


def test_nothing_is_labelled(labels, capsys):
    for name in ("a", "below/b"):
        label(labels / f"t/{name}.png", np.full((2, 5), 255))
    assert score(capsys, "segmentation", labels / "p", labels / "t")[::2] == (
        2, "caffe-fcn score: no pixel has a true class; all labels are 255\n")


def test_a_net_on_a_data_set(tmp_path, capsys, root):
    """The labels are what the net predicts but for one class, so its score is known."""
    from caffe_fcn.zoo.predict import Predictor

    name = "camvid-fcn8s-small"
    (tmp_path / "JPEGImages").mkdir()
    with Image.open(root / "examples/images/camvid_street.jpg") as street:
        street.resize((96, 64)).save(tmp_path / "JPEGImages/a.png")
    ids = np.array(Predictor(name)(tmp_path / "JPEGImages/a.png").pictures[".png"])
    commonest = np.bincount(ids.ravel()).argmax()
    label(tmp_path / "SegmentationClass/a.png", np.where(ids == commonest, 255, ids))
    text(tmp_path / "ImageSets/Segmentation/val.txt", "a", "gone")
    status, out, err = score(capsys, "segmentation", "--model", name, "--data", tmp_path, "--json",
                             "--out", tmp_path / "out")
    found = json.loads(out)
    assert status == 1 and "gone: there is no file" in err
    assert found["pixel_accuracy"] == 1 and found["classes"][commonest]["pixels"] == 0
    assert found["classes"][0]["name"] == "sky" and sum(entry["pixels"] for entry in found["classes"]) == np.sum(
        ids != commonest)
    assert Image.open(tmp_path / "out/worst/a.png").size == (3 * 96 + 2 * 4, 64)


# edges


def boundaries(path, *people):
    """A file of BSDS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.empty((1, len(people)), object)
    for k, drawn in enumerate(people):
        cells[0, k] = {"Boundaries": drawn.astype(np.uint8), "Segmentation": np.ones(drawn.shape, np.uint16)}
    savemat(path, {"groundTruth": cells})


def line(row, shape=(40, 30)):
    drawn = np.zeros(shape)
    drawn[row] = 1
    return drawn


def grey(path, values, deep=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((values * (65535 if deep else 255)).astype(np.uint16 if deep else np.uint8)).save(path)


@pytest.mark.parametrize("more", [[], ["--jobs", 2]])
def test_edges(tmp_path, capsys, more):
    boundaries(tmp_path / "t/a.mat", line(10), line(12))
    boundaries(tmp_path / "t/b.mat", line(10))
    grey(tmp_path / "p/a.png", 0.8 * line(11) + 0.4 * line(30))
    grey(tmp_path / "p/b.png", 0.6 * line(10), deep=True)
    (tmp_path / "p/c.png").write_bytes(b"not looked at")
    status, out, err = score(capsys, "edges", tmp_path / "p", tmp_path / "t", "--thresholds", 9, "--tolerance", 0.02,
                             "--no-thinning", "--json", *more)  # 0.02 of 50 pixels: 1
    found = json.loads(out)
    assert (status, err) == (0, "") and found["frames"] == 2
    assert found["ods"]["f"] == found["ois"]["f"] == 1 and found["rules"]["tolerance"] == 0.02
    assert found["curve"][2] == pytest.approx({"threshold": 0.3, "precision": 2 / 3, "recall": 1})
    assert found["curve"][6] == pytest.approx({"threshold": 0.7, "precision": 1, "recall": 2 / 3})
    assert found["images"]["b"]["f"] == 1


def test_one_persons_picture_is_a_truth(tmp_path, capsys):
    grey(tmp_path / "t/a.png", line(10))
    grey(tmp_path / "p/a.png", 0.5 * line(10) + 0.5 * line(25))
    status, out, _ = score(capsys, "edges", tmp_path / "p", tmp_path / "t", "--thresholds", 1, "--no-thinning")
    rows = [row.split() for row in out.splitlines()]
    assert status == 0 and rows[1][-4:] == ["0.500", "0.0", "0.0", "0.0"]  # 127 of 255 is less than a half
    status, out, _ = score(capsys, "edges", tmp_path / "p", tmp_path / "t", "--thresholds", 2, "--no-thinning")
    assert status == 0 and out.splitlines()[1].split()[-4:] == ["0.333", "50.0", "100.0", "66.7"]


@pytest.mark.parametrize(("write", "message"), [
    (lambda folder: photo(folder / "p/a.png", 0, (40, 30)), "must be a grey picture of 8 or 16 bits.* mode RGB"),
    (lambda folder: grey(folder / "p/a.png", line(1, (40, 31))), "prediction 40 x 31, truth 40 x 30"),
    (lambda folder: savemat(folder / "t/a.mat", {"x": 1}), r"a\.mat' has no variable 'groundTruth'"),
])
def test_edges_that_cannot_be_compared(tmp_path, capsys, write, message):
    boundaries(tmp_path / "t/a.mat", line(10))
    grey(tmp_path / "p/a.png", line(10))
    write(tmp_path)
    status, out, err = score(capsys, "edges", tmp_path / "p", tmp_path / "t")
    assert (status, out) == (2, "") and "no picture could be scored: a: " in err and re.search(message, err)


# pose


def person(shift=0.0):
    """(14, 2), a torso of 50."""
    places = np.column_stack([np.arange(14) * 7.0, np.arange(14) * 5.0 + 3])
    places[2], places[9] = (30, 60), (60, 20)
    return places + shift


def pose(path, places):
    path.parent.mkdir(parents=True, exist_ok=True)
    joints = [None if place is None else {"x": float(place[0]), "y": float(place[1])} for place in places]
    path.write_text(json.dumps({"joints": joints}))


def test_poses(tmp_path, capsys):
    poses = np.zeros((3, 14, 1003))
    poses[:2] = person().T[:, :, None]
    savemat(tmp_path / "joints.mat", {"joints": poses})
    for number, places in ((1001, person()), (1002, person() + [8, 0]), (1003, [*person()[:13], None])):
        pose(tmp_path / f"p/im{number}.json", places)
    status, out, err = score(capsys, "pose", tmp_path / "p", tmp_path / "joints.mat", "--threshold", 0.2,
                             "--threshold", 0.1, "--worst", 1)
    rows = [row.split() for row in out.splitlines()]
    assert (status, err) == (0, "")
    assert rows[0][3:] == ["head", "top", "neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "mean"]
    assert rows[1] == ["torso", "x", "0.2", "66.7", *["100.0"] * 7, f"{100 * (13 + 2 / 3) / 14:.1f}"]
    assert rows[2][3:5] == ["33.3", "66.7"]
    assert rows[-1] == ["im1003", f"{13 / 14:.4f}"]


def test_poses_as_predict_writes_them(tmp_path, capsys):
    pose(tmp_path / "t/a.json", [*person()[:13], None])
    joints = [{"id": k, "name": "x", "x": x, "y": y, "score": 1, "modes": [{"x": x, "y": y, "score": 1}]}
              for k, (x, y) in enumerate(person(1).tolist())]
    (tmp_path / "p").mkdir()
    (tmp_path / "p/a.json").write_text(json.dumps({"image": "a.jpg", "joints": joints}))
    status, out, _ = score(capsys, "pose", tmp_path / "p", tmp_path / "t", "--json", "--reference", "box")
    found = json.loads(out)
    assert status == 0 and found["pck"] == [{"threshold": 0.2, "head top": None, "neck": 1, "shoulder": 1, "elbow": 1,
                                            "wrist": 1, "hip": 1, "knee": 1, "ankle": 1, "mean": 1}]
    assert found["joints_rated"] == 13 and found["reference"] == "box"


@pytest.mark.parametrize("content", [
    "{", "[]", '{"joints": []}', '{"joints": {}}', '{"joints": 3}', json.dumps({"joints": [{"x": 1, "y": "2"}] * 14}),
    json.dumps({"joints": [{"x": 1, "y": float("nan")}] * 14}), json.dumps({"joints": [{"x": 1}] * 14}),
    json.dumps({"joints": [None] * 13}), "[" * 100000,
])
def test_files_that_are_no_poses(tmp_path, capsys, content):
    pose(tmp_path / "t/a.json", person())
    pose(tmp_path / "p/a.json", person())
    (tmp_path / "p/a.json").write_text(content)
    status, _, err = score(capsys, "pose", tmp_path / "p", tmp_path / "t")
    assert status == 2 and re.search(r"'.*a\.json' must be JSON with \"joints\": 14 times", err)


def test_nobody_has_a_torso(tmp_path, capsys):
    pose(tmp_path / "p/a.json", person())
    pose(tmp_path / "t/a.json", [*person()[:9], None, *person()[10:]])
    assert "no picture has joints and a torso that are known" in score(
        capsys, "pose", tmp_path / "p", tmp_path / "t")[2]


# depth


def depth(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint16)).save(path)


def test_depths(tmp_path, capsys):
    depth(tmp_path / "t/a.png", [[1000, 2000, 0, 9000]])
    depth(tmp_path / "p/a.png", [[1100, 3000, 0, 9000]])
    depth(tmp_path / "t/b.png", [[1000, 0]])
    (tmp_path / "p/b.npy").parent.mkdir(exist_ok=True)
    np.save(tmp_path / "p/b.npy", np.array([[[2000.0, np.nan]]]))
    status, out, err = score(capsys, "depth", tmp_path / "p", tmp_path / "t", "--within", 0.5, 8, "--json")
    found = json.loads(out)
    assert (status, err, found["pixels"]) == (0, "", 3)
    assert found["rel"] == pytest.approx((0.1 + 0.5 + 1) / 3)
    assert found["rmse"] == pytest.approx(np.sqrt((0.01 + 1 + 1) / 3))
    assert [found[f"delta{k}"] for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert found["mean_of_images"]["rel"] == pytest.approx((0.3 + 1) / 2)
    status, out, _ = score(capsys, "depth", tmp_path / "p", tmp_path / "t", "--unit", 0.002, "--clip", 0.1, 4)
    rows = [row.split() for row in out.splitlines()]
    means = f"{(0.1 + 0 + 7 / 9 + 1) / 4:.4f}", f"{(0.1 + 0 + 7 / 9) / 3:.4f}"  # 6 and 18 are clipped
    assert status == 0 and rows[1][:4] == ["over", "all", "pixels", means[0]]
    assert rows[-2:] == [["b", "1.0000"], ["a", means[1]]]


@pytest.mark.parametrize(("predicted", "truth", "arguments", "message"), [
    ([[0, 5]], [[7, 7]], [], r"must be finite and above 0; where one was measured 1 are not"),
    ([[5]], [[7, 7]], [], "prediction 1 x 1, truth 1 x 2"),
    ([[5, 5]], [[0, 0]], [], "has no pixel with a depth that counts"),
    ([[5, 5]], [[7, 7]], ["--within", "1", "2"], "has no pixel with a depth that counts"),
    ([[5, 5]], [[7, 7]], ["--clip", "2", "1"], "--clip needs MIN < MAX, got 2 and 1"),
    ([[5, 5]], [[7, 7]], ["--unit", "0"], "--unit must be above 0"),
    ([[5, 5]], [[7, 7]], ["--unit", "1e300", "--within", "0", "9"], "has no pixel with a depth that counts"),
])
def test_depths_that_cannot_be_compared(tmp_path, capsys, predicted, truth, arguments, message):
    depth(tmp_path / "p/a.png", predicted)
    depth(tmp_path / "t/a.png", truth)
    status, _, err = score(capsys, "depth", tmp_path / "p", tmp_path / "t", *arguments)
    assert status == 2 and re.search(message, err)


@pytest.mark.parametrize("content", [b"no", b"", np.zeros((2, 3, 4)), np.array([[None]])])
def test_files_that_are_no_depths(tmp_path, capsys, content):
    depth(tmp_path / "t/a.png", [[7, 7]])
    (tmp_path / "p").mkdir()
    if isinstance(content, bytes):
        (tmp_path / "p/a.npy").write_bytes(content)
    else:
        np.save(tmp_path / "p/a.npy", content, allow_pickle=True)
    status, _, err = score(capsys, "depth", tmp_path / "p", tmp_path / "t")
    assert status == 2 and re.search(r"a\.npy' (is not a .npy file|must hold one depth a pixel)", err)


# arguments


@pytest.mark.parametrize("arguments", [
    [], ["photos"], ["edges", "p", "t", "--thresholds", "0"], ["edges", "p", "t", "--tolerance", "-1"],
    ["edges", "p", "t", "--tolerance", "nan"], ["pose", "p", "t", "--reference", "foot"], ["depth", "p"],
    ["segmentation", "p", "t", "--ignore", "256"], ["edges", "p", "t", "--jobs", "x"],
    ["edges", "p", "t", "--jobs", "257"], ["edges", "p", "t", "--thresholds", "10001"],
])
def test_arguments_that_are_refused(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["score", *arguments])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_process_that_the_system_ends(tmp_path, capsys, monkeypatch):
    for name in "abc":
        grey(tmp_path / f"p/{name}.png", line(10))
        grey(tmp_path / f"t/{name}.png", line(10))
    monkeypatch.setattr("caffe_fcn.evaluation.judges.edges.EdgeJudge.judge", end_at_once)
    status, _, err = score(capsys, "edges", tmp_path / "p", tmp_path / "t", "--jobs", 2)
    assert status == 2 and "the system ended a process" in err and len(err.splitlines()) == 1


def end_at_once(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_no_more_processes_than_pictures(tmp_path, capsys, monkeypatch):
    grey(tmp_path / "p/a.png", line(10))
    grey(tmp_path / "t/a.png", line(10))
    monkeypatch.setattr("caffe_fcn.evaluation.judges.base.ProcessPoolExecutor", None)
    assert score(capsys, "edges", tmp_path / "p", tmp_path / "t", "--jobs", 8)[0] == 0


def test_interrupted(labels, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("caffe_fcn.evaluation.judges.segmentation.confusion", stop)
    status, out, err = score(capsys, "segmentation", labels / "p", labels / "t", "--out", labels / "out")
    assert (status, out, err) == (130, "", "caffe-fcn score: interrupted\n") and not list((labels / "out").iterdir())
