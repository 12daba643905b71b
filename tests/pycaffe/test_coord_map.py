"""Coordinate maps, receptive fields and crop offsets."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe import layers as L
from caffe import params as P
from caffe.coord_map import coord_map_from_to, crop
from caffe_fcn.coord_map import CoordMaps, UndefinedMap
from caffe_fcn.proto import caffe_pb2, text


def vgg(n: caffe.NetSpec) -> caffe.NetSpec:
    """The VGG16 part of FCN, up to fc7."""
    n.data = L.Input(shape={"dim": [1, 3, 500, 500]})
    top, pad = n.data, 100
    for block, convs in enumerate((2, 2, 3, 3, 3), 1):
        for i in range(1, convs + 1):
            top = n[f"conv{block}_{i}"] = L.Convolution(top, kernel_size=3, pad=pad, num_output=1)
            top = n[f"relu{block}_{i}"] = L.ReLU(top, in_place=True)
            pad = 1
        top = n[f"pool{block}"] = L.Pooling(top, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    n.fc6 = L.Convolution(top, kernel_size=7, num_output=1)
    n.fc7 = L.Convolution(L.Dropout(n.fc6, in_place=True), kernel_size=1, num_output=1)
    return n


def up(bottom: caffe.Net, kernel: int, stride: int) -> caffe.Net:
    return L.Deconvolution(bottom, convolution_param={"num_output": 1, "kernel_size": kernel, "stride": stride})


def test_offsets_of_fcn_8s() -> None:
    n = vgg(caffe.NetSpec())
    n.up2 = up(n.fc7, 4, 2)
    n.score4 = L.Convolution(n.pool4, kernel_size=1, num_output=1)
    n.crop4 = crop(n.score4, n.up2)
    n.fuse4 = L.Eltwise(n.up2, n.crop4)
    n.up4 = up(n.fuse4, 4, 2)
    n.crop3 = crop(L.Convolution(n.pool3, kernel_size=1, num_output=1), n.up4)
    n.up8 = up(L.Eltwise(n.up4, n.crop3), 16, 8)
    n.score = crop(n.up8, n.data)
    offsets = {layer.name: list(layer.crop_param.offset) for layer in n.to_proto().layer if layer.type == "Crop"}
    assert offsets == {"crop4": [5], "crop3": [9], "score": [31]}
    assert CoordMaps(n).crop_offsets("up8", "data") == (31,)


@pytest.mark.parametrize(("blob", "size", "stride"), [
    ("conv1_1", 3, 1), ("pool1", 6, 2), ("pool3", 44, 8), ("pool5", 212, 32), ("fc6", 404, 32), ("fc7", 404, 32),
])
def test_receptive_fields_of_vgg(blob: str, size: int, stride: int) -> None:
    field = CoordMaps(vgg(caffe.NetSpec())).receptive_field(blob, "data")
    assert field.size == (size,)
    assert field.stride == (stride,)


def net(*layers: str) -> caffe_pb2.NetParameter:
    lines = ['layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 1, 80, 72] } } }']
    for i, layer in enumerate(layers):
        bottom = "data" if i == 0 else f"b{i - 1}"
        lines.append(f'layer {{ name: "l{i}" bottom: "{bottom}" top: "b{i}" {layer} }}')
    return text.parse("\n".join(lines), caffe_pb2.NetParameter())


CONV, POOL = 'type: "Convolution" convolution_param { num_output: 1', 'type: "Pooling" pooling_param { pool: AVE'
DECONV = 'type: "Deconvolution" convolution_param { num_output: 1'
CHAINS = {
    "plain": [f"{CONV} kernel_size: 3 }}"],
    "dilated": [f"{CONV} kernel_size: 3 dilation: 4 pad: 2 }}"],
    "rectangular": [f"{CONV} kernel_h: 5 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0 }}"],
    "lists": [f"{CONV} kernel_size: [3, 5] stride: [1, 3] pad: [0, 2] dilation: [2, 1] }}"],
    "pooled": [f"{CONV} kernel_size: 5 stride: 2 pad: 2 }}", f"{POOL} kernel_size: 3 stride: 2 }}",
               f"{CONV} kernel_size: 3 }}"],
    "up": [f"{POOL} kernel_size: 2 stride: 2 }}", f"{DECONV} kernel_size: 4 stride: 2 pad: 1 }}"],
    "up odd": [f"{CONV} kernel_size: 3 stride: 2 }}", f"{DECONV} kernel_size: 5 stride: 3 }}",
               f"{CONV} kernel_size: 2 stride: 2 }}"],
    "cropped": [f"{CONV} kernel_size: 3 }}", 'type: "Crop" bottom: "data" crop_param { axis: 2 offset: 0 }'],
    "repeated": [f"{POOL} kernel_size: 3 stride: 3 }}", 'type: "Upsample" upsample_param { scale: 2 }'],
    "interp": [f"{POOL} kernel_size: 2 stride: 2 }}",
               'type: "Interp" interp_param { shrink_factor: 1 zoom_factor: 4 }'],
}
CHAINS["cropped"][1] = f"{CONV} kernel_size: 1 }}"


@pytest.mark.parametrize("name", CHAINS)
def test_receptive_field_is_where_gradients_come_from(name: str) -> None:
    """The measured field: pixels of data that a gradient of 1 at one pixel of the last blob reaches."""
    description = net(*CHAINS[name])
    description.force_backward = True
    for layer in description.layer:
        if layer.type in ("Convolution", "Deconvolution"):
            layer.convolution_param.weight_filler.type = "constant"
            layer.convolution_param.weight_filler.value = 1
    last = description.layer[-1].top[0]
    engine = caffe.Net(description, caffe.TEST)
    engine.forward()
    field = CoordMaps(description).receptive_field(last, "data")
    two = [values * (1 if len(values) > 1 else 2) for values in field]
    upsamples = any(layer.type in ("Deconvolution", "Upsample", "Interp") for layer in description.layer)
    largest_stride = 3  # of the layers below the upsampling ones: windows differ by less than one of their pixels
    largest = [0, 0]
    rows, columns = engine.blobs[last].shape[2:]
    for y in range(rows // 2, rows // 2 + 6):
        for x in range(columns // 2, columns // 2 + 6):
            engine.blobs[last].diff[...] = 0
            engine.blobs[last].diff[0, 0, y, x] = 1
            engine.backward()
            seen = np.nonzero(engine.blobs["data"].diff[0, 0])
            for axis, place in enumerate((y, x)):
                first, span = seen[axis].min(), np.ptp(seen[axis]) + 1
                largest[axis] = max(largest[axis], span)
                centre = place * two[1][axis] + two[2][axis] + Fraction(two[0][axis] - 1, 2)
                off = abs(first + Fraction(int(span) - 1, 2) - centre)
                assert off <= (largest_stride if upsamples else 0)
    assert tuple(largest) == two[0]


def test_maps_of_rectangles_and_inverse() -> None:
    maps = CoordMaps(net(f"{CONV} kernel_size: [5, 3] stride: [2, 1] pad: [3, 4] }}"))
    found = maps.between("b0", "data")
    assert (found.scale, found.shift) == ((2, 1), (-1, -3))
    back = maps.between("data", "b0")
    assert back.after(found).scale == (1, 1)
    assert back.after(found).shift == (0, 0)
    assert back.scale == (Fraction(1, 2), 1)


def test_a_crop_moves_coordinates() -> None:
    n = caffe.NetSpec()
    n.data = L.Input(shape={"dim": [1, 1, 40, 40]})
    n.conv = L.Convolution(n.data, kernel_size=3, pad=9, num_output=1)
    n.cut = L.Crop(n.conv, n.data, axis=2, offset=[4, 6])
    assert CoordMaps(n).between("cut", "data").shift == (-4, -2)
    assert CoordMaps(n).between("cut", "conv").shift == (4, 6)


def test_explanation_has_a_line_for_each_layer() -> None:
    maps = CoordMaps(net(f"{CONV} kernel_size: 3 pad: 9 stride: 2 }}", 'type: "ReLU"',
                         f"{DECONV} kernel_size: 4 stride: 2 }}"))
    assert maps.explain("b2", "data").splitlines() == [
        "coordinates of 'b2' in 'data':",
        "  back through Deconvolution 'l2' (window 4, stride 2, pad 0) to 'b1': b1 = 0.5 x - 0.75",
        "  back through ReLU 'l1' to 'b0': b0 = 0.5 x - 0.75",
        "  back through Convolution 'l0' (window 3, stride 2, pad 9) to 'data': data = x - 9.5",
        "together: data = x - 9.5, x being the coordinate in 'b2'",
    ]


def test_two_branches_meet() -> None:
    n = caffe.NetSpec()
    n.data = L.Input(shape={"dim": [1, 1, 40, 40]})
    n.a = L.Convolution(n.data, kernel_size=3, num_output=1)
    n.b = L.Convolution(n.data, kernel_size=5, num_output=1)
    maps = CoordMaps(n)
    assert maps.between("a", "b").shift == (-1,)
    assert "'data' is where both come from" in maps.explain("a", "b")
    with pytest.raises(UndefinedMap, match="'a' is not made from 'b'"):
        maps.receptive_field("a", "b")


ERRORS = [
    (f"{CONV} kernel_size: 3 stride: 2 }}", "the scales differ"),
    (f"{CONV} kernel_size: 3 }}", "the offset would be negative"),
    (f"{CONV} kernel_size: 4 pad: 9 }}", "no whole number"),
    ('type: "InnerProduct" inner_product_param { num_output: 3 }', "no layers that keep coordinates connect"),
    ('type: "Pooling" pooling_param { global_pooling: true }', "no layers that keep coordinates connect"),
]


@pytest.mark.parametrize(("layer", "message"), ERRORS)
def test_crop_that_cannot_be(layer: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CoordMaps(net(layer)).crop_offsets("b0", "data")


def test_unknown_blob_gets_a_hint() -> None:
    with pytest.raises(KeyError, match="no blob 'dat'; did you mean 'data'"):
        CoordMaps(net(f"{CONV} kernel_size: 3 }}")).between("b0", "dat")


def test_of_a_net_and_of_a_file(tmp_path: Path) -> None:
    description = net(f"{CONV} kernel_size: 3 pad: 4 }}")
    file = tmp_path / "net.prototxt"
    file.write_text(str(description))
    for source in (description, file, caffe.Net(str(file), caffe.TEST)):
        assert CoordMaps(source).crop_offsets("b0", "data") == (3,)


def test_original_interface_gives_arrays_and_refuses_legacy_fields() -> None:
    n = caffe.NetSpec()
    n.data = L.Input(shape={"dim": [1, 1, 40, 40]})
    n.a = L.Convolution(n.data, kernel_size=3, pad=4, num_output=1)
    n.b = L.Convolution(n.data, kernel_h=3, kernel_w=3, num_output=1)
    axis, scale, shift = coord_map_from_to(n.a, n.data)
    assert (axis, scale.tolist(), shift.tolist()) == (1, [1.0], [-3.0])
    with pytest.raises(AssertionError, match="fields that end in _h and _w"):
        caffe.coord_map.coord_map(n.b.fn)
    assert caffe.coord_map.inverse((1, 2.0, 3.0)) == (1, 0.5, -1.5)
    assert caffe.coord_map.compose((1, 2.0, 3.0), (None, 4.0, 5.0)) == (1, 8.0, 13.0)
    with pytest.raises(caffe.coord_map.AxisMismatchException):
        caffe.coord_map.compose((1, 2.0, 3.0), (2, 4.0, 5.0))


def test_alias_modules_are_the_same_objects() -> None:
    code = ("import caffe, sys; assert 'caffe_fcn.net' not in sys.modules and 'scipy' not in sys.modules\n"
            "import caffe.coord_map, caffe.io, caffe.draw, caffe.pycaffe, caffe.net_spec, caffe._caffe\n"
            "import caffe.proto.caffe_pb2\n"
            "from caffe_fcn.pycaffe import coord_map, io\n"
            "assert caffe.coord_map is coord_map and caffe.io is io and sys.modules['caffe.io'] is io\n"
            "from caffe.classifier import Classifier; assert Classifier is caffe.Classifier\n"
            "assert caffe.layers is caffe.net_spec.layers")
    subprocess.run([sys.executable, "-c", code], check=True)
