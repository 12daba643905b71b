"""Layers of forks against PyTorch (the bench extra), forward and backward, in float64."""

import numpy as np
import pytest

from tests.layers.helpers import run_layer

torch = pytest.importorskip("torch")
F = torch.nn.functional
RANDOM = np.random.default_rng(23)
X = RANDOM.normal(1, 2, size=(2, 6, 5, 7))


def tensors(values):
    return [torch.tensor(np.asarray(v, np.float64), requires_grad=True) for v in values]


def compare(prototxt, bottoms, function, params=(), moved=None, **more):
    """Values and gradients of a layer and of function(*bottoms, *params); `moved`: bottoms with a gradient."""
    moved = range(len(bottoms)) if moved is None else moved
    theirs = tensors([*bottoms, *params])
    wanted = function(*theirs)
    diff = RANDOM.normal(size=tuple(wanted.shape))
    (wanted * torch.tensor(diff)).sum().backward()
    run = run_layer(prototxt, bottoms, params=params, top_diffs=[diff], dtype=np.float64,
                    wanted=[i in moved for i in range(len(bottoms))], **more)
    close(run.y, wanted.detach())
    found = [run.bottom[i].diff for i in moved] + [blob.diff for blob in run.layer.blobs[:len(params)]]
    for one, other in zip(found, [theirs[i] for i in moved] + theirs[len(bottoms):], strict=True):
        close(one.reshape(other.shape), other.grad)
    return run


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("fields", "size"), [
    ("zoom_factor: 8", (33, 49)), ("zoom_factor: 1", (5, 7)), ("shrink_factor: 2", (3, 4)),
    ("shrink_factor: 3", (2, 3)),
    ("zoom_factor: 1 shrink_factor: 2", (3, 4)), ("zoom_factor: 3 shrink_factor: 2", (7, 10)),
    ("height: 9 width: 4", (9, 4)), ("height: 60 width: 60", (60, 60)),
])
def test_interp(fields, size):
    compare(f"type: 'Interp' interp_param {{ {fields} }}", [X],
            lambda x: F.interpolate(x, size, mode="bilinear", align_corners=True))


def test_interp_of_a_part():
    compare("type: 'Interp' interp_param { zoom_factor: 2 pad_beg: -1 pad_end: -2 }", [X],
            lambda x: F.interpolate(x[:, :, 1:-2, 1:-2], (3, 7), mode="bilinear", align_corners=True))


@pytest.mark.parametrize(("size", "fields"), [
    ((10, 14), "scale: 2"), ((9, 13), "scale: 2 pad_out_h: true pad_out_w: true"),
    ((11, 15), "upsample_h: 11 upsample_w: 15"),
])
def test_unpooling(size, fields):
    large = torch.tensor(RANDOM.normal(size=(2, 3, *size)))
    values, index = F.max_pool2d(large, 2, 2, ceil_mode=size == (9, 13), return_indices=True)
    mask = run_layer("type: 'Pooling' pooling_param { kernel_size: 2 stride: 2 round_mode: "
                     f"{'CEIL' if size == (9, 13) else 'FLOOR'} }}", [large], tops=2, dtype=np.float64).top[1].data
    np.testing.assert_array_equal(mask, index)
    compare(f"type: 'Upsample' upsample_param {{ {fields} }}", [values.numpy(), mask],
            lambda x, mask: F.max_unpool2d(x, index, 2, 2, output_size=size), moved=[0])


def test_repeated_values():
    compare("type: 'Upsample' upsample_param { scale: 3 }", [X], lambda x: F.interpolate(x, scale_factor=3))


def channels(count):
    return [RANDOM.uniform(0.5, 2, size=(1, 6, 1, 1)) for _ in range(count)]


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_segnet_bn(phase):
    compare("type: 'BN' bn_param { bn_mode: LEARN }", [X], lambda x, scale, shift: F.batch_norm(
        x, None, None, scale.reshape(-1), shift.reshape(-1), training=True, eps=1e-9), channels(2), phase=phase)


def test_pspnet_bn_in_training():
    means, variances = np.zeros(6), np.ones(6)  # both averages start at 0, as PSPNet's

    def function(x, slope, bias):
        kept = [torch.tensor(means), torch.tensor(variances)]
        y = F.batch_norm(x, *kept, slope.reshape(-1), bias.reshape(-1), training=True, momentum=0.25, eps=1e-3)
        means[:], variances[:] = kept[0].detach(), kept[1].detach()
        return y

    run = compare("type: 'BN' bn_param { momentum: 0.75 eps: 1e-3 }", [X], function, channels(2))
    close(run.layer.blobs[2].data.reshape(-1), means)
    count = X.size // 6
    close(run.layer.blobs[3].data.reshape(-1), (variances - 0.75) * (count - 1) / count)  # PyTorch's are unbiased


