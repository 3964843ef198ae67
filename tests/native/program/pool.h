#pragma once

namespace tuili::program {

// Whether pools of 1 to 4 threads run every part of every job exactly once.
bool pool_works();

}  // namespace tuili::program
