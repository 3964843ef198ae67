// The library for AVX2 with FMA and F16C.
#include "unit.h"

using tuili::avx2::TABLE;  // an error where the compiler's flags choose another instruction set
