// The library for AVX-512 with VNNI and bf16.
#include "unit.h"

using tuili::avx512::TABLE;  // an error where the compiler's flags choose another instruction set
