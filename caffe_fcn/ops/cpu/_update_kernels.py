"""Numba kernels of solver updates, over ranges of flat arrays.

The order of operations is that of the reference, and a product and its sum stay two roundings: the bits are the same.
"""

from .jit import njit


@njit(cache=True, nogil=True)
def sgd(start, stop, values, grad, velocity, scale, decay, rate, momentum):
    """The gradient is scaled and decayed, velocity and values follow; the gradient then holds the update.

    The numbers have the type of the arrays; decay is L2.
    """
    values, grad, velocity = values[start:stop], grad[start:stop], velocity[start:stop]
    for i in range(len(values)):
        g = grad[i] * scale
        g = g + decay * values[i] if decay != 0 else g
        v = velocity[i] * momentum + g * rate
        velocity[i] = v
        grad[i] = v
        values[i] -= v
