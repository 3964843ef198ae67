// What an instruction set offers: one function pointer for each function of the library that is compiled for it.
#pragma once
#include "step.h"
#include "training/calls.h"

namespace tuili {

// A product for tests and measurements: x_RK has `prepared` rows; see `product` in product.h for the rest.
struct ProductCall {
  const Matrix* matrix;
  const float* x_RK;
  int64_t x_stride;
  const int32_t* rows;
  const int32_t* places;
  float* y_RN;
  int64_t y_stride;
  void* workspace;
  int64_t workspace_bytes;
  Threads* threads;
  int32_t prepared, count;
};
static_assert(sizeof(ProductCall) == 88, "tests/native/calling.py mirrors it");

struct Table {
  const char* name;
  void (*product)(const ProductCall&);
  int64_t (*prepared_bytes)(Format format, int rows, int inputs);
  int (*pack)(const Matrix& matrix, const float* weight_NK, void* workspace, Threads& threads);
  int (*trunk)(const Batch& batch, const Slots& slots, int rows);
  void (*group)(const Batch& batch, const Slots& slots, int group, int going);
  void (*exit)(const Batch& batch, int going, int among);
  void (*confidence)(const Batch& batch, const Slots& slots, int index, int going);
  void (*leave)(const Batch& batch, const Slots& slots, int index, int going);
  void (*verify)(const Model& model, const Verifier& verifier, const Response& response);
  int64_t (*step_bytes)(const Model& model, int rows);
  int64_t (*verify_bytes)(const Model& model, const Verifier& verifier, int tokens);
  TrainingTable training;
};

}  // namespace tuili
