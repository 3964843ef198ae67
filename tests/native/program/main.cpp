// Runs the calls of a golden file with every instruction set that runs here and with 1 to 3 threads, and checks what they
// leave behind: against the file, and the bits of several threads against those of one.
//   program GOLDEN
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>

#include "golden.h"
#include "pool.h"
#include "table.h"
#include "text/kernels.h"
#include "vectors.h"

extern "C" {
const char* tuili_instruction_set(int32_t index);
int32_t tuili_choose(const char* name);
tuili::Threads* tuili_threads(int32_t count);
void tuili_threads_end(tuili::Threads* threads);
void tuili_product(const tuili::ProductCall* call);
int32_t tuili_trunk(const tuili::Batch* batch, const tuili::Slots* slots, int32_t rows);
void tuili_group(const tuili::Batch* batch, const tuili::Slots* slots, int32_t group, int32_t going);
void tuili_exit(const tuili::Batch* batch, int32_t going, int32_t among);
void tuili_confidence(const tuili::Batch* batch, const tuili::Slots* slots, int32_t index, int32_t going);
void tuili_leave(const tuili::Batch* batch, const tuili::Slots* slots, int32_t index, int32_t going);
void tuili_verify(const tuili::Model* model, const tuili::Verifier* verifier, const tuili::Response* response);
void tuili_experts_forward(const tuili::ExpertsCall* call);
void tuili_experts_backward(const tuili::ExpertsCall* call);
void tuili_route_forward(const tuili::RouteCall* call);
void tuili_route_backward(const tuili::RouteCall* call);
void tuili_rows(const tuili::RowsCall* call, int32_t chain);
void tuili_attention_forward(const tuili::AttentionCall* call);
void tuili_attention_backward(const tuili::AttentionCall* call);
int32_t tuili_encode(const tuili::CodecCall* call);
int32_t tuili_decode(const tuili::CodecCall* call);
void tuili_scan(tuili::text::Scan* call);
void tuili_runs(const uint64_t* hash, int64_t count, int64_t n, uint64_t* found);
void tuili_stretches(const uint64_t* hash, const int64_t* start, const int64_t* end, int64_t count, uint64_t* found);
int32_t tuili_repeated(const uint64_t* hash, int64_t count, uint64_t secret, uint8_t* again);
int64_t tuili_commonest(const uint64_t* run, int64_t count, int64_t n, uint64_t secret, const int64_t* length_sum);
void tuili_least_products(const uint64_t* hash, int64_t count, const uint64_t* factor, int64_t factors, uint64_t* least);
}

namespace tuili {

#if defined(TUILI_WITH_AVX512)
namespace avx512 { extern const program::VectorFunction VECTOR_FUNCTIONS[]; }
#endif
#if defined(TUILI_WITH_AVX2)
namespace avx2 { extern const program::VectorFunction VECTOR_FUNCTIONS[]; }
#endif
#if defined(TUILI_WITH_NEON)
namespace neon { extern const program::VectorFunction VECTOR_FUNCTIONS[]; }
#endif
namespace portable { extern const program::VectorFunction VECTOR_FUNCTIONS[]; }

namespace program {

const VectorFunction* vector_functions(const char* set) {
#if defined(TUILI_WITH_AVX512)
  if (!std::strcmp(set, "avx512")) return avx512::VECTOR_FUNCTIONS;
#endif
#if defined(TUILI_WITH_AVX2)
  if (!std::strcmp(set, "avx2")) return avx2::VECTOR_FUNCTIONS;
#endif
#if defined(TUILI_WITH_NEON)
  if (!std::strcmp(set, "neon")) return neon::VECTOR_FUNCTIONS;
#endif
  return portable::VECTOR_FUNCTIONS;
}

namespace {

class Run {
 public:
  Run(const Golden& golden, const char* set, int threads)
      : set_(set), threads_(tuili_threads(threads)), memory_(golden, threads_) {
    for (const Action& action : golden.actions) {
      if (action.kind == "call") call(action);
      else if (action.kind == "vector") vector(action);
      else if (action.kind == "copy") std::memcpy(at<char>(action, 0), at<char>(action, 1), size_t(action.numbers[0]));
      else check(action);
    }
  }
  ~Run() { tuili_threads_end(threads_); }

  int wrong = 0, checked = 0;
  std::string bits;  // of all that was checked

 private:
  template <class T>
  T* at(const Action& action, size_t place) const {
    return memory_.at<T>(action.places[place]);
  }

  void complain(const Action& action, const std::string& what) {
    wrong++;
    std::printf("%s: %s: %s\n", set_, action.name.c_str(), what.c_str());
  }