@pytest.mark.parametrize(("fields", "phase"), [("eps: 1e-5", "TEST"), ("frozen: true", "TRAIN")])
def test_pspnet_bn_by_its_averages(fields, phase):
    slope, bias, mean, variance = channels(4)
    theirs = tensors([X])[0]
    diff = RANDOM.normal(size=X.shape)
    y = F.batch_norm(theirs, *(torch.tensor(v.reshape(-1)) for v in (mean, variance, slope, bias)), eps=1e-5)
    (y * torch.tensor(diff)).sum().backward()
    run = run_layer(f"type: 'BN' bn_param {{ {fields} }}", [X], params=[slope, bias, mean, variance], phase=phase,
                    top_diffs=[diff], dtype=np.float64)
    close(run.y, y.detach())
    close(run.bottom[0].diff, theirs.grad)


@pytest.mark.parametrize("kind", ["ConvolutionDepthwise", "DepthwiseConvolution"])
@pytest.mark.parametrize(("fields", "more"), [
    ("num_output: 6 kernel_size: 3 pad: 1", {"padding": 1}), ("num_output: 12 kernel_size: 2 stride: 2", {"stride": 2}),
    ("num_output: 6 kernel_size: 3 hole: 2 pad: 2", {"dilation": 2, "padding": 2}),
])
def test_depthwise_convolution(kind, fields, more):
    size = 12 if "12" in fields else 6
    kernel = 2 if "kernel_size: 2" in fields else 3
    params = RANDOM.normal(size=(size, 1, kernel, kernel)), RANDOM.normal(size=size)
    compare(f"type: '{kind}' convolution_param {{ {fields} }}", [X],
            lambda x, weight, bias: F.conv2d(x, weight, bias, groups=6, **more), params)


def test_hole():
    params = RANDOM.normal(size=(4, 6, 3, 2)), RANDOM.normal(size=4)
    compare("type: 'Convolution' convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 hole_h: 2 hole_w: 3 }", [X],
            lambda x, weight, bias: F.conv2d(x, weight, bias, dilation=(2, 3)), params)


@pytest.mark.parametrize("group", [1, 2, 3, 6])
def test_shuffle_channel(group):
    compare(f"type: 'ShuffleChannel' shuffle_channel_param {{ group: {group} }}", [X],
            lambda x: x.reshape(2, group, 6 // group, 5, 7).transpose(1, 2).reshape(x.shape))
    found = run_layer(f"type: 'ShuffleChannel' shuffle_channel_param {{ group: {group} }}", [X]).y
    close(found, F.channel_shuffle(torch.tensor(X), group))


def test_relu6():
    compare("type: 'ReLU6'", [3 * X], F.relu6)


def test_permute():
    compare("type: 'Permute' permute_param { order: [0, 2, 3, 1] }", [X], lambda x: x.permute(0, 2, 3, 1))


def test_axpy():
    compare("type: 'Axpy'", [X[:, :, :1, :1], X, np.flip(X, 0).copy()], lambda a, x, y: torch.addcmul(y, a, x))


@pytest.mark.parametrize("spatial", ["true", "false"])
def test_normalize(spatial):
    axes = (1, 2, 3) if spatial == "true" else 1
    compare(f"type: 'Normalize' norm_param {{ across_spatial: {spatial} channel_shared: false }}", [X],
            lambda x, scale: F.normalize(x, dim=axes) * scale.reshape(1, -1, 1, 1), [RANDOM.normal(size=6)])


def test_class_balanced_loss():
    targets = (RANDOM.uniform(size=X.shape) < 0.2).astype(float)
    share = targets.mean(axis=(1, 2, 3), keepdims=True)
    weights = torch.tensor(np.where(targets == 1, 1 - share, share))
    compare("type: 'ClassBalancedSigmoidCrossEntropyLoss'", [X, targets], lambda x, t: (
        F.binary_cross_entropy_with_logits(x, t, weights, reduction="sum") / len(x)), moved=[0])


def test_class_weighting():
    labels, weights = RANDOM.integers(0, 7, size=(2, 1, 5, 7)), [0.5, 2, 1, 0.1, 3, 1]
    labels[labels == 6] = 255
    text = " ".join(f"class_weighting: {weight}" for weight in weights)

    def function(x, t):
        return F.cross_entropy(x, torch.tensor(labels[:, 0]), torch.tensor(weights, dtype=x.dtype), ignore_index=255,
                               reduction="sum") / (labels != 255).sum()

    compare(f"type: 'SoftmaxWithLoss' loss_param {{ weight_by_label_freqs: true ignore_label: 255 {text} }}",
            [X, labels], function, moved=[0])
