from __future__ import annotations

import re
from pathlib import Path

import pytest

from caffe_fcn.errors import MissingFileError, NetError, PrototxtError
from caffe_fcn.proto.upgrade import read_net
from caffe_fcn.prototxt.summary import summarise
from caffe_fcn.zoo.cards import all_cards, colour_of, find, models_folder, names, read_card
from caffe_fcn.zoo.facts import facts
from caffe_fcn.zoo.readme import is_generated, readme

PUBLISHED = {
    "alexnet", "caffenet", "caffenet-full-conv", "camvid-fcn8s-small", "depth-fcn", "googlenet", "hed",
    "nyud-fcn32s-color", "nyud-fcn32s-color-d", "nyud-fcn32s-color-hha", "nyud-fcn32s-hha", "pascalcontext-fcn16s",
    "pascalcontext-fcn32s", "pascalcontext-fcn8s", "pose-fcn32s", "resnet50", "siftflow-fcn16s", "siftflow-fcn32s",
    "siftflow-fcn8s", "vgg16", "voc-fcn-alexnet", "voc-fcn16s", "voc-fcn32s", "voc-fcn8s", "voc-fcn8s-atonce"}


def test_every_net_has_a_card():
    assert set(names()) >= PUBLISHED
    assert [card.name for card in all_cards()] == names()


@pytest.mark.parametrize("name", names())
def test_the_facts_of_a_card_are_those_of_its_net(name):
    card = find(name)
    found = facts(card)
    assert (card.parameters, card.gflops_500, card.receptive_field) == found


@pytest.mark.parametrize("name", names())
def test_a_card_names_the_blobs_of_its_net(name):
    card = find(name)
    rows = summarise(read_net(str(card.net_file))).rows
    shapes = {top: shape for row in rows for top, shape in zip(row.tops, row.shapes, strict=True)}
    made = {top for row in rows for top in row.tops if not row.bottoms}
    assert {entry.blob for entry in card.inputs} == made
    for entry in (*card.inputs, *card.outputs):
        shape = shapes[entry.blob]
        assert len(entry.shape) == len(shape)
        assert all(word == size for word, size in zip(entry.shape, shape, strict=True) if isinstance(word, int))
    for entry, classes in ((card.output, card.classes), *((entry, entry.classes) for entry in card.more_outputs)):
        assert len(classes) in (0, entry.shape[1])
        assert len({item.name for item in classes}) == len(classes)
        assert len({item.colour for item in classes}) == len(classes)


@pytest.mark.parametrize("name", names())
def test_addresses_checksums_and_scores_are_of_the_right_form(name):
    card = find(name)
    files = card.files
    assert files.weights_url is None or re.fullmatch(rf"https?://[\w./~-]+/{files.weights}", files.weights_url)
    assert files.weights_sha1 is None or (re.fullmatch("[0-9a-f]{40}", files.weights_sha1) and files.weights_source)
    for score in card.scores.values():
        assert all(isinstance(value, str) or 0 < value < 1 for key, value in score.items() if key != "frames")


@pytest.mark.parametrize("name", names())
def test_readmes_are_those_of_the_cards(name):
    card = find(name)
    if not is_generated(card):
        pytest.skip("a person wrote it")
    assert (card.folder / "README.md").read_text(encoding="utf-8") == readme(card)


@pytest.mark.parametrize(("name", "what", "score"), [
    ("voc-fcn32s", "seg11valid", 0.636), ("voc-fcn16s", "seg11valid", 0.650), ("voc-fcn8s", "seg11valid", 0.655),
    ("voc-fcn8s", "seg12test", 0.672), ("voc-fcn8s-atonce", "seg11valid", 0.654),
    ("voc-fcn-alexnet", "seg11valid", 0.480)])
def test_published_scores(name, what, score):
    assert find(name).scores[what]["mean_iu"] == score


