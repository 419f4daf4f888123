/* Types and numbers that do not depend on the level; library.py has the records too. */

/* Of two equal numbers, which zeros of different signs are, the second one: as numpy has it. */
#define LESSER(a, b) ((a) < (b) ? (a) : (b))
#define GREATER(a, b) ((a) > (b) ? (a) : (b))

/* Before a loop over columns: none of them depends on another one. */
#if defined(__clang__)
#define COLUMNS _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define COLUMNS _Pragma("GCC ivdep")
#else
#define COLUMNS
#endif

/* Asks for a cache line in the L2 cache; the address may be outside of any array. */
#ifdef __GNUC__
#define FETCH(address) __builtin_prefetch(address, 0, 2)
#else
#define FETCH(address)
#endif

/* Columns that are worked on together: their number from each row stays in the L1 cache. */
#define WIDTH 256
/* More rows are left to fallback.py. */
#define ROWS_MAX 256

/* The width of the block that begins there: up to a cache line's border, for what is read across
   one is read twice. Large arrays all begin at the same distance from one. */
static inline long width_from(const float *row, long start, long length)
{
    long beyond = (uintptr_t)(row + start) % 64 / sizeof *row;
    return LESSER(WIDTH - beyond, length - start);
}

/* Adds rows times factors to totals, one after another. */
typedef void adder(
    const float *const *rows, const float *factors, long start, long width, float *totals);

/* Which order statistics of which rows. */
struct selection {
    const float *const *rows;
    long num_rows;
    long length;
    /* Of an unrolled selector, or negative: then the network is interpreted. */
    long kind;
    /* First and second place of each comparator, and whether it writes them. */
    const int32_t (*network)[4];
    long num_comparators;
    const int32_t *ranks;
    long num_ranks;
};

/* The kinds of unrolled selectors; generate.py says which ranks they find. */
enum { MEDIAN, MIDDLES, SORTED, KINDS };

/* Writes some order statistics of `width` columns, and adds all values of a column to its sum. */
typedef void selector(
    const float *const *rows, long start, long width, float *const *places, float *sums);

/* As in sums.py. */
#define BLOCK 2048
#define LANES 32

/* What to take inner products of. */
struct vectors {
    const void *const *rows;
    long num_rows;
    long length;
    /* Of float32; else float64. */
    long is_narrow;
    /* Of the rows' type, to be subtracted from each, or null. */
    const void *centre;
    /* Room for where the rows of a block are, and for copies of them. */
    const void **operands;
    double (*copies)[BLOCK];
};

/* Writes the lanes' sums of products of some rows with some others, in one block. */
typedef void tile(
    const void *const *left, const void *const *right, double (*lanes)[TILE][LANES]);
