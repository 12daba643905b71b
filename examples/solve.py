"""Fine-tune an FCN from a converted classifier, the way the FCN tutorial does it.

Run it in a folder with solver.prototxt (and the nets and data it names) and the weights:

    python solve.py [WEIGHTS [STEPS]]        (default: vgg16fc.caffemodel 80000)
"""

import sys

from surgery import interp_surgery

import caffe

# base net: a classifier whose fully connected layers were made convolutional (net_surgery.fully_convolutional)
base_weights = sys.argv[1] if len(sys.argv) > 1 else "vgg16fc.caffemodel"
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 80000

# without a GPU this warns once and trains on the CPU
caffe.set_mode_gpu()
caffe.set_device(0)

solver = caffe.SGDSolver("solver.prototxt")

# bilinear interpolation in all layers that enlarge
interp_layers = [k for k in solver.net.params if "up" in k]
interp_surgery(solver.net, interp_layers)

# copy the base weights for fine-tuning
solver.net.copy_from(base_weights)

solver.step(steps)
