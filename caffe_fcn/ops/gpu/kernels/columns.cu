// Kernel windows as columns, for up to three spatial axes (z, y, x; missing ones have size 1), of one image.
// Columns are (channels * taps, pixels): output pixels `first` ... `first + pixels` - 1 of the image.

#define AXIS(a) Index in_##a, Index out_##a, Index kernel_##a, Index stride_##a, Index pad_##a, Index dilation_##a
#define AXES AXIS(z), AXIS(y), AXIS(x)

// The input position that tap t of output o reads on axis a.
#define INPUT(a, o, t) ((o) * stride_##a - pad_##a + (t) * dilation_##a)
#define OUTSIDE(a) (a < 0 || a >= in_##a)

KERNEL im2col(Index count, const Real* __restrict__ image, Real* __restrict__ columns, Index first, Index pixels,
              AXES) {
    EACH(i, count) {
        Index pixel = first + i % pixels, row = i / pixels;
        Index z = INPUT(z, pixel / out_x / out_y, row / kernel_x / kernel_y % kernel_z);
        Index y = INPUT(y, pixel / out_x % out_y, row / kernel_x % kernel_y);
        Index x = INPUT(x, pixel % out_x, row % kernel_x);
        Index channel = row / kernel_x / kernel_y / kernel_z;
        columns[i] = OUTSIDE(z) || OUTSIDE(y) || OUTSIDE(x) ? (Real)0
            : image[((channel * in_z + z) * in_y + y) * in_x + x];
    }
}

// The taps through which output o reads input `at`: first ... last in steps of 1, none if last < first.
struct Taps { Index first, last; };
__device__ inline Taps taps(Index at, Index o, Index kernel, Index stride, Index pad, Index dilation) {
    Index distance = at + pad - o * stride;
    Taps none = {0, -1}, all = {0, kernel - 1};
    if (dilation == 0) return distance == 0 ? all : none;
    if (distance % dilation || distance < 0 || distance / dilation >= kernel) return none;
    Taps one = {distance / dilation, distance / dilation};
    return one;
}
#define TAPS(a, at, o) Taps t##a = taps(at, o, kernel_##a, stride_##a, pad_##a, dilation_##a)

