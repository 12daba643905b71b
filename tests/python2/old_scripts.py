"""Scripts of the kind that came with fully convolutional nets, in Python 2; written out by the tests."""

NET = '''
import caffe
from caffe import layers as L, params as P
from caffe.coord_map import crop

def conv_relu(bottom, nout, ks=3, stride=1, pad=1):
    conv = L.Convolution(bottom, kernel_size=ks, stride=stride, num_output=nout, pad=pad,
        weight_filler=dict(type='xavier'), param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)])
    return conv, L.ReLU(conv, in_place=True)

def fcn(split):
    n = caffe.NetSpec()
    if split == 'deploy':
        n.data = L.Input(input_param=dict(shape=dict(dim=[1, 3, 24, 30])))
    else:
        n.data, n.label = L.Python(module='voc_layers', layer='VOCLayer', ntop=2,
            param_str=str(dict(voc_dir='voc', split=split, seed=1337, mean=(104., 116., 122.))))
    n.conv1, n.relu1 = conv_relu(n.data, 32 / 5, pad=20 / 3)
    n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    n.score_fr = L.Convolution(n.pool1, num_output=3, kernel_size=1)
    n.upscore = L.Deconvolution(n.score_fr, convolution_param=dict(num_output=3, kernel_size=4, stride=2,
        bias_term=False), param=[dict(lr_mult=0)])
    n.score = crop(n.upscore, n.data)
    if split != 'deploy':
        n.loss = L.SoftmaxWithLoss(n.score, n.label, loss_param=dict(normalize=False, ignore_label=255))
    return n.to_proto()

def make_net():
    for split in ('train', 'val', 'deploy'):
        with open(split + '.prototxt', 'w') as f:
            f.write(str(fcn(split)))
            print >>f, '#', split
    print 'written',
    print fcn('deploy').layer[-1].crop_param.offset[0]

if __name__ == '__main__':
    make_net()
'''

VOC_LAYERS = '''
import caffe
import numpy as np
from PIL import Image
import random

class VOCLayer(caffe.Layer):
    """Images and labels of a VOC folder, one by one."""

    def setup(self, bottom, top):
        params = eval(self.param_str)
        self.voc_dir, self.split = params['voc_dir'], params['split']
        self.mean = np.array(params['mean'])
        if params.has_key('random') and len(top) <> 2:
            raise Exception, "Need to define two tops: data and label."
        split_f = '{}/ImageSets/Segmentation/{}.txt'.format(self.voc_dir, self.split)
        self.indices = open(split_f, 'r').read().splitlines()
        self.idx = 0
        random.seed(params['seed'])
        self.idx = random.randint(0, len(self.indices) - 1)

    def reshape(self, bottom, top):
        self.data = self.load_image(self.indices[self.idx])
        self.label = self.load_label(self.indices[self.idx])
        top[0].reshape(1, *self.data.shape)
        top[1].reshape(1, *self.label.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.data
        top[1].data[...] = self.label
        self.idx = (self.idx + 1) % len(self.indices)

    def backward(self, top, propagate_down, bottom):
        pass

    def load_image(self, idx):
        im = Image.open('{}/JPEGImages/{}.jpg'.format(self.voc_dir, idx))
        in_ = np.array(im, dtype=np.float32)[:, :, ::-1]
        in_ -= self.mean
        return in_.transpose((2, 0, 1))

    def load_label(self, idx):
        im = Image.open('{}/SegmentationClass/{}.png'.format(self.voc_dir, idx))
        return np.array(im, dtype=np.uint8)[np.newaxis, ...]
'''

