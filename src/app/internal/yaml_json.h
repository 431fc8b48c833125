/// YAML as JSON: maps keep their order, keys are texts, plain scalars are what YAML 1.2's core schema says.
#pragma once

#include <string>

namespace lineshaft::app {

/// `yaml` is our own and right; a mistake in it ends the process.
std::string yaml_to_json(const std::string& yaml);

}  // namespace lineshaft::app
