/* Means of some of a column's values, added from the least to the greatest. */

/* A block of order statistics, in the L1 cache if they are few. */
struct LEVEL(block) {
    float values[ROWS_MAX][WIDTH];
    float *rows[ROWS_MAX];
};

static void LEVEL(lay_out)(struct LEVEL(block) *block, long num_rows)
{
    for (long k = 0; k < num_rows; k++)
        block->rows[k] = block->values[k];
}

/* Writes the mean of num_rows rows of a block from the first one on. */
static int LEVEL(mean)(
    const struct LEVEL(block) *block, long first, long num_rows, long width, float *result)
{
    float totals[WIDTH] = {0}, ones[ROWS_MAX];
    for (long k = 0; k < num_rows; k++)
        ones[k] = 1;
    const float *const *rows = (const float *const *)block->rows + first;
    LEVEL(add_rows)(rows, ones, num_rows, 0, width, totals);
    return LEVEL(divide)(result, totals, num_rows, width);
}

/* The mean of num_kept of the order statistics from the first one on. */
int LEVEL(mean_between)(
    const struct selection *wanted, long first, long num_kept, float *result)
{
    struct LEVEL(block) block;
    float sums[WIDTH] = {0};
    int faults = 0;
    LEVEL(lay_out)(&block, wanted->num_ranks);
    for (long start = 0, width; start < wanted->length; start += width) {
        width = width_from(wanted->rows[0], start, wanted->length);
        LEVEL(select)(wanted, start, width, block.rows, sums);
        faults |= LEVEL(mean)(&block, first, num_kept, width, result + start);
    }
    return faults | LEVEL(doubts)(sums);
}

/* Writes the median of sorted columns, or their mean without `trim` values at either end. */
static int LEVEL(centre)(
    const struct LEVEL(block) *block, long n, long trim, long width, float *result)
{
    if (trim >= 0)
        return LEVEL(mean)(block, trim, n - 2 * trim, width, result);
    LEVEL(midpoint)(block->values[(n - 1) / 2], block->values[n / 2], width, result);
    return 0;
}

/* Counts the pairs of values, num_kept apart, of which the lower one is farther from the centre. */
static void LEVEL(window_start)(
    const struct LEVEL(block) *block, long n, long num_kept, long width,
    const float *restrict centre, int32_t *restrict counts)
{
    for (long k = 0; k + num_kept < n; k++) {
        const float *restrict lower = block->values[k], *restrict upper = block->values[k + num_kept];
        COLUMNS
        for (long j = 0; j < width; j++) {
            /* Halves cannot overflow. */
            float half = centre[j] * 0.5f;
            counts[j] += half - lower[j] * 0.5f > upper[j] * 0.5f - half;
        }
    }
}

static void LEVEL(add_window)(
    const struct LEVEL(block) *block, long n, long num_kept, long width,
    const int32_t *restrict first, float *restrict totals)
{
    for (long k = 0; k < n; k++) {
        const float *restrict values = block->values[k];
        if (n - num_kept <= k && k < num_kept)
            COLUMNS
            for (long j = 0; j < width; j++)
                totals[j] += values[j];
        else
            COLUMNS
            for (long j = 0; j < width; j++)
                totals[j] += first[j] <= k && k < first[j] + num_kept ? values[j] : 0;
    }
}

/* The mean of the num_kept values of a column nearest to its centre. */
int LEVEL(nearest_mean)(
    const struct selection *wanted, long num_kept, long trim, float *result)
{
    struct LEVEL(block) block;
    float sums[WIDTH] = {0};
    int faults = 0;
    long n = wanted->num_rows;
    LEVEL(lay_out)(&block, n);
    for (long start = 0, width; start < wanted->length; start += width) {
        width = width_from(wanted->rows[0], start, wanted->length);
        float centre[WIDTH], totals[WIDTH] = {0};
        int32_t first[WIDTH] = {0};
        LEVEL(select)(wanted, start, width, block.rows, sums);
        faults |= LEVEL(centre)(&block, n, trim, width, centre);
        LEVEL(window_start)(&block, n, num_kept, width, centre, first);
        LEVEL(add_window)(&block, n, num_kept, width, first, totals);
        faults |= LEVEL(divide)(result + start, totals, num_kept, width);
    }
    return faults | LEVEL(doubts)(sums);
}
