// The plain C interface of what reads texts; a part of dispatch.cpp.

TUILI_EXPORT void tuili_scan(text::Scan* call) { text::scan(*call); }
TUILI_EXPORT void tuili_runs(const uint64_t* hash, int64_t count, int64_t n, uint64_t* found) {
  text::runs(hash, count, n, found);
}
TUILI_EXPORT void tuili_stretches(const uint64_t* hash, const int64_t* start, const int64_t* end, int64_t count,
                                  uint64_t* found) {
  text::stretches(hash, start, end, count, found);
}
TUILI_EXPORT int32_t tuili_repeated(const uint64_t* hash, int64_t count, uint64_t secret, uint8_t* again) {
  return text::repeated(hash, count, secret, again);
}
TUILI_EXPORT int64_t tuili_commonest(const uint64_t* run, int64_t count, int64_t n, uint64_t secret,
                                     const int64_t* length_sum) {
  return text::commonest(run, count, n, secret, length_sum);
}
TUILI_EXPORT void tuili_least_products(const uint64_t* hash, int64_t count, const uint64_t* factor, int64_t factors,
                                       uint64_t* least) {
  text::least_products(hash, count, factor, factors, least);
}
