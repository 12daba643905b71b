"""Pictures of nets: what is in a box, that nothing overlaps, the formats, the command."""

from __future__ import annotations

import io
import itertools
import random
import shutil
import xml.etree.ElementTree as ET

import pytest
from fcn_nets import fcn
from PIL import Image

from caffe_fcn.cli import draw as command
from caffe_fcn.cli import main as cli
from caffe_fcn.errors import NetError, NotSupportedError
from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.proto.upgrade import read_net
from caffe_fcn.prototxt.draw import draw, net_picture
from caffe_fcn.prototxt.draw.graph import graph_of
from caffe_fcn.prototxt.draw.picture import SKIP
from caffe_fcn.prototxt.draw.png import flatten
from caffe_fcn.prototxt.shapes import net_shapes, parse_sizes

TRAIN, TEST = 0, 1
DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }'


def parse(words):
    return text.parse(words, caffe_pb2.NetParameter())


def layer(name, kind, bottoms, top=None, more=""):
    ends = " ".join([*(f'bottom: "{bottom}"' for bottom in bottoms), f'top: "{top or name}"'])
    return f'layer {{ name: "{name}" type: "{kind}" {ends} {more} }}\n'


def random_net(seed, count=30):
    """A net that joins what it likes; shapes stay 8 x 8."""
    dice = random.Random(seed)
    words, blobs = DATA, ["data"]
    for i in range(count):
        near = blobs[-4:]
        kind = dice.choice(["Convolution", "Convolution", "Pooling", "Eltwise", "Concat", "Crop", "ReLU"])
        bottoms = [dice.choice(near), dice.choice(blobs)] if kind in ("Concat", "Crop") else [dice.choice(near)]
        more = "convolution_param { num_output: 3 kernel_size: 3 pad: 1 }" if kind == "Convolution" else ""
        name = dice.choice([f"conv{i // 4}_{i}", f"x{i}", f"a_much_longer_name_of_a_layer_{i}"])
        words += layer(name, kind, bottoms, more="pooling_param { kernel_size: 1 }" if kind == "Pooling" else more)
        blobs.append(name)
    return parse(words)


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def frame(text):
    left = text.x - text.width if text.right else text.x
    return left, text.y - 0.75 * text.size, left + text.width, text.y + 0.2 * text.size


def check_picture(picture):
    """No two boxes or texts overlap, texts of boxes lie in one, and no line passes through a box or a label."""
    boxes = [(r.x, r.y, r.x + r.width, r.y + r.height) for r in picture.rects if r.stroke]
    texts = [(frame(t), t) for t in picture.texts if t.text]
    labels = [f for f, t in texts if t.role == "label"]
    for a, b in itertools.combinations(boxes + [f for f, t in texts if t.role != "box"], 2):
        assert not overlap(a, b)
    for (a, _), (b, _) in itertools.combinations(texts, 2):
        assert not overlap(a, b)
    for f, t in texts:
        assert f[0] >= 0 and f[2] <= picture.width and f[3] <= picture.height
        if t.role == "box":
            assert any(b[0] <= f[0] and f[2] <= b[2] and b[1] <= f[1] and f[3] <= b[3] for b in boxes)
    for curve in picture.curves:
        points = flatten(curve)
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            for t in (0.1, 0.5, 0.9):
                x, y = x0 + t * (x1 - x0), y0 + t * (y1 - y0)
                assert not any(b[0] + 0.1 < x < b[2] - 0.1 and b[1] + 0.1 < y < b[3] - 0.1 for b in boxes)
                assert not any(overlap((x, y, x, y), label) for label in labels)


@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("stride", [32, 16, 8])
def test_nothing_overlaps_in_fcn(stride, phase):
    picture = net_picture(net_shapes(fcn(stride, train=phase == TRAIN), phase))
    check_picture(picture)
    assert picture.height < 1.42 * max(picture.width, 1100)  # one page, still readable


def test_nothing_overlaps_in_hed(shared):
    check_picture(net_picture(net_shapes(read_net(shared / "weights/hed_deploy.prototxt"), TEST)))


@pytest.mark.parametrize("seed", range(20))
def test_nothing_overlaps_in_random_nets(seed):
    check_picture(net_picture(net_shapes(random_net(seed), TEST)))


def test_overlaps_are_found():
    picture = net_picture(net_shapes(fcn(32), TEST))
    moved = [r._replace(y=r.y + 60) if i == 0 else r for i, r in enumerate(picture.rects)]
    with pytest.raises(AssertionError):
        check_picture(picture._replace(rects=tuple(moved)))


def test_stages_are_boxes():
    graph = graph_of(net_shapes(fcn(8), TEST))
    titles = {box.title: [row.name for row in box.rows] for box in graph.boxes if box.title}
    assert list(titles) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6 to fc7"]
    assert titles["conv3"] == ["conv3_1", "conv3_2", "conv3_3", "pool3"]
    assert graph.boxes[1].rows[0].words == "Convolution 3x3, pad 100 + ReLU"
    assert [[row.name for row in box.rows] for box in graph.boxes[-3:]] == [
        ["fuse_pool4", "upscore_pool4"], ["score_pool3", "score_pool3c"], ["fuse_pool3", "upscore", "score"]]


def test_shapes_are_on_the_wires():
    shapes = {wire.blob.name: wire.blob.shape for wire in graph_of(net_shapes(fcn(8), TEST)).wires}
    assert shapes["pool3"] == "12x88x88" and shapes["data"] == "3x500x500" and shapes["score"] == "21x500x500"
    assert "conv1_1" not in shapes  # stays in its box


