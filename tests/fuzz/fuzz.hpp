// What the driver (driver.cpp) knows of the readers it feeds (targets.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

struct Target {
    const char* name;
    void (*read)(const std::uint8_t* bytes, std::size_t size);
    std::size_t fixed;  // so many first bytes are rarely changed: a wrong one ends the reading
};

extern const Target kTargets[];  // the last one has no name

// Whether the input was read to its end; false if it was refused.
bool try_input(const Target& target, const std::uint8_t* bytes, std::size_t size);
