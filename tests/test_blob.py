"""Blobs and their synced memory."""

import numpy as np
import pytest

from caffe_fcn import mode
from caffe_fcn.blob import Blob, BlobVec
from caffe_fcn.errors import BlobMemoryError, ShapeError
from caffe_fcn.memory import Head


class StandIn:
    """A device whose arrays are NumPy arrays; it counts copies."""

    def __init__(self):
        self.uploads = self.downloads = 0

    def make_current(self):
        pass

    def zeros(self, count, dtype):
        return np.zeros(count, dtype)

    def upload(self, host, device):
        self.uploads += 1
        device[...] = host

    def download(self, device, host):
        self.downloads += 1
        host[...] = device


@pytest.fixture
def device(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setattr(mode, "_device", stand_in)
    return stand_in


def test_nothing_is_allocated_before_the_first_access():
    blob = Blob((100_000, 100_000))
    assert blob.count == 10**10
    assert all(memory.head is Head.NONE for memory in blob.memories)


def test_diff_is_allocated_apart_from_data():
    blob = Blob((2, 3))
    blob.data[...] = 1
    assert blob.memories[0].head is Head.HOST
    assert blob.memories[1].head is Head.NONE
    assert not blob.diff.any()


def test_too_large_a_blob_says_how_much_is_needed():
    with pytest.raises(BlobMemoryError, match=r"37252\.9 GiB are needed"):
        _ = Blob((100_000, 100_000, 1000)).data


def test_shrinking_and_growing_back_keeps_the_memory():
    blob = Blob((2, 3))
    blob.data[...] = np.arange(6).reshape(2, 3)
    view = blob.data
    blob.reshape(1, 2)
    assert blob.data.tolist() == [[0, 1]]
    blob.reshape(3, 2)
    assert blob.data.tolist() == [[0, 1], [2, 3], [4, 5]]
    view[0, 0] = 9
    assert blob.data[0, 0] == 9


def test_growing_gives_zeros_and_leaves_old_views_alone():
    blob = Blob((2,))
    view = blob.data
    view[...] = 7
    blob.reshape(3)
    assert blob.data.tolist() == [0, 0, 0]
    assert view.tolist() == [7, 7]


def test_no_axes_means_one_element():
    blob = Blob()
    assert (blob.shape, blob.count, blob.data.shape) == ((), 1, ())


@pytest.mark.parametrize("shape", [(-1,), (1.5,), ("a",), ([1, 2],)])
def test_bad_shapes_are_refused(shape):
    with pytest.raises((ShapeError, TypeError)):
        Blob().reshape(*shape)


def test_legacy_axes():
    blob = Blob((2, 3))
    assert (blob.num, blob.channels, blob.height, blob.width) == (2, 3, 1, 1)
    with pytest.raises(ShapeError, match="at most 4 axes"):
        _ = Blob((1, 1, 1, 1, 1)).num


def test_parameters_are_replaced_by_blobs_only():
    blobs = BlobVec([Blob((2,)), Blob((1,))])
    for index, value in ((0, np.ones(2)), (slice(0, 2), [Blob((2,)), 3])):
        with pytest.raises(TypeError, match=r"data\[\.\.\.\] = values"):
            blobs[index] = value
    other = blobs[0] = Blob((3,))
    assert blobs == [other, blobs[1]]
    blobs[:] = [other]
    assert blobs == [other]


def test_sharing_data_keeps_diffs_apart():
    a, b = Blob((2, 3)), Blob((6,))
    b.share_data(a)
    a.data[...] = 5
    a.diff[...] = 1
    assert b.data.tolist() == [5] * 6
    assert not b.diff.any()
    with pytest.raises(ShapeError, match="6 and 4 elements"):
        a.share_data(Blob((4,)))


def test_a_blob_that_outgrows_shared_memory_leaves_it():
    a, b = Blob((2,)), Blob((2,))
    b.share_data(a)
    b.share_diff(a)
    a.data[...], a.diff[...] = 5, 6
    b.reshape(3)
    assert (a.data.tolist(), a.diff.tolist()) == ([5, 5], [6, 6])
    assert not b.data.any() and not b.diff.any()
    b.data[...] = 1
    assert a.data.tolist() == [5, 5]


def test_values_move_only_when_the_other_side_asks(device):
    blob = Blob((3,))
    memory = blob.memories[0]
    blob.data[...] = [1, 2, 3]
    on_device = blob.array
    assert (device.uploads, memory.head) == (1, Head.DEVICE)
    on_device += 1
    _ = blob.array
    assert (device.uploads, device.downloads) == (1, 0)
    assert memory.peek().tolist() == [2, 3, 4]
    assert (device.downloads, memory.head) == (1, Head.SYNCED)
    _ = blob.array
    assert (device.uploads, memory.head) == (1, Head.DEVICE)
    assert blob.data.tolist() == [2, 3, 4]
    assert (device.downloads, memory.head) == (2, Head.HOST)


def test_fresh_device_memory_needs_no_copy(device):
    blob = Blob((3,))
    assert blob.array.tolist() == [0, 0, 0]
    assert (device.uploads, device.downloads) == (0, 0)


def test_another_device_gets_the_values_over_the_host(device, monkeypatch):
    blob = Blob((2,))
    blob.array[...] = 4
    other = StandIn()
    monkeypatch.setattr(mode, "_device", other)
    assert blob.array.tolist() == [4, 4]
    assert (device.downloads, other.uploads) == (1, 1)
