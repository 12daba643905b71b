// Statistics of the channels of (N, C, inner) arrays.

// parts: (C, lanes). Lane k adds values k, k + lanes ... of all planes of its channel, multiplied by b unless that is
// missing: neighbouring threads read neighbouring values.
KERNEL channel_sum(Index count, const Real* __restrict__ a, const Real* __restrict__ b, Real* __restrict__ parts,
                   Index images, Index channels, Index inner, Index lanes) {
    EACH(i, count) {
        Index channel = i / lanes;
        Real total = 0;
        for (Index n = 0; n < images; ++n) {
            Index start = (n * channels + channel) * inner;
            for (Index k = start + i % lanes; k < start + inner; k += lanes) total += b ? a[k] * b[k] : a[k];
        }
        parts[i] = total;
    }
}

// grad_x may be grad_y.
KERNEL normalize_backward(Index count, const Real* y, const Real* grad_y, const Real* __restrict__ mean,
                          const Real* __restrict__ along, const Real* __restrict__ deviation, Real* grad_x,
                          Index channels, Index inner) {
    EACH(i, count) {
        Index channel = i / inner % channels;
        grad_x[i] = (grad_y[i] - mean[channel] - y[i] * along[channel]) / deviation[channel];
    }
}