OTHER_LAYERS = {
    "nyud": '''
import caffe
import numpy as np, scipy.io
from PIL import Image

class NYUDLayer(caffe.Layer):
    """Colours, depth and labels; depth is kept as its logarithm."""
    def setup(self, bottom, top):
        params = eval(self.param_str)
        self.tops = params['tops']
        self.dir = params['dir']
        self.names = [n for n in map(str.strip, open(self.dir + '/list.txt')) if n]
        self.idx = 0
    def reshape(self, bottom, top):
        self.arrays = {}
        for i, t in enumerate(self.tops):
            self.arrays[t] = self.load(t, self.names[self.idx])
            top[i].reshape(1, *self.arrays[t].shape)
    def forward(self, bottom, top):
        for i, t in enumerate(self.tops):
            top[i].data[...] = self.arrays[t]
    def backward(self, top, propagate_down, bottom):
        pass
    def load(self, top, idx):
        if top == 'color':
            return np.array(Image.open(self.dir + '/' + idx + '.jpg'), dtype=np.float)[:, :, ::-1].transpose((2, 0, 1))
        if top == 'label':
            return scipy.io.loadmat(self.dir + '/' + idx + '.mat')['labels'].astype(np.uint8)[np.newaxis]
        if top == 'depth':
            return np.log(scipy.io.loadmat(self.dir + '/' + idx + '.mat')['depth'])[np.newaxis]
        raise Exception, "Unknown output type: {}".format(top)
''',
    "context": '''
import caffe
import numpy as np, scipy.io
import cPickle, StringIO

class ContextLayer(caffe.Layer):
    """Labels of 459 classes, of which some are kept."""
    def setup(self, bottom, top):
        self.dir = eval(self.param_str)['dir']
        labels = dict((int(k), v) for k, v in
                      (line.split(': ') for line in StringIO.StringIO(open(self.dir + '/labels.txt').read())))
        self.keep = sorted(labels.iterkeys())
        assert cPickle.loads(cPickle.dumps(self.keep)) == self.keep
    def reshape(self, bottom, top):
        full = scipy.io.loadmat(self.dir + '/a.mat')['labels']
        self.label = np.zeros_like(full, dtype=np.uint8)
        for i in xrange(len(self.keep)):
            self.label[full == self.keep[i]] = i + 1
        top[0].reshape(1, 1, *self.label.shape)
        top[1].reshape(1, 1, *[s / 2 for s in self.label.shape])
    def forward(self, bottom, top):
        top[0].data[...] = self.label
        h, w = map(lambda s: s / 2, self.label.shape)
        top[1].data[...] = self.label[h / 2:h / 2 + h, w / 2:w / 2 + w]
    def backward(self, top, propagate_down, bottom):
        pass
''',
    "siftflow": '''
import caffe
import numpy as np, scipy.io
import glob, os

class SiftLayer(caffe.Layer):
    """Semantic and geometric labels, -1 and 0 being unknown."""
    def setup(self, bottom, top):
        self.dir = eval(self.param_str)['dir']
        self.heads = filter(None, [name if os.path.exists(self.dir + '/a.mat') else None for name in ('labels', 'geo')])
        if len(self.heads) != len(top):
            print "need a top for each of", `self.heads`
            raise ValueError, 'tops'
    def reshape(self, bottom, top):
        self.labels = [self.load(head) for head in self.heads]
        for i, label in zip(xrange(len(top)), self.labels): top[i].reshape(1, *label.shape)
    def forward(self, bottom, top):
        for i, label in enumerate(self.labels):
            top[i].data[...] = label
    def backward(self, top, propagate_down, bottom):
        pass
    def load(self, head):
        label = scipy.io.loadmat(glob.glob(self.dir + '/*.mat')[0])[head].astype(np.int)
        label = label - 1
        label[label < 0] = 0xffL
        return label[np.newaxis].copy()
''',
}

SURGERY = '''
import numpy as np

def upsample_filt(size):
    """Bilinear weights."""
    factor = (size + 1) / 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = np.ogrid[:size, :size]
    return (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)

def interp(net, layers):
    for l in layers:
        m, k, h, w = net.params[l][0].data.shape
        if m != k and k != 1:
            print 'input + output channels need to be the same or |output| == 1'
            raise
        net.params[l][0].data[range(m), range(k), :, :] = upsample_filt(h)
'''

