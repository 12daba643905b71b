// Softmax over the classes of (outer, classes, inner) arrays. One thread has all classes of one position: neighbouring
// threads read neighbouring values. count: outer * inner.

#define LARGEST_LOSS 87.33654475055310898657 // of one prediction: -log of the smallest normal float

#define POSITION(i) Index start = (i) / inner * classes * inner + (i) % inner, stop = start + classes * inner

__device__ inline Real maximum(const Real* x, Index start, Index stop, Index inner) {
    Real most = x[start];
    for (Index k = start + inner; k < stop; k += inner) most = x[k] > most ? x[k] : most;
    return most;
}

// Sum of exp(x - most).
__device__ inline Real odds(const Real* x, Index start, Index stop, Index inner, Real most) {
    Real total = 0;
    for (Index k = start; k < stop; k += inner) total += exp(x[k] - most);
    return total;
}

// out may be x.
KERNEL softmax(Index count, const Real* x, Real* out, Index classes, Index inner) {
    EACH(i, count) {
        POSITION(i);
        Real most = maximum(x, start, stop, inner), total = 0;
        for (Index k = start; k < stop; k += inner) total += out[k] = exp(x[k] - most);
        for (Index k = start; k < stop; k += inner) out[k] /= total;
    }
}

// grad_x may be grad_y.
KERNEL softmax_backward(Index count, const Real* y, const Real* grad_y, Real* grad_x, Index classes, Index inner) {
    EACH(i, count) {
        POSITION(i);
        Real along = 0;
        for (Index k = start; k < stop; k += inner) along += grad_y[k] * y[k];
        for (Index k = start; k < stop; k += inner) grad_x[k] = (grad_y[k] - along) * y[k];
    }
}

// From the values of a blob to whole numbers, cut toward zero. What is not one from 0 to limit - 1 becomes -1, and is
// marked as bad, unless it is `ignored`.
KERNEL class_numbers(Index count, const Real* __restrict__ values, long long* __restrict__ numbers,
                     bool* __restrict__ bad, Index limit, Index ignores, Index ignored) {
    EACH(i, count) {
        Real value = values[i];
        bool whole = value > (Real)-9e18 && value < (Real)9e18;
        long long number = whole ? (long long)value : -1;
        bool out = ignores && whole && number == ignored, fits = whole && number >= 0 && number < limit;
        numbers[i] = fits && !out ? number : -1;
        bad[i] = !fits && !out;
    }
}

// Losses of the positions, 0 where the label is negative.
KERNEL softmax_loss(Index count, const Real* __restrict__ x, const long long* __restrict__ labels,
                    Real* __restrict__ losses, Index classes, Index inner) {
    EACH(i, count) {
        Index label = (Index)labels[i];
        Real loss = 0;
        if (label >= 0) {
            POSITION(i);
            Real most = maximum(x, start, stop, inner);
            loss = log(odds(x, start, stop, inner, most)) - (x[start + label * inner] - most);
            loss = loss > (Real)LARGEST_LOSS ? (Real)LARGEST_LOSS : loss;
        }
        losses[i] = loss;
    }
}

// weight: one value on the device.
KERNEL softmax_loss_backward(Index count, const Real* __restrict__ x, const long long* __restrict__ labels,
                             const Real* __restrict__ weight, Real* __restrict__ grad_x, Index classes, Index inner) {
    EACH(i, count) {
        POSITION(i);
        Index label = (Index)labels[i], own = start + label * inner;
        Real most = maximum(x, start, stop, inner), total = odds(x, start, stop, inner, most);
        Real factor = label >= 0 ? *weight : (Real)0;
        for (Index k = start; k < stop; k += inner)
            grad_x[k] = factor * (exp(x[k] - most) / total - (label >= 0 && k == own ? (Real)1 : (Real)0));
    }
}
