"""Joints to label maps, maps back to joints, and the drawing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from caffe_fcn.pose import best_joints, draw_skeleton, find_modes, label_maps
from caffe_fcn.zoo.cards import find

HEIGHT, WIDTH = 200, 160
CARD = find("pose-fcn32s")
# A person who waves, by the names of the card.
PLACES = {
    "right ankle": (66, 178), "right knee": (62, 148), "right hip": (68, 118), "left hip": (88, 118),
    "left knee": (96, 147), "left ankle": (90, 177), "right wrist": (34, 30), "right elbow": (40, 50),
    "right shoulder": (62, 66), "left shoulder": (94, 66), "left elbow": (114, 90), "left wrist": (122, 116),
    "neck": (78, 54), "head top": (80, 26)}
POSE = np.array([(*PLACES[entry.name], 1) for entry in CARD.classes], float)
COLOURS = [entry.colour for entry in CARD.classes]


def bumps(places, width=6.0, size=(HEIGHT, WIDTH)):
    """A Gaussian of height 0.9 at each place (x, y), one map for each."""
    rows, columns = np.mgrid[:size[0], :size[1]]
    return np.stack([0.9 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2)) for x, y in places])


def test_discs_by_hand():
    maps, classes = label_maps([(2, 1, 1), (4, 1, 1), (0, 0, 0)], 5, 7, 0.2)  # radius: a pixel
    assert maps.dtype == bool and maps.shape == (3, 5, 7)
    assert [maps[k].sum() for k in range(3)] == [5, 5, 0]
    assert np.argwhere(maps[0]).tolist() == [[0, 2], [1, 1], [1, 2], [1, 3], [2, 2]]
    assert classes.tolist() == [[0, 0, 1, 0, 2, 0, 0], [0, 1, 1, 1, 2, 2, 0], [0, 0, 1, 0, 2, 0, 0], [0] * 7, [0] * 7]


def test_the_radius_is_a_share_of_the_height():
    maps, _ = label_maps([(50, 50, 1)], 100, 300)
    rows, columns = np.nonzero(maps[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 60, 40, 60)


def test_discs_give_their_joints_back():
    maps, _ = label_maps(POSE, HEIGHT, WIDTH)
    assert np.array_equal(best_joints(maps), POSE)
    assert np.allclose(best_joints(maps, refine=True), POSE)


def test_bumps_between_pixels():
    places = POSE[:, :2] + np.linspace(-0.45, 0.45, 28).reshape(14, 2)
    heat = bumps(places)
    plain, refined = best_joints(heat), best_joints(heat, refine=True)
    assert np.array_equal(plain[:, :2], np.rint(places))
    assert np.abs(refined[:, :2] - places).max() < 0.01
    assert np.array_equal(plain[:, 2], heat.max(axis=(1, 2)))


def test_the_parabola_is_exact_for_parabolas():
    rows, columns = np.mgrid[:9, :11]
    heat = (5 - (columns - 6.3) ** 2 - 2 * (rows - 3.8) ** 2)[None]
    assert np.allclose(best_joints(heat, refine=True)[0, :2], (6.3, 3.8))


def test_at_the_border_nothing_is_refined():
    heat = np.zeros((1, 4, 5))
    heat[0, 0, 4], heat[0, 0, 3] = 1, 0.9
    assert best_joints(heat, refine=True).tolist() == [[4, 0, 1]]


def test_modes_best_first_and_apart():
    first, second, near, faint = bumps([(40, 40), (100, 150), (48, 40), (140, 20)], width=2.5)
    heat = np.max([first, 0.7 * second, 0.8 * near, 0.05 * faint], axis=0)[None]
    places = [[(mode.x, mode.y) for mode in find_modes(heat, *args)[0]] for args in ((3,), (1,), (9, 5))]
    assert places == [[(40, 40), (100, 150)], [(40, 40)], [(40, 40), (48, 40), (100, 150)]]
    assert [round(mode.score, 3) for mode in find_modes(heat)[0]] == [0.9, 0.63]
    assert len(find_modes(heat, 9, least=0.01)[0]) > 2


def test_a_map_without_a_maximum_has_a_place():
    (modes,) = find_modes(np.zeros((1, 5, 9)), 4)
    assert [tuple(mode) for mode in modes] == [(4, 2, 0)]


def test_a_bent_plateau_gives_one_of_its_own_pixels():
    heat = np.zeros((1, 9, 9))
    heat[0, 0, :], heat[0, :, 0] = 1, 1
    (x, y, score), = best_joints(heat)
    assert score == 1 and heat[0, int(y), int(x)] == 1


@pytest.mark.parametrize(("heat", "arguments", "message"), [
    (np.zeros((3, 3)), {}, r"\(K, H, W\), got the shape \(3, 3\)"),
    (np.zeros((1, 0, 3)), {}, r"\(1, 0, 3\)"),
    (np.full((1, 2, 2), np.nan), {}, "must be finite"),
    (np.zeros((1, 2, 2)), {"count": 0}, "count >= 1, got 0")])
def test_maps_that_are_refused(heat, arguments, message):
    with pytest.raises(ValueError, match=message):
        find_modes(heat, **arguments)


@pytest.mark.parametrize(("joints", "radius", "message"), [
    ([(1, 2)], 0.1, r"\(K, 3\).*\(1, 2\)"), (np.zeros((0, 3)), 0.1, r"\(0, 3\)"),
    ([(1, 2, 1)], 0, "radius > 0, got 0")])
def test_joints_that_are_refused(joints, radius, message):
    with pytest.raises(ValueError, match=message):
        label_maps(joints, 4, 4, radius)


def test_the_skeleton_of_the_card_joins_all_joints():
    reached = {0}
    for _ in CARD.skeleton:
        reached |= {joint for bone in CARD.skeleton if reached & set(bone) for joint in bone}
    assert reached == set(range(14))


def test_drawing():
    photo = Image.new("RGB", (WIDTH, HEIGHT), (10, 20, 30))
    joints = POSE.copy()
    joints[13, 2] = 0.05  # the head is not seen
    picture = np.asarray(draw_skeleton(photo, joints, CARD.skeleton, COLOURS, 0.1))
    for number, (x, y) in enumerate(POSE[:13, :2].astype(int)):
        assert tuple(picture[y, x]) == COLOURS[number]
    knee, hip = (POSE[CARD.classes.index(next(c for c in CARD.classes if c.name == name)), :2]
                 for name in ("left knee", "left hip"))
    x, y = ((knee + hip) / 2).astype(int)
    assert tuple(picture[y, x]) == (255, 255, 255)
    assert tuple(picture[26, 80]) == tuple(picture[45, 79]) == (10, 20, 30)  # nor is its bone
    assert np.asarray(photo).max() == 30  # a copy was drawn on


def test_drawing_needs_a_colour_for_each_joint():
    with pytest.raises(ValueError, match=r"the shape \(14, 3\) and 13 colours"):
        draw_skeleton(Image.new("RGB", (4, 4)), POSE, [], COLOURS[:13])


def test_the_example_of_the_documents(root):
    text = (root / "docs/predict.md").read_text(encoding="utf-8")
    names: dict = {}
    exec(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1], names)
    assert np.allclose(names["found"], names["joints"], atol=0.5)
    assert [len(modes) for modes in names["modes"]] == [1] * 14
    assert names["picture"].size == (320, 400)
