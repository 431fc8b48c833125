# The web UI as part of the program: web/ is built by npm when one of its sources has changed, tools/embed.py turns the
# result into one object file, and the target ls_web brings it to the room north/ui.
#
# -DLINESHAFT_WEB=OFF, the default, embeds a page that says so: what test builds want, and a machine without Node.
option(LINESHAFT_WEB "Build the web UI and embed it; the release preset does" OFF)
enable_language(ASM)

set(web_out ${CMAKE_BINARY_DIR}/web)
set(web_source ${CMAKE_SOURCE_DIR}/src/north/ui/internal/notice)
set(web_depends "")
file(GLOB web_notice CONFIGURE_DEPENDS ${web_source}/*)

if(LINESHAFT_WEB)
  find_program(LINESHAFT_NODE node HINTS ${CMAKE_SOURCE_DIR}/.cache/node/node_modules/.bin)
  find_program(LINESHAFT_NPM npm)
  if(NOT LINESHAFT_NODE OR NOT LINESHAFT_NPM)
    message(FATAL_ERROR "Node and npm are needed to build the web UI and were not found.\n"
      "  try  tools/setup build          (installs them)\n"
      "  or   cmake -DLINESHAFT_WEB=OFF  (builds without the web UI)")
  endif()
  set(web_source ${CMAKE_SOURCE_DIR}/web/dist)
  file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/* ${CMAKE_SOURCE_DIR}/web/public/*
       ${CMAKE_SOURCE_DIR}/web/tools/*)
  file(GLOB web_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/*.json ${CMAKE_SOURCE_DIR}/web/*.ts
       ${CMAKE_SOURCE_DIR}/web/*.js ${CMAKE_SOURCE_DIR}/web/*.cjs ${CMAKE_SOURCE_DIR}/web/*.mjs ${CMAKE_SOURCE_DIR}/web/index.html)
  get_filename_component(node_folder ${LINESHAFT_NODE} DIRECTORY)
  add_custom_command(
    OUTPUT ${web_out}/built.stamp
    COMMAND ${CMAKE_SOURCE_DIR}/tools/npm_ci ${CMAKE_SOURCE_DIR}/web
    COMMAND ${CMAKE_COMMAND} -E env --modify PATH=path_list_prepend:${node_folder}
            ${LINESHAFT_NPM} --prefix ${CMAKE_SOURCE_DIR}/web run --silent build
    COMMAND ${CMAKE_COMMAND} -E touch ${web_out}/built.stamp
    DEPENDS ${web_sources} ${web_files} ${CMAKE_SOURCE_DIR}/api/errors.toml
    COMMENT "Building the web UI"
    USES_TERMINAL VERBATIM)
  set(web_depends ${web_out}/built.stamp)
endif()

add_custom_command(
  OUTPUT ${web_out}/web_assets.S ${web_out}/web_assets.cpp
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/embed.py --source ${web_source} --out ${web_out}
  COMMAND ${CMAKE_COMMAND} -E touch ${web_out}/web_assets.S ${web_out}/web_assets.cpp
  DEPENDS ${web_depends} ${web_notice} ${CMAKE_SOURCE_DIR}/tools/embed.py
  COMMENT "Embedding the web UI"
  VERBATIM)
# Sanitizers and warnings mean nothing to the assembler, and clang says so.
set_source_files_properties(${web_out}/web_assets.S PROPERTIES COMPILE_OPTIONS "-Wno-unused-command-line-argument")
add_library(ls_web STATIC ${web_out}/web_assets.S ${web_out}/web_assets.cpp)
target_include_directories(ls_web PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
add_dependencies(ls_web ls_errors)
