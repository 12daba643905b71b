// Pooling over two axes. Planes are (n, c) pairs; the count is that of the array which is written.

#define WINDOW Index height, Index width, Index out_height, Index out_width, Index kernel_h, Index kernel_w, \
    Index stride_h, Index stride_w, Index pad_h, Index pad_w

#define LOWEST (-3.402823466385288598e38f)

// The flat index of the first largest value of the window at (top, left), -1 for none above LOWEST. NaN never wins.
__device__ inline Index largest(const Real* plane, Index height, Index width, Index top, Index left, Index kernel_h,
                                Index kernel_w, Real* value) {
    Real best = LOWEST;
    Index where = -1, bottom = smaller(top + kernel_h, height), right = smaller(left + kernel_w, width);
    for (Index y = larger(top, 0); y < bottom; ++y)
        for (Index x = larger(left, 0); x < right; ++x)
            if (plane[y * width + x] > best) best = plane[y * width + x], where = y * width + x;
    *value = best;
    return where;
}

#define PLACE(i) \
    Index top = (i) / out_width % out_height * stride_h - pad_h, left = (i) % out_width * stride_w - pad_w

// The plane of x that output i is made from.
#define SOURCE(i) (x + (i) / out_width / out_height * height * width)

KERNEL max_pool(Index count, const Real* __restrict__ x, Real* __restrict__ out, WINDOW) {
    EACH(i, count) {
        PLACE(i);
        Real best;
        largest(SOURCE(i), height, width, top, left, kernel_h, kernel_w, &best);
        out[i] = best;
    }
}

#define MAX_POOL_MASK(name, Mask) \
    KERNEL name(Index count, const Real* __restrict__ x, Mask* __restrict__ mask, WINDOW) { \
        EACH(i, count) { \
            PLACE(i); \
            Real best; \
            mask[i] = (Mask)largest(SOURCE(i), height, width, top, left, kernel_h, kernel_w, &best); \
        } \
    }
MAX_POOL_MASK(max_pool_mask, Real)
MAX_POOL_MASK(max_pool_mask_int, int)

// Turn a given mask into whole numbers, -1 for what is outside the plane. stray becomes 1 if one is in its plane, but
// not in its window.
#define READ_MASK(name, Mask) \
    KERNEL name(Index count, const Mask* __restrict__ mask, int* __restrict__ places, int* stray, WINDOW) { \
        EACH(i, count) { \
            PLACE(i); \
            Mask where = mask[i]; \
            bool inside = where > -1 && where < 2147483648.0 && (long long)where < height * width; \
            Index flat = inside ? (Index)where : -1, y = flat / width, x = flat % width; \
            places[i] = (int)flat; \
            if (inside && (y < top || y >= top + kernel_h || x < left || x >= left + kernel_w)) *stray = 1; \
        } \
    }
READ_MASK(read_mask, Real)
READ_MASK(read_mask_int, int)

// The windows that reach a value at one place of an axis.
struct Range { Index first, last; };
__device__ inline Range reach(Index at, Index kernel, Index stride, Index pad, Index outs) {
    Range range = {larger(divide_up(at + pad - kernel + 1, stride), 0), smaller((at + pad) / stride, outs - 1)};
    return range;
}

// Each value fetches the gradients of the windows whose maximum it is; with strays all windows are asked.
KERNEL max_pool_backward(Index count, const int* __restrict__ places, const int* __restrict__ stray,
                         const Real* __restrict__ grad_out, Real* __restrict__ grad_x, WINDOW) {
    EACH(i, count) {
        Index size = height * width, flat = i % size, plane = i / size;
        Range rows = {0, out_height - 1}, columns = {0, out_width - 1};
        if (!*stray) {
            rows = reach(flat / width, kernel_h, stride_h, pad_h, out_height);
            columns = reach(flat % width, kernel_w, stride_w, pad_w, out_width);
        }
        Real total = 0;
        for (Index row = rows.first; row <= rows.last; ++row)
            for (Index column = columns.first; column <= columns.last; ++column) {
                Index from = (plane * out_height + row) * out_width + column;
                if (places[from] == flat) total += grad_out[from];
            }
        grad_x[i] = total;
    }
}

// The part of a window within the padded input: 0 or negative for one that starts beyond.
#define AREA(top, left) \
    (Real)((smaller((top) + kernel_h, height + pad_h) - (top)) * (smaller((left) + kernel_w, width + pad_w) - (left)))

KERNEL ave_pool(Index count, const Real* __restrict__ x, Real* __restrict__ out, WINDOW) {
    EACH(i, count) {
        PLACE(i);
        const Real* source = SOURCE(i);
        Index bottom = smaller(top + kernel_h, height), right = smaller(left + kernel_w, width);
        Real total = 0;
        for (Index y = larger(top, 0); y < bottom; ++y)
            for (Index x = larger(left, 0); x < right; ++x) total += source[y * width + x];
        out[i] = total / AREA(top, left);
    }
}

KERNEL ave_pool_backward(Index count, const Real* __restrict__ grad_out, Real* __restrict__ grad_x, WINDOW) {
    EACH(i, count) {
        Index y = i / width % height, x = i % width, plane = i / width / height;
        Range rows = reach(y, kernel_h, stride_h, pad_h, out_height);
        Range columns = reach(x, kernel_w, stride_w, pad_w, out_width);
        Real total = 0;
        for (Index row = rows.first; row <= rows.last; ++row)
            for (Index column = columns.first; column <= columns.last; ++column)
                total += grad_out[(plane * out_height + row) * out_width + column]
                    / AREA(row * stride_h - pad_h, column * stride_w - pad_w);
        grad_x[i] = total;
    }
}

// A value of the window, 0 outside the plane.
__device__ inline Real value_at(const Real* plane, Index height, Index width, Index y, Index x) {
    return y < height && x < width ? plane[y * width + x] : (Real)0;
}

// There is no padding.
KERNEL stochastic_pool(Index count, const Real* __restrict__ x, const float* __restrict__ chance,
                       Real* __restrict__ out, int* __restrict__ mask, WINDOW) {
    EACH(i, count) {
        PLACE(i);
        const Real* source = SOURCE(i);
        Index taps = kernel_h * kernel_w, drawn = 0;
        Real total = 0, reached = 0;
        for (Index t = 0; t < taps; ++t)
            total += value_at(source, height, width, top + t / kernel_w, left + t % kernel_w);
        Real wanted = (Real)chance[i] * total;
        for (Index t = 0; t < taps; ++t) {
            reached += value_at(source, height, width, top + t / kernel_w, left + t % kernel_w);
            if (reached >= wanted) {
                drawn = t;
                break;
            }
        }
        Index y = top + drawn / kernel_w, x = left + drawn % kernel_w;
        out[i] = value_at(source, height, width, y, x);
        mask[i] = y < height && x < width ? (int)(y * width + x) : -1;
    }
}

KERNEL stochastic_pool_mean(Index count, const Real* __restrict__ x, Real* __restrict__ out, WINDOW) {
    EACH(i, count) {
        PLACE(i);
        const Real* source = SOURCE(i);
        Index bottom = smaller(top + kernel_h, height), right = smaller(left + kernel_w, width);
        Real total = 1.17549435e-38f, squares = 0;
        for (Index y = larger(top, 0); y < bottom; ++y)
            for (Index x = larger(left, 0); x < right; ++x) {
                Real value = source[y * width + x];
                total += value, squares += value * value;
            }
        out[i] = squares / total;
    }
}
