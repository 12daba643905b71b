// Normalisation over neighbouring channels of (N, C, inner) arrays; half: neighbours on each side; share: alpha / size.

__device__ inline Real scale_at(const Real* x, Index i, Index channel, Index channels, Index inner, Index half,
                                Real share, Real k) {
    Index first = larger(channel - half, 0), last = smaller(channel + half, channels - 1);
    Real total = 0;
    for (Index c = first; c <= last; ++c) {
        Real v = x[i + (c - channel) * inner];
        total += v * v;
    }
    return k + share * total;
}

KERNEL lrn_across(Index count, const Real* __restrict__ x, Real* __restrict__ out, Index channels, Index inner,
                  Index half, Real share, Real beta, Real k) {
    EACH(i, count)
        out[i] = x[i] * pow(scale_at(x, i, i / inner % channels, channels, inner, half, share, k), -beta);
}

// power: scale ** -beta; through: what each value passes on to its neighbours.
KERNEL lrn_across_terms(Index count, const Real* __restrict__ x, const Real* __restrict__ grad_out,
                        Real* __restrict__ power, Real* __restrict__ through, Index channels, Index inner, Index half,
                        Real share, Real beta, Real k) {
    EACH(i, count) {
        Real scale = scale_at(x, i, i / inner % channels, channels, inner, half, share, k);
        power[i] = pow(scale, -beta);
        through[i] = grad_out[i] * x[i] * power[i] / scale;
    }
}

// factor: -2 alpha beta / size.
KERNEL lrn_across_backward(Index count, const Real* __restrict__ x, const Real* __restrict__ grad_out,
                           const Real* __restrict__ power, const Real* __restrict__ through, Real* __restrict__ grad_x,
                           Index channels, Index inner, Index half, Real factor) {
    EACH(i, count) {
        Index channel = i / inner % channels;
        Index first = larger(channel - half, 0), last = smaller(channel + half, channels - 1);
        Real total = 0;
        for (Index c = first; c <= last; ++c) total += through[i + (c - channel) * inner];
        grad_x[i] = grad_out[i] * power[i] + x[i] * (factor * total);
    }
}
