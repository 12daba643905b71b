// Undoing a max pooling by its mask of flat indices in planes of `size` values. count: values of the small array.

// The index that a mask means, or -1; *wrong becomes 1 for one outside the plane.
__device__ inline Index place_of(Real where, Index size, int* wrong) {
    if (where > -1 && where < (Real)size) return (Index)where;
    *wrong = 1;
    return -1;
}

// winner: per place, the last value that the mask puts there (its index in the small plane), or -1 as it was before.
KERNEL unpool_winners(Index count, const Real* __restrict__ mask, int* winner, int* wrong, Index small, Index size) {
    EACH(i, count) {
        Index place = place_of(mask[i], size, wrong);
        if (place >= 0) atomicMax(winner + i / small * size + place, (int)(i % small));
    }
}

// count: values of the large array. With a wrong mask all are NaN.
KERNEL unpool(Index count, const Real* __restrict__ x, const int* __restrict__ winner, const int* __restrict__ wrong,
              Real* __restrict__ out, Index small, Index size) {
    EACH(i, count) {
        int from = winner[i];
        out[i] = *wrong ? (Real)nan("") : from >= 0 ? x[i / size * small + from] : (Real)0;
    }
}

KERNEL unpool_backward(Index count, const Real* __restrict__ grad_out, const Real* __restrict__ mask,
                       Real* __restrict__ grad_x, int* wrong, Index small, Index size) {
    EACH(i, count) {
        Index place = place_of(mask[i], size, wrong);
        grad_x[i] = place >= 0 ? grad_out[i / small * size + place] : (Real)nan("");
    }
}
