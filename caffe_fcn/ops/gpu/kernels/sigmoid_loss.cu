// Cross entropy of sigmoid(x) against targets. counted: which values count, or nothing if all do.

KERNEL sigmoid_loss(Index count, const Real* __restrict__ x, const Real* __restrict__ target,
                    const bool* __restrict__ counted, Real* __restrict__ losses) {
    EACH(i, count) {
        Real v = x[i], loss = log1p(exp(-fabs(v))) + ((v < 0 ? (Real)0 : v) - v * target[i]);
        losses[i] = !counted || counted[i] ? loss : (Real)0;
    }
}

// weight: one value on the device.
KERNEL sigmoid_loss_backward(Index count, const Real* __restrict__ x, const Real* __restrict__ target,
                             const bool* __restrict__ counted, const Real* __restrict__ weight,
                             Real* __restrict__ grad_x) {
    EACH(i, count) {
        Real gate = tanh(x[i] * (Real)0.5) * (Real)0.5 + (Real)0.5;
        grad_x[i] = !counted || counted[i] ? (gate - target[i]) * *weight : (Real)0;
    }
}
