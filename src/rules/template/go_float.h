// The forms of floats that strconv has and that are not decimal.
#pragma once

#include <string>

namespace epi::rules {

// 'b': the mantissa as an integer and a power of two, "4503599627370496p-52".
std::string BinaryFloat(double v);
// 'x': one digit before the point and an exponent of at least two digits, "0x1.8p+00". With a negative precision as
// many digits as are needed.
std::string HexFloat(double v, int precision);

}  // namespace epi::rules
