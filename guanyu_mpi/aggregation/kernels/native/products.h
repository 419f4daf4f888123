/* Inner products in float64, in the order of additions that sums.py fixes. */

typedef double LEVEL(wide) __attribute__((vector_size(8 * WIDE), aligned(8), may_alias));
typedef float LEVEL(narrow) __attribute__((vector_size(4 * WIDE), aligned(4), may_alias));
#define wide LEVEL(wide)
#define narrow LEVEL(narrow)

/* gcc converts a whole vector by an intrinsic only. */
#ifndef WIDEN_FLOATS
#define WIDEN_FLOATS(address) __builtin_convertvector(*(const narrow *)(address), wide)
#endif

/* Products of float32 are exact in float64: there, one rounding instead of two is the same. */
#pragma GCC push_options
#pragma GCC optimize("fp-contract=fast")
#define TILE_NAME(name) LEVEL(name##_float32)
#define ELEMENT float
#define WIDEN(address) WIDEN_FLOATS(address)
#include "tiles.h"
#pragma GCC pop_options
#undef TILE_NAME
#undef ELEMENT
#undef WIDEN

#define TILE_NAME(name) LEVEL(name##_float64)
#define ELEMENT double
#define WIDEN(address) (*(const wide *)(address))
#include "tiles.h"
#undef TILE_NAME
#undef ELEMENT
#undef WIDEN
#undef wide
#undef narrow

/* Copies a block of a row, minus the centre, in float64, and zeros up to the block's end. */
static void LEVEL(copy)(const struct vectors *x, const void *row, long start, double *copy)
{
    long width = LESSER(BLOCK, x->length - start);
    if (x->is_narrow) {
        const float *values = (const float *)row + start;
        COLUMNS
        for (long j = 0; j < width; j++)
            copy[j] = values[j];
    } else {
        memcpy(copy, (const double *)row + start, width * sizeof *copy);
    }
    if (x->centre && x->is_narrow) {
        const float *centre = (const float *)x->centre + start;
        COLUMNS
        for (long j = 0; j < width; j++)
            copy[j] -= centre[j];
    } else if (x->centre) {
        const double *centre = (const double *)x->centre + start;
        COLUMNS
        for (long j = 0; j < width; j++)
            copy[j] -= centre[j];
    }
    memset(copy + width, 0, (BLOCK - width) * sizeof *copy);
}

/* Points operands at a block of each row, or at a copy of it, and says whether they are float32. */
static int LEVEL(point)(const struct vectors *x, long start)
{
    int direct = !x->centre && x->length - start >= BLOCK;
    for (long k = 0; k < x->num_rows; k++)
        if (!direct) {
            x->operands[k] = x->copies[k];
            LEVEL(copy)(x, x->rows[k], start, x->copies[k]);
        } else if (x->is_narrow) {
            x->operands[k] = (const float *)x->rows[k] + start;
        } else {
            x->operands[k] = (const double *)x->rows[k] + start;
        }
    return direct && x->is_narrow;
}

/* Adds the upper half of the lanes to the lower one until one is left. */
static double LEVEL(fold)(double *lanes)
{
    for (long half = LANES / 2; half; half /= 2)
        for (long lane = 0; lane < half; lane++)
            lanes[lane] += lanes[half + lane];
    return lanes[0];
}

/* Adds a tile's products in a block to sums (n, n). */
static void LEVEL(add_tile)(
    tile *multiply, const struct vectors *x, long i, long j, long height, long width, double *sums)
{
    double lanes[TILE][TILE][LANES] __attribute__((aligned(64)));
    multiply(x->operands + i, x->operands + j, lanes);
    for (long p = 0; p < height; p++)
        for (long q = 0; q < (i == j ? p + 1 : width); q++)
            sums[(i + p) * x->num_rows + j + q] += LEVEL(fold)(lanes[p][q]);
}

/* Inner products of all pairs: the lower half of (n, n). */
void LEVEL(products)(const struct vectors *x, double *sums)
{
    for (long start = 0; start < x->length; start += BLOCK) {
        int narrow = LEVEL(point)(x, start);
        tile *const *oblongs = narrow ? LEVEL(oblong_float32) : LEVEL(oblong_float64);
        tile *const *triangles = narrow ? LEVEL(triangle_float32) : LEVEL(triangle_float64);
        for (long i = 0; i < x->num_rows; i += TILE) {
            long height = LESSER(TILE, x->num_rows - i);
            for (long j = 0; j < i; j += TILE)
                LEVEL(add_tile)(oblongs[height], x, i, j, height, TILE, sums);
            LEVEL(add_tile)(triangles[height], x, i, i, height, height, sums);
        }
    }
}

/* Inner products of the last few vectors, up to a tile's side, with each of those before them. */
void LEVEL(dots)(const struct vectors *x, long few, double *sums)
{
    long others = x->num_rows - few;
    long side = few == 1 ? COLUMN : TILE;
    for (long start = 0; start < x->length; start += BLOCK) {
        int narrow = LEVEL(point)(x, start);
        tile *const *columns = narrow ? LEVEL(column_float32) : LEVEL(column_float64);
        tile *const *strips = narrow ? LEVEL(strip_float32) : LEVEL(strip_float64);
        /* A tile that is not full repeats the last one. */
        const void *right[TILE];
        for (long q = 0; q < TILE; q++)
            right[q] = x->operands[others + LESSER(q, few - 1)];
        for (long i = 0; i < others; i += side) {
            long height = LESSER(side, others - i);
            double lanes[TILE][TILE][LANES] __attribute__((aligned(64)));
            (few == 1 ? columns : strips)[height](x->operands + i, right, lanes);
            for (long p = 0; p < height; p++)
                for (long q = 0; q < few; q++)
                    sums[(i + p) * few + q] += LEVEL(fold)(lanes[p][q]);
        }
    }
}
