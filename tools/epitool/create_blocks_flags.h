// Flags of both "tsdb create-blocks-from" commands; they may stand before the command's last word.
#pragma once

#include "epitool/arguments.h"

namespace epi::tool {

inline constexpr FlagSpec kCreateHumanReadableFlag = {
    "human-readable", false, "", "Print human readable values.", false, 'r', ValueForm::kText, 2};
inline constexpr FlagSpec kCreateQuietFlag = {"quiet",          false, "", "Do not print created blocks.", false, 'q',
                                              ValueForm::kText, 2};
inline constexpr FlagSpec kCreateMaxDurationFlag = {
    "max-block-duration", true, "2h", "Longest range of a block.", false, 0, ValueForm::kDuration, 2};

}  // namespace epi::tool
