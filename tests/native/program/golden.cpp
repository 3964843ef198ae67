#include "golden.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace tuili::program {
namespace {

constexpr size_t ALIGNMENT = 64;

Place place_in(std::istream& file) {
  Place place{};
  file >> place.piece >> place.offset;
  return place;
}

Action action_in(std::istream& file, const std::string& kind) {
  Action action{kind, {}, {}, {}};
  size_t places = 0, numbers = 0;
  file >> action.name >> places;
  for (size_t i = 0; i < places; i++) action.places.push_back(place_in(file));
  file >> numbers;
  for (size_t i = 0; i < numbers; i++) {
    double number = 0;
    file >> number;
    action.numbers.push_back(number);
  }
  return action;
}

}  // namespace

Golden::Golden(const char* path) {
  std::ifstream file(path, std::ios::binary);
  for (std::string word; file >> word;) {
    if (word == "memory" || word == "scratch") {
      Piece piece{};
      file >> piece.size;
      file.get();  // the end of the line
      if (word == "memory") {
        piece.content.resize(size_t(piece.size));
        file.read(piece.content.data(), piece.size);
      }
      pieces.push_back(piece);
    } else if (word == "pointer") {
      const Place place = place_in(file);
      pointers.push_back({place, place_in(file)});
    } else {
      actions.push_back(action_in(file, word));
    }
    if (!file) {
      std::fprintf(stderr, "%s ends within %s\n", path, word.c_str());
      std::exit(2);
    }
  }
}

Memory::Memory(const Golden& golden, Threads* threads) {
  for (const Piece& piece : golden.pieces) {
    void* memory = nullptr;
    if (posix_memalign(&memory, ALIGNMENT, size_t(piece.size))) std::abort();
    pieces_.push_back(static_cast<char*>(memory));
    if (piece.content.empty()) std::memset(memory, 0xff, size_t(piece.size));
    else std::memcpy(memory, piece.content.data(), size_t(piece.size));
  }
  for (const Pointer& pointer : golden.pointers) {
    void* target = pointer.target.piece < 0 ? static_cast<void*>(threads) : at<char>(pointer.target);
    std::memcpy(at<char>(pointer.place), &target, sizeof target);
  }
}

Memory::~Memory() {
  for (char* piece : pieces_) std::free(piece);
}

}  // namespace tuili::program
