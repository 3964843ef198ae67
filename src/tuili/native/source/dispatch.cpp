// The library's plain C interface. It calls the instruction set that was chosen; the first one is the best that runs here.
#include "table.h"
#include "text/kernels.h"

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define TUILI_EXPORT extern "C" __attribute__((visibility("default")))

namespace tuili {

// Null where the build has no such unit.
#define TUILI_UNIT(set) namespace set { extern __attribute__((weak)) const Table TABLE; }
TUILI_UNIT(avx512)
TUILI_UNIT(avx2)
TUILI_UNIT(neon)
TUILI_UNIT(portable)

namespace {

struct Choice {
  const Table* table;
  bool (*supported)();
  bool runs_here() const { return table && supported(); }
};

const Choice CHOICES[] = {
#if defined(__x86_64__)
    {&avx512::TABLE, [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni") &&
              __builtin_cpu_supports("avx512bf16");
     }},
    {&avx2::TABLE, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#elif defined(__aarch64__)
    {&neon::TABLE, [] { return (getauxval(AT_HWCAP) >> 20 & 1) != 0; }},  // HWCAP_ASIMDDP
#endif
    {&portable::TABLE, [] { return true; }},
};

const Table* chosen = nullptr;

}  // namespace
}  // namespace tuili

using namespace tuili;

// Grows with every change of a structure or a function that Python sees.
TUILI_EXPORT int32_t tuili_abi() { return 7; }

// The name of the index-th instruction set that was built and runs on this processor, the best first; null behind the last.
TUILI_EXPORT const char* tuili_instruction_set(int32_t index) {
  for (const Choice& choice : CHOICES)
    if (choice.runs_here() && index-- == 0) return choice.table->name;
  return nullptr;
}

// Choose an instruction set by its name: 1 where it can run, else 0. One must be chosen before any other call.
TUILI_EXPORT int32_t tuili_choose(const char* name) {
  for (const Choice& choice : CHOICES)
    if (choice.runs_here() && std::strcmp(choice.table->name, name) == 0) {
      chosen = choice.table;
      return 1;
    }
  return 0;
}

TUILI_EXPORT Threads* tuili_threads(int32_t count) {
  void* memory = std::malloc(sizeof(Threads));
  return memory ? new (memory) Threads(count) : nullptr;
}
TUILI_EXPORT void tuili_threads_end(Threads* threads) {
  threads->~Threads();
  std::free(threads);
}

TUILI_EXPORT void tuili_product(const ProductCall* call) { chosen->product(*call); }
TUILI_EXPORT int64_t tuili_prepared_bytes(int32_t format, int32_t rows, int32_t inputs) {
  return chosen->prepared_bytes(Format(format), rows, inputs);
}

TUILI_EXPORT int32_t tuili_pack(const Matrix* matrix, const float* weight_NK, void* workspace, Threads* threads) {
  return chosen->pack(*matrix, weight_NK, workspace, *threads);
}

TUILI_EXPORT int32_t tuili_trunk(const Batch* batch, const Slots* slots, int32_t rows) {
  return chosen->trunk(*batch, *slots, rows);
}
TUILI_EXPORT void tuili_group(const Batch* batch, const Slots* slots, int32_t group, int32_t going) {
  chosen->group(*batch, *slots, group, going);
}
TUILI_EXPORT void tuili_exit(const Batch* batch, int32_t going, int32_t among) { chosen->exit(*batch, going, among); }
TUILI_EXPORT void tuili_confidence(const Batch* batch, const Slots* slots, int32_t index, int32_t going) {
  chosen->confidence(*batch, *slots, index, going);
}
TUILI_EXPORT void tuili_leave(const Batch* batch, const Slots* slots, int32_t index, int32_t going) {
  chosen->leave(*batch, *slots, index, going);
}
TUILI_EXPORT int64_t tuili_step_bytes(const Model* model, int32_t rows) { return chosen->step_bytes(*model, rows); }
TUILI_EXPORT void tuili_verify(const Model* model, const Verifier* verifier, const Response* response) {
  chosen->verify(*model, *verifier, *response);
}
TUILI_EXPORT int64_t tuili_verify_bytes(const Model* model, const Verifier* verifier, int32_t tokens) {
  return chosen->verify_bytes(*model, *verifier, tokens);
}

#include "text/exports.h"
#include "training/exports.h"
