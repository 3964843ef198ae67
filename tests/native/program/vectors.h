// The functions of vector.h over arrays, for each instruction set that was built.
#pragma once

namespace tuili::program {

struct VectorFunction {
  const char* name;  // null behind the last
  void (*run)(const void* x, void* y, int count);
};

// Those of an instruction set by its name.
const VectorFunction* vector_functions(const char* set);

}  // namespace tuili::program