  void call(const Action& action) {
    const auto number = [&](size_t i) { return int32_t(action.numbers[i]); };
    const std::map<std::string, std::function<void()>> calls = {
        {"product", [&] { tuili_product(at<ProductCall>(action, 0)); }},
        {"trunk", [&] {
           const int32_t read = tuili_trunk(at<Batch>(action, 0), at<Slots>(action, 1), number(0));
           if (read != number(0)) complain(action, "a row is refused");
         }},
        {"group", [&] { tuili_group(at<Batch>(action, 0), at<Slots>(action, 1), number(0), number(1)); }},
        {"exit", [&] { tuili_exit(at<Batch>(action, 0), number(0), number(1)); }},
        {"confidence", [&] { tuili_confidence(at<Batch>(action, 0), at<Slots>(action, 1), number(0), number(1)); }},
        {"leave", [&] { tuili_leave(at<Batch>(action, 0), at<Slots>(action, 1), number(0), number(1)); }},
        {"verify", [&] { tuili_verify(at<Model>(action, 0), at<Verifier>(action, 1), at<Response>(action, 2)); }},
        {"experts_forward", [&] { tuili_experts_forward(at<ExpertsCall>(action, 0)); }},
        {"experts_backward", [&] { tuili_experts_backward(at<ExpertsCall>(action, 0)); }},
        {"route_forward", [&] { tuili_route_forward(at<RouteCall>(action, 0)); }},
        {"route_backward", [&] { tuili_route_backward(at<RouteCall>(action, 0)); }},
        {"rows", [&] { tuili_rows(at<RowsCall>(action, 0), number(0)); }},
        {"attention_forward", [&] { tuili_attention_forward(at<AttentionCall>(action, 0)); }},
        {"attention_backward", [&] { tuili_attention_backward(at<AttentionCall>(action, 0)); }},
        {"encode", [&] { if (tuili_encode(at<CodecCall>(action, 0))) complain(action, "a message is refused"); }},
        {"scan", [&] { tuili_scan(at<text::Scan>(action, 0)); }},
        {"runs", [&] { tuili_runs(at<uint64_t>(action, 0), number(0), number(1), at<uint64_t>(action, 1)); }},
        {"stretches", [&] {
           tuili_stretches(at<uint64_t>(action, 0), at<int64_t>(action, 1), at<int64_t>(action, 2), number(0),
                           at<uint64_t>(action, 3));
         }},
        {"repeated", [&] {
           const bool done = tuili_repeated(at<uint64_t>(action, 0), number(0), uint64_t(number(1)), at<uint8_t>(action, 1));
           if (!done) complain(action, "there is no memory");
         }},
        {"commonest", [&] {
           const uint64_t secret = uint64_t(number(2));
           const int64_t* sums = at<int64_t>(action, 1);
           if (tuili_commonest(at<uint64_t>(action, 0), number(0), number(1), secret, sums) != number(3))
             complain(action, "another number of characters");
         }},
        {"least_products", [&] {
           tuili_least_products(at<uint64_t>(action, 0), number(0), at<uint64_t>(action, 1), number(1),
                                at<uint64_t>(action, 2));
         }},
        {"decode", [&] { if (tuili_decode(at<CodecCall>(action, 0))) complain(action, "a message is refused"); }},
    };
    calls.at(action.name)();
  }

  void vector(const Action& action) {
    const VectorFunction* function = vector_functions(set_);
    while (function->name && action.name != function->name) function++;
    if (!function->name) return complain(action, "no such function");
    function->run(at<char>(action, 0), at<char>(action, 1), int(action.numbers[0]));
  }

  void check(const Action& action) {
    if (action.kind == "float32") compare<float>(action);
    else if (action.kind == "float64") compare<double>(action);
    else if (action.kind == "int64") compare<int64_t>(action);
    else if (action.kind == "int32") compare<int32_t>(action);
    else if (action.kind == "uint16") compare<uint16_t>(action);
    else if (action.kind == "int8") compare<int8_t>(action);
    else if (action.kind == "uint8") compare<uint8_t>(action);
    else complain(action, action.kind + " is no kind of action");
  }

  // Places: what is there, what should be. Numbers: how many, the error that may be, the same in proportion.
  template <class T>
  void compare(const Action& action) {
    const int64_t count = int64_t(action.numbers[0]);
    const T *got = at<T>(action, 0), *wanted = at<T>(action, 1);
    bits.append(reinterpret_cast<const char*>(got), size_t(count) * sizeof(T));
    for (int64_t i = 0; i < count; i++, checked++) {
      const double a = double(got[i]), b = double(wanted[i]);
      const bool equal = a == b || (std::isnan(a) && std::isnan(b));
      if (equal || std::fabs(a - b) <= action.numbers[1] + action.numbers[2] * std::fabs(b)) continue;
      char line[128];
      std::snprintf(line, sizeof line, "%.9g in place of %.9g at %lld of %lld", a, b, (long long)i, (long long)count);
      return complain(action, line);
    }
  }

  const char* set_;
  Threads* threads_;
  Memory memory_;
};

int run(const char* path) {
  const Golden golden(path);
  int wrong = 0;
  if (!pool_works()) wrong++, std::puts("the pool lost a part of a job");
  for (int index = 0; const char* set = tuili_instruction_set(index); index++) {
    tuili_choose(set);
    std::string bits;
    for (int threads = 1; threads <= 3; threads++) {
      const Run run(golden, set, threads);
      wrong += run.wrong;
      if (threads == 1) bits = run.bits;
      else if (bits != run.bits) wrong++, std::printf("%s: %d threads do not give the bits of one\n", set, threads);
      if (threads == 1) std::printf("%s: %d numbers\n", set, run.checked);
    }
  }
  return wrong ? 1 : 0;
}

}  // namespace
}  // namespace program
}  // namespace tuili

int main(int count, char** arguments) {
  if (count != 2) return std::fputs("usage: program GOLDEN\n", stderr), 2;
  return tuili::program::run(arguments[1]);
}
