"""What of a source each solver reads."""

import numpy as np
import pytest

import caffe
from caffe_fcn.data.records import Share
from caffe_fcn.parallel import rank


class Numbers:
    """The records 0 ... n - 1, again and again."""

    def __init__(self, n):
        self.n, self.next_one = n, 0

    def first(self):
        return self.next_one

    def next(self):
        self.next_one += 1
        return (self.next_one - 1) % self.n


@pytest.mark.parametrize(("number", "expected"), [(0, [0, 3, 1, 4, 2, 0]), (2, [2, 0, 3, 1, 4, 2])])
def test_each_takes_one_of_three_records(number, expected):
    share = Share(Numbers(5), number, 3)
    assert [share.next() for _ in expected] == expected


@pytest.fixture
def second_of_two(monkeypatch):
    """This process's solver is the second of two."""
    monkeypatch.setattr(rank, "_count", 2)
    monkeypatch.setattr(rank, "_rank", 1)


LAYERS = """
layer { name: 'data' type: 'HDF5Data' top: 'x' hdf5_data_param { source: 'list.txt' batch_size: 5 } }
layer { name: 'images' type: 'ImageData' top: 'i' top: 'label'
  image_data_param { source: 'images.txt' batch_size: 2 root_folder: './' } }
"""


@pytest.mark.parametrize(("phase", "step", "labels"), [(caffe.TRAIN, 2, [1, 3]), (caffe.TEST, 1, [0, 1])])
def test_layers_share_in_training_only(folder, second_of_two, phase, step, labels):
    from PIL import Image

    Image.new("RGB", (2, 2)).save("black.png")
    (folder / "images.txt").write_text("".join(f"black.png {i}\n" for i in range(4)))
    (folder / "two.prototxt").write_text(LAYERS)
    net = caffe.Net("two.prototxt", phase)
    whole = np.concatenate([_rows("a.h5"), _rows("b.h5")] * 2)
    for batch in range(2):
        net.forward()
        start = batch * 5 * step + step - 1
        np.testing.assert_array_equal(net.blobs["x"].data, whole[start:start + 5 * step:step].astype(np.float32))
        assert net.blobs["label"].data.tolist() == (labels if step == 2 or not batch else [2, 3])


def _rows(file):
    import h5py

    with h5py.File(file) as content:
        return content["x"][...]
