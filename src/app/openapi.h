/// The description of the API that travels inside the program: api/openapi.yaml, and the same as JSON.
///
/// Threads: any.
#pragma once

#include <string>
#include <string_view>

namespace lineshaft::app {

std::string_view openapi_yaml();
/// Made once at the first call.
const std::string& openapi_json();

}  // namespace lineshaft::app
