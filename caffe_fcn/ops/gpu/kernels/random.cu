// Random numbers by their place in a sequence: Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
// 2014. `state` holds a seed and how many numbers were drawn from it; all threads read it, `move_on` moves it on.

typedef unsigned long long Word;

__device__ inline Word mixed(Word z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// Number i of those to draw now: in [0, 1), a multiple of 2^-24.
__device__ inline float drawn(const Word* state, Index i) {
    const Word place = mixed(state[0]) + (state[1] + i + 1) * 0x9E3779B97F4A7C15ull;
    return (mixed(place) >> 40) * (1.0f / 16777216.0f);
}

KERNEL uniform(Index count, float* out, const Word* state) {
    EACH(i, count) out[i] = drawn(state, i);
}

// True with the probability 1 - ratio.
KERNEL mask(Index count, bool* out, const Word* state, Real ratio) {
    EACH(i, count) out[i] = drawn(state, i) >= ratio;
}

KERNEL move_on(Index one, Word* state, Index step) {
    EACH(i, one) state[1] += step;
}
