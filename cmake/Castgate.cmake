# Flags that every target shares, and one function per kind of target. Sources are found by folder, so that a new file
# needs no edit here.

add_library(castgate_flags INTERFACE)
target_compile_options(castgate_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 -Wundef -Wwrite-strings
  -fno-strict-aliasing -fno-common -fstack-protector-strong
  $<$<BOOL:${CASTGATE_WERROR}>:-Werror>)
target_compile_definitions(castgate_flags INTERFACE _GNU_SOURCE CASTGATE_VERSION="${PROJECT_VERSION}"
  $<$<AND:$<NOT:$<CONFIG:Debug>>,$<NOT:$<BOOL:${CASTGATE_SANITIZE}>>>:_FORTIFY_SOURCE=2>)
target_include_directories(castgate_flags INTERFACE ${CMAKE_SOURCE_DIR}/proxy ${CMAKE_SOURCE_DIR}/proxy/include
  ${CMAKE_SOURCE_DIR}/plugins)
if(CASTGATE_SANITIZE)
  target_compile_definitions(castgate_flags INTERFACE CASTGATE_SANITIZED)
  target_compile_options(castgate_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(castgate_flags INTERFACE -fsanitize=address,undefined)
endif()
if(CASTGATE_FUZZ)
  target_compile_options(castgate_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# castgate_layer(NAME [LIBRARY ...]): every .c file of the current folder as a static library `castgate_NAME`.
function(castgate_layer name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(castgate_${name} STATIC ${sources})
  target_link_libraries(castgate_${name} PUBLIC castgate_flags ${ARGN})
endfunction()
