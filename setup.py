"""Packaging: the folder `caffe_fcn`, the alias `caffe`, which lives in `caffe_fcn/alias/caffe`, and `models`."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
ALIAS = "caffe_fcn/alias"
MODELS = "caffe_fcn_models"  # the import name of the folder `models`
MODEL_FILES = ("prototxt", "toml", "md", "py", "caffemodel", "binaryproto")
COMMANDS = {
    "caffe": "caffe",
    "caffe-fcn": "main",
    "compute_image_mean": "compute_image_mean",
    "convert_imageset": "convert_imageset",
    "extract_features": "extract_features",
    "upgrade_net_proto_binary": "upgrade_net_proto_binary",
    "upgrade_net_proto_text": "upgrade_net_proto_text",
    "upgrade_solver_proto_text": "upgrade_solver_proto_text",
}

EXTRAS = {
    "hdf5": ["h5py>=3.8"],
    "lmdb": ["lmdb>=1.4"],
    "leveldb": ["plyvel>=1.5; sys_platform != 'win32' and python_version < '3.13'"],  # no wheels for later ones
    "plot": ["matplotlib>=3.7"],
    "convert": ["onnx>=1.15", "onnxruntime>=1.17", "safetensors>=0.4"],
    "bench": ["torch>=2.1", "opencv-python-headless>=4.5,<5"],  # what tests of layers of forks compare with, too
    "gpu": ["cupy-cuda12x[ctk]>=14", "nvidia-cudnn-cu12>=9", "nvidia-cudnn-frontend>=1.9"],
    "gpu-cuda13": ["cupy-cuda13x[ctk]>=14", "nvidia-cudnn-cu13>=9", "nvidia-cudnn-frontend>=1.9"],
}
EXTRAS["test"] = [
    "pytest>=8",
    "ruff>=0.6",
    "mypy>=1.11",
    "grpcio-tools>=1.62",
    "scikit-learn>=1.3",
    "scipy-stubs; python_version >= '3.11'",
    "types-protobuf",
    *(need for extra in ("hdf5", "lmdb", "leveldb", "plot", "convert") for need in EXTRAS[extra]),
]
ALL = ("hdf5", "lmdb", "leveldb", "plot", "convert", "gpu")
EXTRAS["all"] = sorted({need for name in ALL for need in EXTRAS[name]})


def alias_packages() -> dict[str, str]:
    """The packages below the alias folder by their top-level import name, with the folder of each."""
    return {name: f"{ALIAS}/{name.replace('.', '/')}" for name in find_packages(str(ROOT / ALIAS))}


def model_packages() -> dict[str, str]:
    """The folder `models` and the packages in it by their import names; folders of nets are its data."""
    below = {f"{MODELS}.{name}": f"models/{name.replace('.', '/')}" for name in find_packages(str(ROOT / "models"))}
    return {MODELS: "models", **below}


def own_packages() -> list[str]:
    """`caffe_fcn`, what is below it, and `net_surgery`; the alias folder appears only under its top-level names."""
    return find_packages(
        str(ROOT), include=["caffe_fcn", "caffe_fcn.*", "net_surgery"], exclude=["caffe_fcn.alias", "caffe_fcn.alias.*"]
    )


setup(
    name="caffe_fcn",
    version="0.1.0",
    description="Runs, trains and edits Caffe's fully convolutional nets in Python, without Caffe",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="caffe_fcn contributors",
    license="BSD-2-Clause",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=[*own_packages(), *alias_packages(), *model_packages()],
    package_dir={**alias_packages(), **model_packages()},
    package_data={
        "caffe_fcn": ["py.typed", "proto/*.desc", "proto/*.pyi", "ops/gpu/kernels/*.cu"],
        "caffe": ["py.typed"],
        "net_surgery": ["py.typed"],
        MODELS: [f"*/*.{kind}" for kind in MODEL_FILES],
    },
    install_requires=[
        "numpy>=1.24",
        "protobuf>=4.25,<8",
        "pillow>=10.1",
        "scipy>=1.10",
        "numba>=0.59",
        "threadpoolctl>=3.1",
        "rich>=13",
        "fissix>=24.4",
        "tomli>=2; python_version < '3.11'",
    ],
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            f"{command}=caffe_fcn.cli.{module}:main"
            for command, module in COMMANDS.items()
            if (ROOT / "caffe_fcn" / "cli" / f"{module}.py").exists()
        ]
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
)