SCORE = '''
from __future__ import division
import numpy as np
import os
from datetime import datetime
from PIL import Image

def fast_hist(a, b, n):
    k = (a >= 0) & (a < n)
    return np.bincount(n * a[k].astype(int) + b[k], minlength=n**2).reshape(n, n)

def seg_tests(solver, save_format, dataset, layer='score', gt='label'):
    print '>>>', datetime.now(), 'Begin seg tests'
    net = solver.test_nets[0]
    net.share_with(solver.net)
    n_cl = net.blobs[layer].channels
    os.mkdir(save_format)
    hist, loss = np.zeros((n_cl, n_cl)), 0
    for idx in dataset:
        net.forward()
        hist += fast_hist(net.blobs[gt].data[0, 0].flatten(), net.blobs[layer].data[0].argmax(0).flatten(), n_cl)
        im = Image.fromarray(net.blobs[layer].data[0].argmax(0).astype(np.uint8))
        im.save(os.path.join(save_format, idx + '.png'))
        loss += net.blobs['loss'].data.flat[0]
    acc = np.diag(hist).sum() / hist.sum()
    print '>>> Iteration', solver.iter, 'overall accuracy', acc, 'loss', loss / len(dataset)
    return hist
'''

SOLVE = '''
import caffe
import surgery, score
import numpy as np
import os, sys
try:
    import setproctitle
    setproctitle.setproctitle(os.path.basename(os.getcwd()))
except: pass

weights = 'base.caffemodel'
caffe.set_mode_gpu()
caffe.set_device(int(sys.argv[1]))
solver = caffe.SGDSolver('solver.prototxt')
solver.net.copy_from(weights)
interp_layers = [k for k in solver.net.params.keys() if 'up' in k]
surgery.interp(solver.net, interp_layers)
val = np.loadtxt('voc/ImageSets/Segmentation/val.txt', dtype=str)
for _ in xrange(2):
    solver.step(3)
hist = score.seg_tests(solver, 'labels', val)
print 'pixels', int(hist.sum())
'''

SOLVER = '''
train_net: "train.prototxt"
test_net: "val.prototxt"
test_iter: 2
test_interval: 1000000
test_initialization: false
display: 0
lr_policy: "fixed"
base_lr: 1e-6
momentum: 0.9
max_iter: 100
snapshot_prefix: "snap"
'''

VIS = '''
import numpy as np

def make_palette(num_classes):
    """A colour for each class, from the bits of its number."""
    palette = np.zeros((num_classes, 3), dtype=np.uint8)
    for k in xrange(0, num_classes):
        label = k
        i = 0
        while label:
            palette[k, 0] |= (((label >> 0) & 1) << (7 - i))
            palette[k, 1] |= (((label >> 1) & 1) << (7 - i))
            palette[k, 2] |= (((label >> 2) & 1) << (7 - i))
            label >>= 3
            i += 1
    return palette

def vis_seg(img, seg, palette, alpha=.5):
    vis = np.array(img, dtype=np.float32)
    mask = seg > 0
    vis[mask] *= 1. - alpha
    vis[mask] += alpha * palette[seg[mask].flat]
    return vis.astype(np.uint8)
'''

INFER = '''
import numpy as np
from PIL import Image
import caffe
import vis

im = Image.open('voc/JPEGImages/a.jpg')
in_ = np.array(im, dtype=np.float32)
in_ = in_[:,:,::-1]
in_ -= np.array((104.00698793,116.66876762,122.67891434))
in_ = in_.transpose((2,0,1))
net = caffe.Net('deploy.prototxt', 'base.caffemodel', caffe.TEST)
net.blobs['data'].reshape(1, *in_.shape)
net.blobs['data'].data[...] = in_
net.forward()
out = net.blobs['score'].data[0].argmax(axis=0)
print out.shape, out.size / 7
np.save('out.npy', out)
Image.fromarray(vis.vis_seg(im, out, vis.make_palette(21))).save('output.png')
'''