@pytest.mark.parametrize(("name", "pixels", "stride"), [
    ("voc-fcn32s", 404, 32), ("voc-fcn8s", 404, 8), ("voc-fcn-alexnet", 355, 32), ("hed", 196, 1)])
def test_published_receptive_fields(name, pixels, stride):
    field = find(name).receptive_field
    assert (field.pixels, field.stride) == (pixels, stride)


def test_the_palette_of_voc():
    card = find("voc-fcn8s")
    assert [entry.name for entry in card.classes[:3]] == ["background", "aeroplane", "bicycle"]
    assert card.palette[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    assert [entry.colour for entry in card.classes] == [colour_of(label) for label in range(21)]
    assert colour_of(255) == (224, 224, 192)


@pytest.mark.parametrize(("label", "name"), [
    (0, "tench"), (207, "golden retriever"), (388, "giant panda"), (463, "bucket"), (817, "sports car"),
    (999, "toilet tissue")])
def test_the_classes_of_imagenet(label, name):
    assert find("vgg16").classes[label].name == name


def test_the_skeleton_joins_all_joints():
    card = find("pose-fcn32s")
    reached = {0}
    for _ in card.skeleton:
        reached |= {joint for bone in card.skeleton if reached & set(bone) for joint in bone}
    assert reached == set(range(14))


def test_defaults(make_card):
    card = make_card()
    assert card.input.mean == (1, 2, 3.5) and card.input.scale == 1 and card.input.resize == "none"
    assert card.inputs == (card.input,) and card.outputs == (card.output,)
    assert [entry.colour for entry in card.classes] == [(0, 0, 0), (128, 0, 0)], "the rule gives colours"
    assert card.weights_file is None and card.net_file == card.folder / "deploy.prototxt"


def test_classes_of_another_file(make_card, tmp_path):
    (tmp_path / "classes.toml").write_text('classes = [{ name = "a", colour = [1, 2, 3] }, "b"]')
    card = make_card(changes={'[{ name = "nothing" }, { name = "something" }]': '"../classes.toml"'})
    assert [(entry.name, entry.colour) for entry in card.classes] == [("a", (1, 2, 3)), ("b", (128, 0, 0))]


def test_classes_of_a_file_that_is_not_there(make_card):
    with pytest.raises(MissingFileError, match=r"nowhere\.toml"):
        make_card(changes={'[{ name = "nothing" }, { name = "something" }]': '"nowhere.toml"'})


def test_weights_beside_the_card_win_over_fetched_ones(make_card):
    card = make_card()
    card.home.mkdir(parents=True)
    (card.home / "tiny.caffemodel").write_bytes(b"")
    assert card.weights_file == card.home / "tiny.caffemodel"
    (card.folder / "tiny.caffemodel").write_bytes(b"")
    assert card.weights_file == card.folder / "tiny.caffemodel"


def test_the_cache_is_where_the_system_has_it(make_card, monkeypatch):
    card = make_card()
    assert card.home.parts[-2:] == ("home", "tiny")
    monkeypatch.delenv("CAFFE_FCN_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert card.home == Path("/cache/caffe_fcn/tiny")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert card.home == Path("/home/me/.cache/caffe_fcn/tiny")


def test_found_by_name_folder_or_file(make_card):
    card = make_card()
    assert find(str(card.folder)) == find(str(card.folder / "card.toml")) == card
    assert find("hed").folder == models_folder() / "hed"


def test_a_name_that_is_close():
    with pytest.raises(NetError, match=r"no net 'voc-fnc8s'.*did you mean 'voc-fcn8s'"):
        find("voc-fnc8s")


@pytest.mark.parametrize(("old", "new", "message"), [
    ('family = "fcn"', "", "the key 'family' is missing"),
    ('family = "fcn"', "famly = 1", "unknown key 'famly'; did you mean 'family'"),
    ('family = "fcn"', "family = 1", "family = 1 is not a string"),
    ("parameters = 56", "parameters = 5.5", "parameters = 5.5 is not a whole number"),
    ("parameters = 56", "parameters = true", "parameters = True is not a whole number"),
    ("gflops_500 = 0.03", "gflops_500 = nan", "gflops_500 = nan is not a number"),
    ('"segmentation"', '"segments"', "task_kind = 'segments' is none of segmentation, edges, pose"),
    ('name = "tiny"', 'name = "small"', "name = 'small' is not the name of the folder"),
    ("[input]", "[inputs]", "unknown key 'inputs'; did you mean 'input'"),
    ('[data]\nset = "made up"', "[[data]]", r"data = \[{}\] is not a table"),
    ('set = "made up"', "set = []", r"data.set = \[\] is not a string"),
    ("[1, 2, 3.5]", "[1, 2]", "input 'data': mean has 2 numbers for 3 channels"),
    ("[1, 2, 3.5]", '[1, "2", 3]', r"input.mean\[1\] = '2' is not a number"),
    ("[1, 2, 3.5]", "5", "input.mean = 5 is not an array"),
    ('[1, 3, "height", "width"]', '["height", "width"]', r"is not \[N, C, H, W\]"),
    ('channels = "BGR"', 'channels = "BGR"\nresize = "fit"', "resize = 'fit' is none of none, stretch, short_side"),
    ('channels = "BGR"', 'channels = "BGR"\nresize = "stretch"', "needs a resize rule"),
    ('channels = "BGR"', 'channels = "BGR"\ncrop = [3]', r"crop is \[height, width\]"),
    ('"nothing"', '"nothing", colour = [0, 0, 256]', r"classes\[0\].colour = \[0, 0, 256\] is not three numbers"),
    ('"nothing"', '"nothing", color = [0, 0, 0]', r"unknown key 'classes\[0\].color'; did you mean 'colour'"),
    ("[data]", "[scores.val]\nmean_iou = 0.5\n[data]", "scores.val.mean_iou: no number of this name"),
    ("[data]", '[scores.val]\nmean_iu = "good"\n[data]', "scores.val.mean_iu: no string of this name"),
    ("parameters = 56", "parameters = 56\nskeleton = [[0, 2]]", "skeleton has a joint that is not in classes"),
    ("parameters = 56", "parameters = 56\nskeleton = [[0, 1, 1]]", r"skeleton has \[0, 1, 1\], which is no pair"),
    ("parameters = 56", "parameters = 56\nignore_label = -1", "ignore_label = -1 is no value of a label picture"),
    ('[1, 3, "height", "width"]', '[1, 3, "heigth", "width"]', "'heigth', 'width'. is not .N, C, H, W. in numbers"),
    ('[1, 3, "height", "width"]', '[1, -3, "height", "width"]', r"shape = \[1, -3, .* is not \[N, C, H, W\]"),
    ('channels = "BGR"', 'channels = "BGR"\ncrop = [0, 2]', "size and crop are in pixels, 1 or more"),
    ('weights = "', 'weights_sha1 = "abc"\nweights = "', "files.weights_sha1 = 'abc' is not 40 hexadecimal digits"),
    ("[data]", "[scores.val]\nmean_iu = 65.5\n[data]", "scores.val.mean_iu = 65.5 is not a fraction"),
    ("parameters = 56", 'parameters = 56\nfolder = "/"', "unknown key 'folder'"),
    ("tiny.caffemodel", "../tiny.caffemodel", "files.weights = '../tiny.caffemodel' is not the plain name of a file"),
    ("parameters = 56", "parameters =", "not a TOML file"),
])
def test_a_card_that_is_wrong(make_card, old, new, message):
    with pytest.raises(PrototxtError, match=f"card.toml: .*{message}"):
        make_card(changes={old: new})


def test_without_a_card(tmp_path):
    with pytest.raises(MissingFileError):
        read_card(tmp_path / "card.toml")