def test_skips_stand_out():
    skips = {curve.color for curve in net_picture(net_shapes(fcn(8), TEST)).curves}
    assert SKIP in skips
    assert SKIP not in {curve.color for curve in net_picture(net_shapes(fcn(32), TEST)).curves}


def test_a_row_inside_a_stage_is_read_from_its_side():
    words = DATA + layer("conv1_1", "Convolution", ["data"], more="convolution_param { num_output: 1 kernel_size: 1 }")
    words += layer("pool1", "Pooling", ["conv1_1"], more="pooling_param { kernel_size: 2 stride: 2 }")
    words += layer("conv2_1", "Convolution", ["pool1"], more="convolution_param { num_output: 1 kernel_size: 1 }")
    words += layer("side", "Convolution", ["conv1_1"], more="convolution_param { num_output: 1 kernel_size: 1 }")
    graph = graph_of(net_shapes(parse(words), TEST))
    assert [len(box.rows) for box in graph.boxes] == [1, 2, 1, 1]
    assert next(wire for wire in graph.wires if wire.blob.name == "conv1_1").blob.row == 0
    check_picture(net_picture(net_shapes(parse(words), TEST)))


def test_boxes_never_read_each_other_in_turn():
    conv = "convolution_param { num_output: 1 kernel_size: 1 }"
    words = DATA + layer("a", "Convolution", ["data"], more=conv) + layer("b", "Convolution", ["data"], more=conv)
    words += layer("a2", "Crop", ["a", "b"]) + layer("b2", "Crop", ["b", "a"])
    graph = graph_of(net_shapes(parse(words), TEST))
    for wire in graph.wires:
        assert all(end.box > wire.blob.box for end in wire.ends)


def test_missing_blobs_and_refused_layers_are_marked():
    words = DATA + layer("up", "ReLU", ["dada"]) + layer("bad", "Convolution", ["data"])
    rows = {row.name: row for box in graph_of(net_shapes(parse(words), TEST)).boxes for row in box.rows}
    assert rows["dada"].problem and rows["dada"].words == "no layer makes this blob"
    assert rows["bad"].problem and rows["bad"].words.endswith("(refused)")


def test_names_that_mean_something_to_the_formats():
    name = '<&"\n]]>{|};--\x01'
    net = parse(DATA + 'layer { name: "x" type: "ReLU" bottom: "data" top: "y" }')
    net.name = net.layer[1].name = net.layer[1].top[0] = name
    root = ET.fromstring(draw(net, "svg"))
    assert name.replace("\x01", "?").replace("\n", "?") in "".join(root.itertext())
    mermaid = draw(net, "mmd").decode().splitlines()
    assert len(mermaid) == 5 and mermaid[2].startswith('    b1["#60;#38;#34;?') and mermaid[2].count('"') == 2
    assert "&lt;&amp;&quot;" in draw(net, "dot").decode()


def test_svg():
    root = ET.fromstring(draw(fcn(8), "svg"))
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "fcn8s (TEST)" in texts and "pool3  12x88x88" in texts and "Crop offset 31" in texts


def test_png():
    picture = net_picture(net_shapes(fcn(32), TEST))
    image = Image.open(io.BytesIO(draw(fcn(32), "png", scale=1)))
    assert image.format == "PNG"
    assert image.size == pytest.approx((picture.width, picture.height), abs=1)
    assert len(image.getcolors(1 << 24)) > 50


def test_mermaid():
    lines = draw(fcn(8), "mmd").decode().splitlines()
    assert lines[0] == "flowchart TD"
    assert '    b3 -->|"pool3  12x88x88"| b10' in lines and '    b0 -.->|"data  3x500x500"| b11' in lines


def test_sizes_and_phases():
    assert "3x64x48" in draw(fcn(8), "mmd", sizes=parse_sizes(["64x48"])).decode()
    with pytest.raises(NetError, match="no layers in phase TRAIN"):
        draw(parse('layer { name: "a" type: "Input" top: "a" include { phase: TEST } }'), phase=TRAIN)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("format", ["svg", "pdf"])
def test_graphviz(format):
    data = draw(fcn(8), format, engine="graphviz")
    assert data.startswith(b"%PDF" if format == "pdf" else b"<?xml")


def test_without_graphviz(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert draw(fcn(32), "svg").startswith(b"<svg")
    with pytest.raises(NotSupportedError, match="Graphviz"):
        draw(fcn(32), "pdf")


def test_large_pngs_are_refused():
    with pytest.raises(NotSupportedError, match="too large"):
        draw(fcn(8), "png", scale=10)


def test_the_command(tmp_path, root):
    net = str(root / "models/camvid-fcn8s-small/deploy.prototxt")
    for ending, start in (("svg", b"<svg"), ("png", b"\x89PNG"), ("mmd", b"flowchart"), ("dot", b"digraph")):
        target = tmp_path / f"net.{ending}"
        assert command.main([net, str(target), "--size", "90x120"]) == 0
        assert target.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.prototxt", "x.svg"], "missing.prototxt"),
        (["NET", "x.svg", "--size", "9"], "is not a size"),
        (["NET", "nowhere/x.svg"], "nowhere/x.svg"),
    ],
)
def test_wrong_arguments_are_told(arguments, message, root, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = str(root / "models/camvid-fcn8s-small/deploy.prototxt")
    assert cli.main(["draw", *[net if a == "NET" else a for a in arguments]]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["NET", "x"], "no ending"),
        (["NET", "-"], "give --format"),
        (["NET", "x.svg", "--scale", "0"], "between"),
        (["NET", "x.svg", "--scale", "nan"], "between"),
    ],
)
def test_wrong_options(arguments, message, capsys):
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err
