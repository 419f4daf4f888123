/* What is done to single numbers. */

static inline int LEVEL(finite)(float x)
{
    return __builtin_fabsf(x) <= FLT_MAX;
}

static inline float LEVEL(middle)(float low, float high)
{
    float mean = (low + high) * 0.5f;
    /* Halving first is exact where the sum overflows, though not for the tiniest values. */
    float halves = low * 0.5f + high * 0.5f;
    return (LEVEL(finite)(mean) ? mean : halves) + 0.0f;
}
