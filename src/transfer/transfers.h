/// What a house has for going in and out, for those that offer it to people.
#pragma once

#include "transfer/exports.h"
#include "transfer/imports.h"

namespace lineshaft::transfer {

struct Transfers {
    Exports& exports;
    Imports& imports;
    ExportRooms rooms;  // For streams.
};

}  // namespace lineshaft::transfer
