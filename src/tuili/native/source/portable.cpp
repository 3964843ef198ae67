// The library for any processor.
#include "unit.h"

using tuili::portable::TABLE;  // an error where the compiler's flags choose another instruction set
