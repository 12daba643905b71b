"""What a user sees of the compiler."""

import os
import subprocess
import sys

PROGRAM = ("import numpy as np\nfrom caffe_fcn import ops\nx = np.ones((1, 1, 2, 2), np.float32)\n"
           "for _ in range(2):\n    ops.cpu_ops().relu(x, x, 0)\n    ops.cpu_ops().relu_backward(x, x, x, 0)\n")


def test_compiling_is_announced_once_and_only_when_the_disk_has_nothing(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    heard = [subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True,
                            check=True, timeout=120).stderr for _ in range(2)]
    assert heard[0].count("\n") == 1 and "compiling kernels" in heard[0]
    assert heard[1] == ""
