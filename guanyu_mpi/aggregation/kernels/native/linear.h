/* Linear combinations of rows, and of single coordinates. */

#include "adders.h"

/* Adds rows times factors to totals, one after another. */
static void LEVEL(add_rows)(
    const float *const *rows, const float *factors, long num_rows, long start, long width,
    float *totals)
{
    for (long k = 0; k < num_rows; k += ADDED_MAX)
        LEVEL(adders)[LESSER(ADDED_MAX, num_rows - k)](rows + k, factors + k, start, width, totals);
}

/* Writes totals over a divisor, and reports whether one is not finite. */
static int LEVEL(divide)(
    float *restrict result, const float *restrict totals, float divisor, long width)
{
    int overflowed = 0;
    COLUMNS
    for (long j = 0; j < width; j++) {
        float mean = totals[j] / divisor;
        overflowed |= !LEVEL(finite)(mean);
        result[j] = mean;
    }
    return overflowed ? OVERFLOWED : 0;
}

int LEVEL(combine)(
    const float *const *rows, long num_rows, long length, const float *factors, float divisor,
    float *result)
{
    int faults = 0;
    for (long start = 0, width; start < length; start += width) {
        width = width_from(result, start, length);
        float totals[WIDTH] = {0};
        LEVEL(add_rows)(rows, factors, num_rows, start, width, totals);
        faults |= LEVEL(divide)(result + start, totals, divisor, width);
    }
    return faults;
}

void LEVEL(clamp)(
    const float *restrict row, float *restrict low, const float *restrict high, long length)
{
    COLUMNS
    for (long j = 0; j < length; j++) {
        float raised = GREATER(row[j], low[j]);
        low[j] = LESSER(raised, high[j]) + 0.0f;
    }
}

void LEVEL(midpoint)(
    const float *restrict low, const float *restrict high, long length, float *restrict result)
{
    COLUMNS
    for (long j = 0; j < length; j++)
        result[j] = LEVEL(middle)(low[j], high[j]);
}
