"""Each kind of task, with nets whose results are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe_fcn.errors import NetError, NotSupportedError
from caffe_fcn.zoo.predict import Options, Predictor
from caffe_fcn.zoo.predict.view import View

EYE = np.eye(3)  # outputs: blue, green, red
COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


@pytest.fixture
def photo(tmp_path):
    """40 x 30: green above on the left, red on the right, blue below."""
    image = Image.new("RGB", (40, 30), COLOURS["blue"])
    image.paste(COLOURS["green"], (0, 0, 25, 20))
    image.paste(COLOURS["red"], (25, 0, 40, 20))
    image.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


LABELS = np.zeros((30, 40), int)
LABELS[:20] = np.where(np.arange(40) < 25, 1, 2)
SEGMENTS = 'classes = [{ name = "b" }, { name = "g", colour = [1, 2, 3] }, { name = "r", colour = [9, 8, 7] }]'


def test_segmentation(model, photo):
    done = Predictor(model("segmentation", EYE, top=SEGMENTS))(photo)
    assert list(done.pictures) == [".png", "_overlay.png"]
    labels = done.pictures[".png"]
    assert labels.mode == "P" and np.array_equal(np.asarray(labels), LABELS)
    assert labels.getpalette()[:9] == [0, 0, 0, 1, 2, 3, 9, 8, 7]  # the first by PASCAL VOC's rule
    over = np.asarray(done.pictures["_overlay.png"])
    assert np.abs(over[0, 0] - np.array([0.55 * 1, 0.45 * 255 + 0.55 * 2, 0.55 * 3])).max() <= 1
    assert [(entry["id"], entry["name"], entry["pixels"], entry["share"]) for entry in done.facts["classes"]] == [
        (0, "b", 400, 1 / 3), (1, "g", 500, 5 / 12), (2, "r", 300, 1 / 4)]
    assert done.facts["width"] == 40 and done.facts["height"] == 30 and done.facts["inputs"] == {"data": [1, 3, 30, 40]}
    assert done.text == "g 41.7%, b 33.3%, r 25.0%"


def test_a_second_labelled_output(model, photo):
    more = """
        [[more_outputs]]
        blob = "geo"
        shape = [1, 2, "height", "width"]
        meaning = "made up"
        classes = ["left", "right"]
        [[more_outputs]]
        blob = "in_blob"
        shape = [1, 3, "height", "width"]
        meaning = "no labels" """
    rest = ('layer { name: "s" type: "Slice" bottom: "mixed" top: "one" top: "two" slice_param { slice_point: 2 } }'
            'layer { name: "f" type: "Power" bottom: "one" top: "geo" power_param { scale: -1 } }'
            'layer { name: "p" type: "Power" bottom: "mixed" top: "in_blob" }'
            'layer { name: "x" type: "Silence" bottom: "two" }')
    done = Predictor(model("segmentation", EYE, top=SEGMENTS, more=more, rest=rest))(photo)
    assert list(done.pictures) == [".png", "_overlay.png", "_geo.png", "_geo_overlay.png"]
    assert np.array_equal(np.asarray(done.pictures[".png"]), LABELS)
    geo = np.asarray(done.pictures["_geo.png"])
    assert np.array_equal(geo[:, :25], LABELS[:, :25] == 0)  # the lower one of blue and green
    (facts,) = done.facts["more"]
    assert facts["output"] == "geo" and [entry["name"] for entry in facts["classes"]] == ["left", "right"]


def test_results_have_the_size_of_the_photo(model, photo):
    done = Predictor(model("segmentation", EYE, top=SEGMENTS), scale=0.5)(photo)
    assert done.facts["inputs"] == {"data": [1, 3, 15, 20]} and done.facts["scale"] == 0.5
    labels = np.asarray(done.pictures[".png"])
    assert labels.shape == (30, 40) and (labels == LABELS).mean() > 0.9


def test_edges(model, photo):
    done = Predictor(model("edges", [[0, 0, 0.02]], bias=[-0.5]))(photo)
    grey = done.pictures[".png"]
    red, rest = (255 / (1 + np.exp(-(0.02 * (value - 30) - 0.5))) for value in (255, 0))
    assert grey.mode == "L"
    assert set(np.unique(grey)) == {round(red), round(rest)} and np.asarray(grey)[0, 30] == round(red)
    assert done.pictures["_overlay.png"].mode == "RGB"
    assert done.facts["edges"]["share"] == 0.25 and done.facts["edges"]["max"] == pytest.approx(red / 255, abs=1e-5)


def test_pose(model, tmp_path):
    image = Image.new("RGB", (90, 60))
    for (x, y), colour in (((20, 15), "blue"), ((70, 45), "green"), ((45, 30), "red"), ((20, 45), "red")):
        rows, columns = np.mgrid[:60, :90]
        near = Image.fromarray((255 * ((rows - y) ** 2 + (columns - x) ** 2 <= 36)).astype(np.uint8))
        image.paste(COLOURS[colour], (0, 0), near)
    pixels = np.array(image)
    pixels[:, :40, 0] = pixels[:, :40, 0] * 0.8  # the second place of the red joint is less likely
    Image.fromarray(pixels).save(tmp_path / "pose.png")
    top = 'classes = [{ name = "left", colour = [7, 8, 9] }, "right", "top"]\nskeleton = [[0, 2], [1, 2]]'
    folder = model("pose", 0.03 * EYE, bias=[-3] * 3, top=top)
    done = Predictor(folder)(tmp_path / "pose.png")
    joints = done.facts["joints"]
    assert [(joint["name"], joint["x"], joint["y"]) for joint in joints] == [
        ("left", 20, 15), ("right", 70, 45), ("top", 45, 30)]
    places = [(mode["x"], mode["y"]) for mode in joints[2]["modes"]]
    assert places == [(45, 30), (20, 45)] and joints[2]["modes"][1]["score"] < joints[2]["score"]
    picture = np.asarray(done.pictures[".png"])
    assert tuple(picture[15, 20]) == (7, 8, 9)
    assert tuple(picture[22, 32]) == (255, 255, 255)  # between the first and the third
    few = Predictor(folder, scale=0.5, options=Options(modes=1, refine=True))(tmp_path / "pose.png")
    assert [len(joint["modes"]) for joint in few.facts["joints"]] == [1, 1, 1]
    assert np.allclose([(joint["x"], joint["y"]) for joint in few.facts["joints"]], [(20, 15), (70, 45), (45, 30)],
                       atol=1)


@pytest.mark.parametrize(("unit", "bias", "more", "expected"), [
    ("mm", np.log(2500) - 7.844, "log = true\nmean = 7.844", 2500), ("m", 2.5, "", 2500), ("cm", 1e6, "", 65535),
    ("mm", -5, "", 1), ("mm", 1000, "log = true", 65535)])
def test_depth(model, photo, unit, bias, more, expected):
    done = Predictor(model("depth", [[0, 0, 0]], bias=[bias], more=f'unit = "{unit}"\n{more}'))(photo)
    depth = done.pictures[".png"]
    assert depth.mode == "I;16" and np.array_equal(np.asarray(depth), np.full((30, 40), expected))
    assert done.facts["depth_mm"]["median"] == pytest.approx(expected, rel=1e-6)


def test_depth_colours_are_bright_where_it_is_near(model, photo):
    done = Predictor(model("depth", [[0, 0, 10]], bias=[1000], more='unit = "mm"'))(photo)
    colours = np.asarray(done.pictures["_colour.png"]).astype(int)
    assert tuple(colours[0, 0]) == (255, 245, 170) and tuple(colours[0, 30]) == (15, 10, 60)
    assert np.asarray(done.pictures[".png"])[0, [0, 30]].tolist() == [700, 3250]
    assert done.text == "0.70 to 3.25 m, median 0.70 m"


@pytest.mark.parametrize("centre", [False, True])
def test_classification_as_classifier_does_it(model, tmp_path, centre):
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (50, 70, 3), np.uint8)).save(tmp_path / "a.png")
    weights = rng.normal(0, 0.1, (6, 3))
    rules = 'resize = "stretch"\nsize = [12, 12]\n' + ("crop = [8, 8]" if centre else "")
    folder = model("classification", weights, top='classes = ["a", "b", "c", "d", "e", "f"]', input=rules,
                   size=8 if centre else 12)
    done = Predictor(folder, options=Options(top=4))(tmp_path / "a.png")
    classifier = caffe.Classifier(f"{folder}/deploy.prototxt", f"{folder}/own.caffemodel", image_dims=(12, 12),
                                  mean=np.array([10, 20, 30]), raw_scale=255, channel_swap=(2, 1, 0))
    expected = classifier.predict([caffe.io.load_image(str(tmp_path / "a.png"))], oversample=False)[0]
    order = np.argsort(-expected)[:4]
    assert [entry["id"] for entry in done.facts["top"]] == order.tolist()
    assert np.allclose([entry["probability"] for entry in done.facts["top"]], expected[order], atol=1e-4)
    assert done.pictures == {} and "map" not in done.facts
    assert done.text.splitlines()[0] == f"{expected[order[0]]:7.4f}  {'abcdef'[order[0]]}"


def test_a_map_of_classes(model, photo):
    rest = 'layer { name: "soft" type: "Softmax" bottom: "mixed" top: "prob2" }'
    folder = model("segmentation", 0.01 * EYE, top=SEGMENTS, rest=rest)
    card = Path(folder, "card.toml")
    card.write_text(card.read_text().replace('"segmentation"', '"classification"').replace('"mixed"', '"prob2"'))
    done = Predictor(folder)(photo)
    assert np.array_equal(done.facts["map"], LABELS)
    assert [entry["name"] for entry in done.facts["top"]] == ["g", "b", "r"]
    assert sum(entry["probability"] for entry in done.facts["top"]) == pytest.approx(1)


@pytest.mark.parametrize(("kind", "weights", "top", "more", "message"), [
    ("segmentation", EYE, "", "", "1 to 256 classes, output 'mixed' has 0"),
    ("pose", EYE, "", "", "names its joints"),
    ("depth", EYE[:1], "", "", "output.unit = None must be one of mm, cm, m")])
def test_cards_that_say_too_little(model, kind, weights, top, more, message):
    with pytest.raises(NotSupportedError, match=message):
        Predictor(model(kind, weights, top=top, more=more))


@pytest.mark.parametrize(("kind", "top", "more", "message"), [
    ("segmentation", 'classes = ["a", "b"]', "", r"2 maps in 'mixed'; the net gives the shape \(1, 3, 30, 40\)"),
    ("edges", "", "", r"1 maps in 'prob'"), ("depth", "", 'unit = "m"', r"1 maps in 'mixed'"),
    ("classification", 'classes = ["a", "b"]', "", r"has 2 classes; 'prob' of the net has the shape \(1, 3\)")])
def test_nets_that_are_not_the_card_s(model, photo, kind, top, more, message):
    with pytest.raises(NetError, match=message):
        Predictor(model(kind, EYE, top=top, more=more))(photo)


def test_labels_of_another_size_keep_their_values(model):
    view = View(Predictor(model("segmentation", EYE, top=SEGMENTS)).card, np.zeros((4, 6, 3), np.uint8), {})
    assert view.to_photo(np.array([[0, 7, 200]], np.uint8)).tolist() == [[0, 0, 7, 7, 200, 200]] * 4


@pytest.mark.parametrize("counts", [{"top": 0}, {"modes": 0}])
def test_counts_below_one(counts):
    with pytest.raises(ValueError, match="at least 1"):
        Options(**counts)
