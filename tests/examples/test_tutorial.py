"""The script of the FCN tutorial runs as it stands, in a folder that holds the files it names."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = """\
import numpy as np
from PIL import Image
import caffe

im = Image.open('pascal/VOC2010/JPEGImages/2007_000129.jpg')
in_ = np.array(im, dtype=np.float32)
in_ = in_[:,:,::-1]
in_ -= np.array((104.00698793,116.66876762,122.67891434))
in_ = in_.transpose((2,0,1))

net = caffe.Net('deploy.prototxt', 'fcn-32s-pascalcontext.caffemodel', caffe.TEST)
net.blobs['data'].reshape(1, *in_.shape)
net.blobs['data'].data[...] = in_
net.forward()
out = net.blobs['score'].data[0].argmax(axis=0)
"""

TINY = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 5 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "score_fr" type: "Convolution" bottom: "pool1" top: "score_fr"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "msra" } } }
layer { name: "upscore" type: "Deconvolution" bottom: "score_fr" top: "upscore"
  convolution_param { num_output: 4 group: 4 bias_term: false kernel_size: 4 stride: 2
    weight_filler { type: "bilinear" } } }
layer { name: "score" type: "Crop" bottom: "upscore" bottom: "data" top: "score" crop_param { axis: 2 offset: 1 } }
"""


def run_script(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Run the tutorial's script in `folder` and return its variables."""
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(compile(SCRIPT, "eval.py", "exec"), names)
    return names


def save_photo(pixels: np.ndarray, folder: Path) -> None:
    photo = folder / "pascal" / "VOC2010" / "JPEGImages" / "2007_000129.jpg"
    photo.parent.mkdir(parents=True)
    # a PNG under the name of a JPEG: Pillow goes by the content, and the pixels stay what they are
    Image.fromarray(pixels).save(photo, format="PNG")


def numpy_scores(data: np.ndarray, params: dict) -> np.ndarray:
    """TINY in plain array code: (3, H, W) with even H and W to (4, H, W)."""
    _, height, width = data.shape
    padded = np.pad(data, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # (3, H, W, 3, 3)
    hidden = np.einsum("chwij,ocij->ohw", windows, params["conv1"][0]) + params["conv1"][1][:, None, None]
    pooled = np.maximum(hidden, 0).reshape(5, height // 2, 2, width // 2, 2).max(axis=(2, 4))
    small = np.einsum("chw,oc->ohw", pooled, params["score_fr"][0][:, :, 0, 0])
    small += params["score_fr"][1][:, None, None]
    kernel = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25])
    large = np.zeros((4, height + 2, width + 2))
    for y in range(4):
        for x in range(4):
            large[:, y : y + height : 2, x : x + width : 2] += kernel[y, x] * small
    return large[:, 1 : height + 1, 1 : width + 1]


def test_tutorial_script_on_a_tiny_net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import caffe

    (tmp_path / "deploy.prototxt").write_text(TINY)
    made = caffe.Net(str(tmp_path / "deploy.prototxt"), caffe.TEST)
    params = {name: [np.float64(blob.data) for blob in blobs] for name, blobs in made.params.items()}
    made.save(str(tmp_path / "fcn-32s-pascalcontext.caffemodel"))
    pixels = np.random.default_rng(0).integers(0, 256, (18, 22, 3), dtype=np.uint8)
    save_photo(pixels, tmp_path)

    names = run_script(tmp_path, monkeypatch)

    expected = numpy_scores(np.float64(names["in_"]), params)
    scores = names["net"].blobs["score"].data[0]
    assert scores.shape == expected.shape == (4, 18, 22)
    assert np.abs(scores - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.array_equal(names["out"], scores.argmax(axis=0))


@pytest.mark.slow
def test_tutorial_script_gives_the_recorded_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path
) -> None:
    recorded = shared / "golden" / "e2e" / "fcn_slim"
    shutil.copy(recorded / "fcn8s_slim_deploy.prototxt", tmp_path / "deploy.prototxt")
    shutil.copy(recorded / "fcn8s_slim.caffemodel", tmp_path / "fcn-32s-pascalcontext.caffemodel")
    save_photo(np.load(recorded / "input.npz")["rgb_u8"], tmp_path)

    names = run_script(tmp_path, monkeypatch)

    golden = np.load(recorded / "fcn8s_slim_golden.npz")
    clear = golden["margin_f16"] > 1e-3
    assert np.array_equal(names["out"][clear], golden["argmax"][clear])
    scores = names["net"].blobs["score"].data[0, :, ::16, ::16]
    expected = golden["score_s16_f32"].reshape(scores.shape)
    assert np.abs(scores - expected).max() <= 1e-4 * np.abs(expected).max()
