"""Compiled unpooling kernels. Each works on the planes first ... last of (planes, pixels) arrays.

outside[plane] is set where an index of the mask is none of the plane.
"""

from .jit import njit


@njit(cache=True, nogil=True)
def unpool(first, last, x, mask, out, outside):
    """out = 0, but x at the indices of the mask; the last of several for one place."""
    size = out.shape[1]
    for plane in range(first, last):
        out[plane] = 0
        for i in range(x.shape[1]):
            index = mask[plane, i]
            if index > -1 and index < size:
                out[plane, int(index)] = x[plane, i]
            else:
                outside[plane] = True


@njit(cache=True, nogil=True)
def unpool_backward(first, last, grad_out, mask, grad_x, outside):
    """grad_x = grad_out at the indices of the mask."""
    size = grad_out.shape[1]
    for plane in range(first, last):
        for i in range(grad_x.shape[1]):
            index = mask[plane, i]
            if index > -1 and index < size:
                grad_x[plane, i] = grad_out[plane, int(index)]
            else:
                outside[plane] = True
