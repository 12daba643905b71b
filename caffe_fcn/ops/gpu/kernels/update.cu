// Solver updates, one pass over each parameter: scale and decay the gradient, apply the rule, leave the update in grad,
// subtract it from the values. first, second: the solver's history. lasso: decay by the sign of the values (L1).

#define STEP Real* __restrict__ values, Real* __restrict__ grad
#define NUMBERS Real scale, Real decay, Index lasso

__device__ inline Real prepared(Real value, Real grad, Real scale, Real decay, Index lasso) {
    grad *= scale;
    if (decay == 0) return grad;
    Real sign = value > 0 ? (Real)1 : value < 0 ? (Real)-1 : value;
    return grad + decay * (lasso ? sign : value);
}

#define GRADIENT Real g = prepared(values[i], grad[i], scale, decay, lasso)
#define APPLY(update) Real u = update; grad[i] = u; values[i] -= u

KERNEL sgd(Index count, STEP, Real* __restrict__ first, NUMBERS, Real rate, Real momentum) {
    EACH(i, count) {
        GRADIENT;
        Real v = momentum * first[i] + rate * g;
        first[i] = v;
        APPLY(v);
    }
}

KERNEL nesterov(Index count, STEP, Real* __restrict__ first, NUMBERS, Real rate, Real momentum, Real ahead) {
    EACH(i, count) {
        GRADIENT;
        Real before = momentum * first[i], v = rate * g + before;
        first[i] = v;
        APPLY(ahead * v - before);
    }
}

// rest1, rest2: 1 - decay1, 1 - decay2; rate includes the correction of the bias.
KERNEL adam(Index count, STEP, Real* __restrict__ first, Real* __restrict__ second, NUMBERS, Real rate, Real decay1,
            Real rest1, Real decay2, Real rest2, Real delta) {
    EACH(i, count) {
        GRADIENT;
        Real m = decay1 * first[i] + rest1 * g, v = decay2 * second[i] + rest2 * (g * g);
        first[i] = m, second[i] = v;
        APPLY(m / (sqrt(v) + delta) * rate);
    }
}

KERNEL rmsprop(Index count, STEP, Real* __restrict__ first, NUMBERS, Real rate, Real keep, Real rest, Real delta) {
    EACH(i, count) {
        GRADIENT;
        Real squares = keep * first[i] + rest * (g * g);
        first[i] = squares;
        APPLY(g / (sqrt(squares) + delta) * rate);
    }
}

KERNEL adagrad(Index count, STEP, Real* __restrict__ first, NUMBERS, Real rate, Real delta) {
    EACH(i, count) {
        GRADIENT;
        Real squares = first[i] + g * g;
        first[i] = squares;
        APPLY(g / (sqrt(squares) + delta) * rate);
    }
}

KERNEL adadelta(Index count, STEP, Real* __restrict__ first, Real* __restrict__ second, NUMBERS, Real rate,
                Real momentum, Real rest, Real delta) {
    EACH(i, count) {
        GRADIENT;
        Real squares = momentum * first[i] + rest * (g * g);
        Real step = g * sqrt((second[i] + delta) / (squares + delta));
        first[i] = squares;
        second[i] = momentum * second[i] + rest * (step * step);
        APPLY(step * rate);
    }
}
