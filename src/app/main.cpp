#include "app/cli/command.h"

int main(int argc, char** argv) { return lineshaft::cli::run_command_line(argc, argv); }
