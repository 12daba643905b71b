"""The page about a net: derivations, padding, scale of the loss, findings; the command."""

from __future__ import annotations

import math
from html.parser import HTMLParser

import pytest
from fcn_nets import fcn

import caffe_fcn
from caffe_fcn.cli import main as cli
from caffe_fcn.coord_map import CoordMaps
from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.upgrade import read_net
from caffe_fcn.prototxt.explain import State, crop_offsets, explain, losses, paddings, square_sides
from caffe_fcn.prototxt.explain.losses import other_losses
from caffe_fcn.prototxt.shapes import net_shapes, parse_sizes

TRAIN, TEST = 0, 1
SCORES = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 dim: 4 dim: 3 } } }
layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 2 dim: 1 dim: 4 dim: 3 } } }
layer { name: "z" type: "Input" top: "z" input_param { shape { dim: 2 dim: 5 dim: 4 dim: 3 } } }
"""
VOID = {"meta"}


class Page(HTMLParser):
    """Checks that every element is closed, and collects the text."""

    def __init__(self, page):
        super().__init__()
        self.open, self.words = [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        assert not any(name in ("src", "href") for name, _ in attrs)  # it stands alone

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "\n".join(self.words)


def parse(words):
    return text.parse(words, caffe_pb2.NetParameter())


@pytest.fixture
def written(tmp_path):
    """A function that writes a net and returns its path."""

    def write(net):
        path = tmp_path / "net.prototxt"
        path.write_text(to_text(net) if not isinstance(net, str) else net)
        return path

    return write


@pytest.mark.parametrize(("stride", "offsets"), [(32, [19]), (16, [5, 27]), (8, [5, 9, 31])])
def test_crop_offsets(stride, offsets):
    net = fcn(stride)
    found = crop_offsets(net_shapes(net, TEST), CoordMaps(net))
    assert [crop.derived for crop in found] == [(offset,) for offset in offsets]
    assert all(crop.agrees for crop in found)
    assert found[-1].steps.endswith(f"together: data = x - {offsets[-1]}, x being the coordinate in 'upscore'")


def test_a_wrong_crop_offset_is_told(written):
    net = fcn(32)
    next(layer for layer in net.layer if layer.type == "Crop").crop_param.offset[0] = 18
    assert "The offset that follows is 19, but the file says 18." in Page(explain(written(net))).text


def test_a_crop_without_an_offset_is_told(written):
    net = fcn(32)
    next(layer for layer in net.layer if layer.name == "conv1_1").convolution_param.pad[0] = 1
    words = Page(explain(written(net))).text
    assert "No offset follows" in words and "the offset would be negative" in words


def test_lint_does_not_call_a_padding_needless_that_crops_need(written):
    assert "padding-not-needed" not in Page(explain(written(fcn(32)))).text


def test_why_pad_100():
    net = fcn(32)
    (found,) = paddings(net, net_shapes(net, TEST), State())
    assert (found.layer, found.pad, found.usual, found.grows) == ("conv1_1", 100, 1, 198)
    assert found.shrinking == (("fc6", 6, 32.0),)
    assert found.uncovered == (("score", 80.0),)  # 100 - 1 more than the offset of 19
    assert found.sides.smallest == 1 and found.bare_sides.smallest is None
    assert (found.enough, found.needed) == (81, 97)


@pytest.mark.parametrize(("pad", "runs"), [(97, True), (96, False)])
def test_the_pad_that_is_needed_is_the_net_s(pad, runs):
    """A net with the smallest pad runs for one pixel, with one less it does not: asked of the net itself."""
    net = fcn(32, size=1)
    layers = {layer.name: layer for layer in net.layer}
    layers["conv1_1"].convolution_param.pad[0] = pad
    layers["score"].crop_param.offset[0] = pad - 81
    if runs:
        assert caffe_fcn.Net(net, TEST).blobs["score"].shape == (1, 21, 1, 1)
    else:
        with pytest.raises(caffe_fcn.errors.CaffeFcnError):
            caffe_fcn.Net(net, TEST).forward()


@pytest.mark.parametrize(
    ("layers", "sides"),
    [
        ("kernel_size: 7", "runs for square inputs from 7x7 pixels on"),
        ("kernel_size: 7 pad: 3", "runs for square inputs from 1x1 pixels on"),
    ],
)
def test_square_sides(layers, sides):
    param = f"convolution_param {{ {layers} num_output: 1 }}"
    words = SCORES + f'layer {{ name: "c" type: "Convolution" bottom: "x" top: "c" {param} }}'
    assert str(square_sides(parse(words), State())) == sides


def test_sizes_that_must_divide():
    words = SCORES + """
    layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { kernel_size: 4 stride: 4 } }
    layer { name: "d" type: "Deconvolution" bottom: "p" top: "d"
      convolution_param { num_output: 5 kernel_size: 4 stride: 4 } }
    layer { name: "s" type: "Eltwise" bottom: "d" bottom: "x" top: "s" }"""
    assert str(square_sides(parse(words), State())) == "runs for inputs of some sizes only"


@pytest.mark.parametrize(
    ("kind", "bottoms", "more", "expected"),
    [
        ("SoftmaxWithLoss", "xy", "", ("VALID", 24, 24, math.log(5))),
        ("SoftmaxWithLoss", "xy", "loss_param { normalize: false }", ("BATCH_SIZE", 24, 2, 12 * math.log(5))),
        ("SoftmaxWithLoss", "xy", "loss_param { normalization: NONE }", ("NONE", 24, 1, 24 * math.log(5))),
        ("SigmoidCrossEntropyLoss", "xz", "", ("BATCH_SIZE", 120, 2, 60 * math.log(2))),
        ("SigmoidCrossEntropyLoss", "xz", "loss_param { normalization: FULL }", ("FULL", 120, 120, math.log(2))),
        ("EuclideanLoss", "xz", "", ("", 120, 4, None)),
    ],
)
def test_loss_scale_is_the_net_s(kind, bottoms, more, expected):
    """The value that is announced for equal scores is what the layer gives for them."""
    ends = " ".join(f'bottom: "{name}"' for name in bottoms)
    net = parse(SCORES + f'layer {{ name: "loss" type: "{kind}" {ends} top: "loss" {more} }}')
    (found,) = losses(net_shapes(net, TRAIN))
    assert (found.mode, found.predictions, found.divisor) == expected[:3]
    built = caffe_fcn.Net(net, TRAIN)
    if expected[3] is None:
        built.blobs["x"].data[...] = 1
        assert built.forward()["loss"] == pytest.approx(found.predictions / found.divisor)
    else:
        assert found.start == pytest.approx(expected[3])
        assert built.forward()["loss"] == pytest.approx(found.start, rel=1e-5)


def test_other_losses_are_named(written):
    words = SCORES + 'layer { name: "l" type: "HingeLoss" bottom: "x" bottom: "y" top: "l" }'
    words += 'layer { name: "r" type: "Reduction" bottom: "x" top: "r" loss_weight: 2 }'
    assert other_losses(net_shapes(parse(words), TRAIN)) == ["l", "r"]


def test_the_page(written):
    page = Page(explain(written(fcn(8, train=True)), TRAIN))
    for words in ("fcn8s", "Why pad 100 in conv1_1", "The offset that follows is 31", "761,131",
                  "a learning rate of 1e-10 here moves the weights as 2.5e-05 would", "deconv-zero", "12x88x88"):
        assert words in page.text
    assert "<svg" in explain(written(fcn(8)))


def test_names_are_escaped(written):
    net = fcn(32)
    net.name = '<script>"&'
    page = explain(written(net))
    assert "<script" not in page and '<script>"&' in Page(page).text


def test_hed(shared):
    words = Page(explain(shared / "weights/hed_deploy.prototxt")).text
    for offset in (0, 1, 2, 4, 8):
        assert f"The offset that follows is {offset}, as in the file." in words


def test_models_agree_with_their_crops(root):
    net = read_net(root / "models/camvid-fcn8s-small/train.prototxt")
    shapes = net_shapes(net, TRAIN, parse_sizes(["96x128"]))
    assert all(crop.agrees for crop in crop_offsets(shapes, CoordMaps(net, TRAIN)))


def test_the_command(written, tmp_path, capsys):
    net = written(fcn(32))
    assert cli.main(["explain", str(net), str(tmp_path / "page.html"), "--size", "64x64"]) == 0
    assert "data 1x3x64x64" in Page((tmp_path / "page.html").read_text()).text
    net.write_text("layer { name: 3 }")
    assert cli.main(["explain", str(net), str(tmp_path / "bad.html")]) == 2
    assert "net.prototxt:1" in capsys.readouterr().err and not (tmp_path / "bad.html").exists()
    assert cli.main(["explain", str(tmp_path / "missing"), "-"]) == 2
