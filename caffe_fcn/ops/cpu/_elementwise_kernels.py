"""Numba kernels over ranges of flat arrays; the ranges are cut first, so that the loops become vector code."""

from numba import njit


@njit(cache=True, nogil=True)
def relu(start, stop, x, out, slope):
    """out = x where x > 0, else slope * x; 0 * -inf is NaN, as in Caffe."""
    x, out = x[start:stop], out[start:stop]
    zero = x.dtype.type(0)
    for i in range(x.size):
        v = x[i]
        out[i] = (zero if v < zero else v) + slope * (zero if v > zero else v)


@njit(cache=True, nogil=True)
def relu_backward(start, stop, x, grad_out, grad_x, slope):
    """grad_x = grad_out where x > 0, else slope * grad_out."""
    x, grad_out, grad_x = x[start:stop], grad_out[start:stop], grad_x[start:stop]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(x.size):
        v = x[i]
        grad_x[i] = grad_out[i] * (one if v > zero else slope if v <= zero else zero)
