// The body of each instruction set's unit: everything that is compiled for it, and its table.
#pragma once
#include "steps.h"
#include "table.h"
#include "training/unit.h"

namespace tuili::TUILI_SET {

inline void product_call(const ProductCall& call) {
  Workspace workspace(call.workspace, call.workspace_bytes);
  const Matrix& matrix = *call.matrix;
  const Inputs inputs = prepare(matrix, call.x_RK, call.x_stride, call.prepared, workspace);
  product(matrix, inputs, call.rows, call.count, call.y_RN, call.y_stride, *call.threads, call.places);
}

#define TUILI_NAME_OF(set) #set
#define TUILI_NAME(set) TUILI_NAME_OF(set)
extern const Table TABLE;
const Table TABLE = {TUILI_NAME(TUILI_SET), product_call, prepared_bytes, pack, trunk, group, exit, confidence, leave,
                     verify, step_bytes, verify_bytes, training::TABLE};

}  // namespace tuili::TUILI_SET
