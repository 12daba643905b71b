"""The engines to compare: each builder loads a net from files and returns its forward pass.

A pass returns the net's only output, float32, as (1, ...). Peers get what makes them fastest without a loss of
precision: PyTorch the layout `channels_last`, OpenVINO float32 instead of the bfloat16 that it may take by itself.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

Forward = Callable[[], np.ndarray]


class Files(NamedTuple):
    """One net, its weights and its image for every engine."""

    prototxt: Path
    caffemodel: Path
    onnx: Path
    torch: Path  # the module's source, weights beside it
    image: np.ndarray


def make_files(prototxt: Path, caffemodel: Path, image: np.ndarray) -> Files:
    """Convert the net for the peers, into the same folder."""
    from caffe_fcn.convert import convert

    files = Files(prototxt, caffemodel, prototxt.with_suffix(".onnx"), prototxt.with_name("net_torch.py"), image)
    for out in (files.onnx, files.torch):
        convert(prototxt, caffemodel, out, check=False)  # the outputs are compared before anything is timed
    return files


def caffe_fcn(files: Files, threads: int) -> Forward:
    """This package."""
    import caffe

    net = caffe.Net(str(files.prototxt), str(files.caffemodel), caffe.TEST)
    net.blobs["data"].data[...] = files.image
    output = net.outputs[0]
    return lambda: net.forward()[output]


def torch(files: Files, threads: int) -> Forward:
    """PyTorch, eager."""
    import torch

    torch.set_num_threads(threads)
    spec = importlib.util.spec_from_file_location("net_torch", files.torch)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.load(files.torch.with_suffix(".safetensors")).to(memory_format=torch.channels_last)
    image = torch.from_numpy(files.image).to(memory_format=torch.channels_last)

    def forward() -> np.ndarray:
        with torch.inference_mode():
            return next(iter(net(image).values())).contiguous().numpy()

    return forward


def onnxruntime(files: Files, threads: int) -> Forward:
    """ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(files.onnx), options, providers=["CPUExecutionProvider"])
    inputs = {session.get_inputs()[0].name: files.image}
    return lambda: session.run(None, inputs)[0]


def openvino(files: Files, threads: int) -> Forward:
    """OpenVINO."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Core().read_model(files.onnx)
    model.reshape(files.image.shape)
    request = openvino.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: np.array(request.infer([files.image])[0])


def opencv(files: Files, threads: int) -> Forward:
    """OpenCV 4's own reader of Caffe's files."""
    import cv2

    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromCaffe(str(files.prototxt), str(files.caffemodel))

    def forward() -> np.ndarray:
        net.setInput(files.image)
        return net.forward()

    return forward


ENGINES = {engine.__name__: engine for engine in (caffe_fcn, openvino, onnxruntime, opencv, torch)}
