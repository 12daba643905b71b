"""Numba kernels over ranges of flat arrays.

In place has kernels of its own: the compiler makes vector code only of loops whose arrays do not overlap. Slices let it
see that no index is negative.
"""

from .jit import njit


@njit(nogil=True, inline="always")
def _relu(v, slope):
    """v where v > 0, else slope * v; 0 * -inf is NaN, as in Caffe."""
    zero = slope * 0
    return (zero if v < zero else v) + slope * (zero if v > zero else v)


@njit(nogil=True, inline="always")
def _slope(v, slope):
    """The slope of ReLU at v; 0 at NaN."""
    zero = slope * 0
    return zero + 1 if v > zero else slope if v <= zero else zero


@njit(cache=True, nogil=True)
def relu(start, stop, x, out, slope):
    """out = ReLU of x."""
    x, out = x[start:stop], out[start:stop]
    for i in range(len(x)):
        out[i] = _relu(x[i], slope)


@njit(cache=True, nogil=True)
def relu_in_place(start, stop, x, slope):
    """x = ReLU of x."""
    x = x[start:stop]
    for i in range(len(x)):
        x[i] = _relu(x[i], slope)


@njit(cache=True, nogil=True)
def relu_backward(start, stop, x, grad_out, grad_x, slope):
    """grad_x = grad_out times the slope at x."""
    x, grad_out, grad_x = x[start:stop], grad_out[start:stop], grad_x[start:stop]
    for i in range(len(x)):
        grad_x[i] = grad_out[i] * _slope(x[i], slope)


@njit(cache=True, nogil=True)
def relu_backward_in_place(start, stop, x, grad, slope):
    """grad = grad times the slope at x."""
    x, grad = x[start:stop], grad[start:stop]
    for i in range(len(x)):
        grad[i] *= _slope(x[i], slope)
