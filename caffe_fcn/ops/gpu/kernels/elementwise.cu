// What acts on each value alone. Outputs may be inputs.

// 0 * -infinity is NaN, as in Caffe.
__device__ inline Real rectified(Real v, Real slope) {
    return (v < 0 ? (Real)0 : v) + slope * (v > 0 ? (Real)0 : v);
}

KERNEL relu(Index count, const Real* x, Real* out, Real slope) {
    EACH(i, count) out[i] = rectified(x[i], slope);
}

// Add a bias to each channel of out (N, channels, inner), then rectify if asked to.
KERNEL add_bias(Index count, Real* out, const Real* __restrict__ bias, Index channels, Index inner, Index rectify) {
    EACH(i, count) {
        Real v = out[i] + bias[i / inner % channels];
        out[i] = rectify ? rectified(v, 0) : v;
    }
}

KERNEL relu_backward(Index count, const Real* x, const Real* grad_out, Real* grad_x, Real slope) {
    EACH(i, count) {
        Real v = x[i];
        grad_x[i] = grad_out[i] * (v > 0 ? (Real)1 : v <= 0 ? slope : (Real)0);
    }
}

KERNEL sigmoid(Index count, const Real* x, Real* out) {
    EACH(i, count) out[i] = tanh((Real)0.5 * x[i]) * (Real)0.5 + (Real)0.5;
}
