// The library for NEON with dot products.
#include "unit.h"

using tuili::neon::TABLE;  // an error where the compiler's flags choose another instruction set
