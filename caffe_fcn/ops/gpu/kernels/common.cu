// Put before every file of kernels. REAL is float or double; WIDE is 1 for blobs of 2^30 values and more.
// One thread computes one element, or several in steps of the whole grid. There are no atomic additions of floats:
// the same numbers come out of every run.

typedef REAL Real;
#if WIDE
typedef long long Index;
#else
typedef int Index;
#endif

#define KERNEL extern "C" __global__ void
#define EACH(i, count) \
    for (Index i = blockIdx.x * (Index)blockDim.x + threadIdx.x; i < count; i += (Index)gridDim.x * blockDim.x)

__device__ inline Index smaller(Index a, Index b) { return a < b ? a : b; }
__device__ inline Index larger(Index a, Index b) { return a > b ? a : b; }

// a / b rounded up; b is positive.
__device__ inline Index divide_up(Index a, Index b) { return a > 0 ? (a - 1) / b + 1 : -(-a / b); }
