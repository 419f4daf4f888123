/* The loops over coordinates in C. interface.py says what they compute and fallback.py how; results
   are those of fallback.py bit for bit.

   All of it is compiled once for each level that an x86-64 processor may have, and library.py
   asks for the highest one that is there. */

#include <float.h>
#include <stdint.h>
#include <string.h>

/* What a function reports of its rows: a sum of all values that is not finite, which an overflow
   may be the reason of, and a result that is not, though its rows may be. */
enum { DOUBTFUL = 1, OVERFLOWED = 2 };

#include "built.h"
#include "records.h"

#define PASTE(name, level) name##_##level
#define JOIN(name, level) PASTE(name, level)
#define LEVEL(name) JOIN(name, LEVEL_NAME)

/* The levels' names are library.py's, in this order. */

#define LEVEL_NAME plain
#define WIDE 4
#include "level.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define LEVEL_NAME avx2
#define WIDE 4
#include "level.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")
#define LEVEL_NAME avx512
#define WIDE 8
#define WIDEN_FLOATS(address) _mm512_cvtps_pd(_mm256_loadu_ps(address))
#include "level.h"
#pragma GCC pop_options

int level(void)
{
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

#else

int level(void)
{
    return 0;
}

#endif

/* Which sources this was compiled from; up to how many rows selectors are unrolled, and any. */
const char sources[] = SOURCES;
const long unrolled_max = UNROLLED_MAX;
const long rows_max = ROWS_MAX;
