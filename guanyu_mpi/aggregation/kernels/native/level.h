/* Included once for each level of the processor. */

#include "numbers.h"
#include "linear.h"
#include "order.h"
#include "means.h"
#include "products.h"

#undef LEVEL_NAME
#undef WIDE
#undef WIDEN_FLOATS
