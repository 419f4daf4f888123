/* Order statistics of every column. None is -0: of +0 and -0 the order of the rows would decide. */

#include "selectors.h"

/* A selector for any network: a place is a row of a block in the caches. */
static void LEVEL(interpret)(
    const struct selection *wanted, long start, long width, float *const *places, float *sums)
{
    float values[ROWS_MAX][WIDTH];
    for (long k = 0; k < wanted->num_rows; k++) {
        const float *restrict row = wanted->rows[k] + start;
        COLUMNS
        for (long j = 0; j < width; j++) {
            sums[j] += row[j];
            values[k][j] = row[j];
        }
    }
    for (long c = 0; c < wanted->num_comparators; c++) {
        const int32_t *comparator = wanted->network[c];
        float *restrict first = values[comparator[0]], *restrict second = values[comparator[1]];
        if (comparator[2] && comparator[3])
            COLUMNS
            for (long j = 0; j < width; j++) {
                float lesser = LESSER(first[j], second[j]);
                second[j] = GREATER(first[j], second[j]);
                first[j] = lesser;
            }
        else if (comparator[2])
            COLUMNS
            for (long j = 0; j < width; j++)
                first[j] = LESSER(first[j], second[j]);
        else
            COLUMNS
            for (long j = 0; j < width; j++)
                second[j] = GREATER(first[j], second[j]);
    }
    for (long k = 0; k < wanted->num_ranks; k++) {
        float *restrict place = places[k];
        COLUMNS
        for (long j = 0; j < width; j++)
            place[j] = values[wanted->ranks[k]][j] + 0.0f;
    }
}

static void LEVEL(select)(
    const struct selection *wanted, long start, long width, float *const *places, float *sums)
{
    if (wanted->kind < 0)
        LEVEL(interpret)(wanted, start, width, places, sums);
    else
        LEVEL(unrolled)[wanted->num_rows][wanted->kind](wanted->rows, start, width, places, sums);
}

static int LEVEL(doubts)(const float *sums)
{
    int doubtful = 0;
    COLUMNS
    for (long j = 0; j < WIDTH; j++)
        doubtful |= !LEVEL(finite)(sums[j]);
    return doubtful ? DOUBTFUL : 0;
}

int LEVEL(ranked)(const struct selection *wanted, float *const *results)
{
    float sums[WIDTH] = {0};
    float *places[ROWS_MAX];
    for (long start = 0, width; start < wanted->length; start += width) {
        width = width_from(wanted->rows[0], start, wanted->length);
        for (long k = 0; k < wanted->num_ranks; k++)
            places[k] = results[k] + start;
        LEVEL(select)(wanted, start, width, places, sums);
    }
    return LEVEL(doubts)(sums);
}

int LEVEL(middle_of_two)(const struct selection *wanted, float *result)
{
    float sums[WIDTH] = {0}, low[WIDTH], high[WIDTH];
    float *places[] = {low, high};
    for (long start = 0, width; start < wanted->length; start += width) {
        width = width_from(wanted->rows[0], start, wanted->length);
        LEVEL(select)(wanted, start, width, places, sums);
        LEVEL(midpoint)(low, high, width, result + start);
    }
    return LEVEL(doubts)(sums);
}
