# Flags that every target shares, and one function per kind of target. Sources are found by folder, so that a new file
# needs no edit here.

# castgate_flags is for what is built here and stays here; castgate_plain_flags are those without instruments, for what others link.
add_library(castgate_plain_flags INTERFACE)
add_library(castgate_flags INTERFACE)
target_link_libraries(castgate_flags INTERFACE castgate_plain_flags)
target_compile_options(castgate_plain_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 -Wundef -Wwrite-strings
  -fno-strict-aliasing -fno-common -fstack-protector-strong
  $<$<BOOL:${CASTGATE_WERROR}>:-Werror>)
target_compile_definitions(castgate_plain_flags INTERFACE _GNU_SOURCE CASTGATE_VERSION="${PROJECT_VERSION}"
  $<$<AND:$<NOT:$<CONFIG:Debug>>,$<NOT:$<BOOL:${CASTGATE_SANITIZE}>>>:_FORTIFY_SOURCE=2>)
target_include_directories(castgate_plain_flags INTERFACE ${CMAKE_SOURCE_DIR}/proxy ${CMAKE_SOURCE_DIR}/proxy/include
  ${CMAKE_SOURCE_DIR}/plugins)
# The same bytes wherever, whenever and by whomever it is built: no paths of the build in what is installed, no times and owners in
# archives. Debuggers of a debug build find the sources by themselves.
if(NOT CMAKE_BUILD_TYPE STREQUAL Debug)
  target_compile_options(castgate_plain_flags INTERFACE -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}=.)
endif()
set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "<CMAKE_RANLIB> -D <TARGET>")
if(CASTGATE_SANITIZE)
  target_compile_definitions(castgate_flags INTERFACE CASTGATE_SANITIZED)
  target_compile_options(castgate_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(castgate_flags INTERFACE -fsanitize=address,undefined)
endif()
if(CASTGATE_TESTS) # they are hundreds of programs, which the usual linker takes a minute for
  find_program(CASTGATE_MOLD mold)
  if(CASTGATE_MOLD)
    target_link_options(castgate_flags INTERFACE -fuse-ld=mold)
  endif()
endif()
if(CASTGATE_FUZZ)
  target_compile_options(castgate_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# castgate_layer(NAME [LIBRARY ...]): every .c file of the current folder as a static library `castgate_NAME`.
function(castgate_layer name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(castgate_${name} STATIC ${sources})
  target_link_libraries(castgate_${name} PUBLIC castgate_flags ${ARGN})
  if(CASTGATE_TESTS)
    castgate_links_whole(castgate_${name})
  endif()
endfunction()

# castgate_links_whole(LIBRARY): the build fails unless all of it links with what it names, and that with what it names; else
# it would depend on the linker and on the order of others whether a program links.
function(castgate_links_whole library)
  add_executable(${library}_whole ${CMAKE_SOURCE_DIR}/tests/whole.c)
  target_link_libraries(${library}_whole PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,${library}> castgate_flags)
  set_target_properties(${library}_whole PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/whole)
endfunction()

# castgate_page(TARGET FOLDER): what the page in FOLDER is made of becomes a part of TARGET. Documents and tests beside it do
# not; see PageFiles.cmake for the endings.
function(castgate_page target folder)
  find_program(GZIP gzip REQUIRED)
  find_program(SED sed REQUIRED)
  set(patterns "")
  foreach(ending html css js mjs svg png ico)
    list(APPEND patterns ${folder}/*.${ending})
  endforeach()
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${patterns})
  list(FILTER files EXCLUDE REGEX "(^|/)(tests?|node_modules)/")
  set(paths ${files})
  list(TRANSFORM paths PREPEND ${folder}/)
  list(JOIN files "|" names)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/page_files.c)
  set(script ${CMAKE_SOURCE_DIR}/cmake/PageFiles.cmake)
  add_custom_command(OUTPUT ${output} DEPENDS ${paths} ${script} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DFILES=${names} -DGZIP=${GZIP} -DSED=${SED} -DOUTPUT=${output} -P ${script})
  target_sources(${target} PRIVATE ${output})
endfunction()
