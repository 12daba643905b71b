"""Memory on a GPU: copies, their counts, arrays for other libraries, a full card."""

import numpy as np
import pytest
from standin.cuda import pool

import caffe
import caffe_fcn
from caffe_fcn import mode, stats
from caffe_fcn.blob import Blob
from caffe_fcn.errors import BlobMemoryError, NotSupportedError
from caffe_fcn.gpu import device as device_module
from caffe_fcn.memory import Memory


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("chunk", [8, 24, 1 << 20])
def test_copies_in_chunks_are_exact(chunk, dtype, any_gpu, monkeypatch):
    monkeypatch.setattr(device_module, "CHUNK", chunk)
    values = np.arange(35, dtype=dtype).reshape(5, 7)
    blob = Blob((5, 7), dtype)
    blob.data[...] = values
    array = blob.array
    np.testing.assert_array_equal(array.get(), values)
    blob.data[...] = 0  # the upload has its own copy
    blob.array[...] = blob.array + any_gpu.asarray(values)
    np.testing.assert_array_equal(blob.data, values)


def test_empty_blobs(any_gpu):
    blob = Blob((0, 3))
    assert blob.array.shape == (0, 3)
    assert blob.data.shape == (0, 3)


def test_copies_are_counted_with_the_lines_that_asked(any_gpu):
    blob = Blob((2, 3))
    blob.data[...] = 1
    before = stats.counters().get("uploads", 0)
    with caffe_fcn.stats.watch(places=True) as seen:
        for _ in range(3):
            blob.array[...] += 1  # here
            blob.data.sum()  # and here
            blob.data.sum()
    assert (seen["uploads"], seen["downloads"], seen["downloaded bytes"]) == (3, 3, 72)
    assert stats.counters()["uploads"] == before + 3
    lines = {name: int(place.rpartition(":")[2]) for name, place in seen.places}
    assert lines["downloads"] == lines["uploads"] + 1
    assert all(place.startswith("test_device.py:") for _, place in seen.places)


@pytest.mark.parametrize("count", [3, 1 << 19])  # the larger one has pages of its own
def test_views_that_users_have_are_noticed(count, any_gpu):
    memory, blob = Memory(count, np.dtype(np.float32)), Blob((count,))
    assert not memory.is_held()
    memory.host()
    assert not memory.is_held()
    view = blob.data[1:].reshape(-1)
    assert blob.memories[0].is_held()
    blob.array[...] = 1
    assert blob.memories[0].is_held()
    del view
    assert not blob.memories[0].is_held()


def test_watches_end(gpu):
    with stats.watch() as seen:
        pass
    stats.count("plans")
    assert not seen


def test_device_arrays_are_the_blob_s_own_memory(any_gpu):
    blob = Blob((2, 3))
    blob.data_gpu[...] = 4
    blob.diff_gpu[1] = 5
    assert (blob.data == 4).all()
    assert blob.diff.sum() == 15


def test_arrays_of_other_libraries_without_a_copy(any_gpu):
    blob = Blob((2, 3))
    theirs = any_gpu.from_dlpack(blob)  # as torch.from_dlpack(blob)
    theirs[...] = 7
    assert blob.__dlpack_device__() == (2, 0)
    assert blob.__cuda_array_interface__["shape"] == (2, 3)
    assert (blob.data == 7).all()
    blob.data_gpu[...] = any_gpu.from_dlpack(any_gpu.ones((2, 3), np.float32))
    assert (blob.data == 1).all()


def test_there_are_no_device_arrays_in_cpu_mode():
    blob = Blob((2, 3))
    for name in ("data", "diff"):
        with pytest.raises(NotSupportedError, match=rf"'{name}_gpu' is an array on a GPU.*set_mode_gpu.*'{name}'"):
            getattr(blob, f"{name}_gpu")
    assert not hasattr(blob, "__cuda_array_interface__")
    np.from_dlpack(blob)[...] = 2
    assert (blob.data == 2).all()


def test_a_full_card_says_what_was_needed_and_free(gpu):
    kept = Blob((1 << 18,))
    kept.array[...] = 1
    pool.set_limit(pool.used_bytes() + (1 << 20))
    with pytest.raises(BlobMemoryError, match=r"blob of shape \(4194304,\): 16\.0 MiB are needed, 1\.0 MiB are free on "
                                              r"GPU 0 \(Stand-in\); use a smaller shape"):
        _ = Blob((1 << 22,)).array
    assert (kept.data == 1).all()


def test_random_numbers_repeat_after_a_seed(any_gpu):
    from caffe_fcn import ops

    draws = []
    for _ in range(2):
        caffe.set_random_seed(4)
        draws.append(np.concatenate([ops.current().uniform((n,)).get() for n in (3, 1000)]))
    np.testing.assert_array_equal(*draws)
    assert len(np.unique(draws[0])) > 990
    assert draws[0].mean() == pytest.approx(0.5, abs=0.05)
    assert (draws[0] >= 0).all()
    assert (draws[0] < 1).all()
    assert mode.device().random.tolist() == [4, 1003]


def test_seeds_give_different_numbers(any_gpu):
    from caffe_fcn import ops

    draws = []
    for seed in (1, 2):
        caffe.set_random_seed(seed)
        draws.append(ops.current().uniform((100,)).get())
    assert (draws[0] != draws[1]).mean() > 0.99