// For each output o of axis a that can read input `at`.
#define OUTPUTS(a, o, at) \
    for (Index o = larger(divide_up((at) + pad_##a - dilation_##a * (kernel_##a - 1), stride_##a), 0); \
         o <= smaller(((at) + pad_##a) / stride_##a, out_##a - 1); ++o)

// count: values of the image. add: keep what is there.
KERNEL col2im(Index count, const Real* __restrict__ columns, Real* __restrict__ image, Index first, Index pixels,
              Index add, AXES) {
    EACH(i, count) {
        Index z = i / in_x / in_y % in_z, y = i / in_x % in_y, x = i % in_x, channel = i / in_x / in_y / in_z;
        Real total = add ? image[i] : (Real)0;
        OUTPUTS(z, oz, z) {
            TAPS(z, z, oz);
            if (tz.last < tz.first) continue;
            OUTPUTS(y, oy, y) {
                TAPS(y, y, oy);
                if (ty.last < ty.first) continue;
                OUTPUTS(x, ox, x) {
                    TAPS(x, x, ox);
                    Index pixel = (oz * out_y + oy) * out_x + ox - first;
                    if (pixel < 0 || pixel >= pixels) continue;
                    for (Index a = tz.first; a <= tz.last; ++a)
                        for (Index b = ty.first; b <= ty.last; ++b)
                            for (Index c = tx.first; c <= tx.last; ++c)
                                total += columns[(((channel * kernel_z + a) * kernel_y + b) * kernel_x + c) * pixels
                                                 + pixel];
                }
            }
        }
        image[i] = total;
    }
}

// Depthwise convolution: each channel of x has `each` channels of the output to itself. weight: (channels * each, taps).

KERNEL depthwise(Index count, const Real* __restrict__ x, const Real* __restrict__ weight,
                 const Real* __restrict__ bias, Real* __restrict__ out, Index channels, Index each, AXES) {
    EACH(i, count) {
        Index pixels = out_z * out_y * out_x, pixel = i % pixels, plane = i / pixels, output = plane % (channels * each);
        const Real* image = x + plane / each * in_z * in_y * in_x;
        const Real* taps = weight + output * kernel_z * kernel_y * kernel_x;
        Real total = bias ? bias[output] : (Real)0;
        for (Index a = 0; a < kernel_z; ++a) {
            Index z = INPUT(z, pixel / out_x / out_y, a);
            if (OUTSIDE(z)) continue;
            for (Index b = 0; b < kernel_y; ++b) {
                Index y = INPUT(y, pixel / out_x % out_y, b);
                if (OUTSIDE(y)) continue;
                for (Index c = 0; c < kernel_x; ++c) {
                    Index x = INPUT(x, pixel % out_x, c);
                    if (!OUTSIDE(x)) total += taps[(a * kernel_y + b) * kernel_x + c] * image[(z * in_y + y) * in_x + x];
                }
            }
        }
        out[i] = total;
    }
}

// count: values of grad_x. This is also the deconvolution.
KERNEL depthwise_backward_data(Index count, const Real* __restrict__ grad_out, const Real* __restrict__ weight,
                               Real* __restrict__ grad_x, Index channels, Index each, AXES) {
    EACH(i, count) {
        Index z = i / in_x / in_y % in_z, y = i / in_x % in_y, x = i % in_x, plane = i / in_x / in_y / in_z;
        Index channel = plane % channels;
        Real total = 0;
        for (Index m = 0; m < each; ++m) {
            const Real* source = grad_out + (plane * each + m) * out_z * out_y * out_x;
            const Real* kernel = weight + (channel * each + m) * kernel_z * kernel_y * kernel_x;
            OUTPUTS(z, oz, z) {
                TAPS(z, z, oz);
                OUTPUTS(y, oy, y) {
                    TAPS(y, y, oy);
                    OUTPUTS(x, ox, x) {
                        TAPS(x, x, ox);
                        Real grad = source[(oz * out_y + oy) * out_x + ox];
                        for (Index a = tz.first; a <= tz.last; ++a)
                            for (Index b = ty.first; b <= ty.last; ++b)
                                for (Index c = tx.first; c <= tx.last; ++c)
                                    total += kernel[(a * kernel_y + b) * kernel_x + c] * grad;
                    }
                }
            }
        }
        grad_x[i] = total;
    }
}

// parts: (blocks, channels * each * taps), one sum over `block` of all (image, pixel) pairs each; count: all of them.
KERNEL depthwise_backward_weight(Index count, const Real* __restrict__ x, const Real* __restrict__ grad_out,
                                 Real* __restrict__ parts, Index channels, Index each, Index images, Index block,
                                 AXES) {
    Index taps = kernel_z * kernel_y * kernel_x, outputs = channels * each, pixels = out_z * out_y * out_x;
    EACH(i, count) {
        Index tap = i % taps, output = i / taps % outputs, first = i / taps / outputs * block;
        Real total = 0;
        for (Index place = first; place < smaller(first + block, images * pixels); ++place) {
            Index image = place / pixels, pixel = place % pixels;
            Index z = INPUT(z, pixel / out_x / out_y, tap / kernel_x / kernel_y);
            Index y = INPUT(y, pixel / out_x % out_y, tap / kernel_x % kernel_y);
            Index x_ = INPUT(x, pixel % out_x, tap % kernel_x);
            if (OUTSIDE(z) || OUTSIDE(y) || x_ < 0 || x_ >= in_x) continue;
            total += x[(((image * channels + output / each) * in_z + z) * in_y + y) * in_x + x_]
                * grad_out[(image * outputs + output) * pixels + pixel];
        }
        parts[i] = total;
    }
}
