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

# castgate_install_configured(FILE DESTINATION COMPONENT NAME): FILE without its ".in" and with the places of this
# installation in it. They are filled in when it is installed, so that they are right after `cmake --install --prefix`, too.
function(castgate_install_configured file destination)
  cmake_parse_arguments(PARSE_ARGV 2 install "" COMPONENT "")
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "\\.in$" "" name ${name})
  set(places "")
  foreach(place BINDIR DOCDIR INCLUDEDIR DATADIR LIBDIR)
    string(APPEND places "get_filename_component(CASTGATE_${place} \"${CMAKE_INSTALL_${place}}\" ABSOLUTE BASE_DIR \"\${CMAKE_INSTALL_PREFIX}\")\n")
  endforeach()
  install(CODE "${places}
    set(CASTGATE_PLUGINDIR \"\${CMAKE_INSTALL_PREFIX}/lib/castgate\")
    set(CASTGATE_VERSION \"${PROJECT_VERSION}\")
    set(CASTGATE_PLUGIN_VERSION \"${CASTGATE_PLUGIN_VERSION}\")
    set(CASTGATE_SERVICE_TYPE \"${CASTGATE_SERVICE_TYPE}\")
    get_filename_component(destination \"${destination}\" ABSOLUTE BASE_DIR \"\${CMAKE_INSTALL_PREFIX}\")
    string(SHA256 where \"\$ENV{DESTDIR}:\${destination}\") # several may be made at a time
    set(filled \"${CMAKE_CURRENT_BINARY_DIR}/installed/\${where}/${name}\")
    configure_file(\"${CMAKE_CURRENT_SOURCE_DIR}/${file}\" \"\${filled}\" @ONLY)
    file(INSTALL \"\${filled}\" DESTINATION \"\${destination}\")"
    COMPONENT ${install_COMPONENT})
endfunction()

# castgate_install_headers(FOLDER HEADER ...): headers of proxy/, all into FOLDER below the includes, where they find each other
# without a path: "base/err.h" becomes "err.h".
function(castgate_install_headers folder)
  set(FOLDER "${CMAKE_INSTALL_INCLUDEDIR}/${folder}")
  set(HEADERS "${ARGN}")
  install(CODE "
    get_filename_component(destination \"${FOLDER}\" ABSOLUTE BASE_DIR \"\${CMAKE_INSTALL_PREFIX}\")
    foreach(header ${HEADERS})
      get_filename_component(name \"\${header}\" NAME)
      set(made \"${CMAKE_CURRENT_BINARY_DIR}/installed/\${name}\")
      file(READ \"${CMAKE_SOURCE_DIR}/proxy/\${header}\" text)
      string(REGEX REPLACE \"#include \\\"[a-z]+/\" \"#include \\\"\" text \"\${text}\")
      file(WRITE \"\${made}\" \"\${text}\")
      file(INSTALL \"\${made}\" DESTINATION \"\${destination}\")
    endforeach()" COMPONENT dev)
endfunction()

# castgate_manual(FOLDER): the manual pages in FOLDER are installed by their sections, with this version in them; those of
# section 3 are for developers.
function(castgate_manual folder)
  file(GLOB pages CONFIGURE_DEPENDS ${folder}/*.[1-9])
  foreach(page ${pages})
    get_filename_component(name ${page} NAME)
    string(REGEX REPLACE ".*\\." "" section ${name})
    set(component runtime)
    if(section EQUAL 3)
      set(component dev)
    endif()
    configure_file(${page} ${CMAKE_BINARY_DIR}/man/${name} @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/man/${name} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${component})
  endforeach()
endfunction()

# castgate_install_sbom(HEADER ...): what this installation is made of, as SPDX, with libraries that are nothing but these headers. To
# be called last: it describes what has been installed before it, as it is there (stripped, if so).
function(castgate_install_sbom)
  find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
  list(TRANSFORM ARGN REPLACE "(.+)" "--header \"\\1\"" OUTPUT_VARIABLE headers)
  list(JOIN headers " " headers)
  set(list ${CMAKE_CURRENT_BINARY_DIR}/installed/files)
  install(CODE "
    list(JOIN CMAKE_INSTALL_MANIFEST_FILES \"\\n\" files)
    file(WRITE \"${list}\" \"\${files}\\n\")
    get_filename_component(sbom \"${CMAKE_INSTALL_DOCDIR}/castgate.spdx.json\" ABSOLUTE BASE_DIR \"\${CMAKE_INSTALL_PREFIX}\")
    message(STATUS \"Installing: \$ENV{DESTDIR}\${sbom}\")
    execute_process(COMMAND \"${Python3_EXECUTABLE}\" \"${CMAKE_SOURCE_DIR}/scripts/sbom.py\" --source \"${CMAKE_SOURCE_DIR}\"
      --version ${PROJECT_VERSION} ${headers} --output \"\${sbom}\" \"${list}\" COMMAND_ERROR_IS_FATAL ANY)
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${sbom}\")" COMPONENT runtime)
endfunction()

# castgate_plugin_version(RESULT): of the plugin interface, as its header says it.
function(castgate_plugin_version result)
  file(STRINGS ${CMAKE_SOURCE_DIR}/proxy/include/castgate/plugin.h lines REGEX "define CASTGATE_PLUGIN_(MAJOR|MINOR) ")
  string(REGEX REPLACE ".*MAJOR +([0-9]+).*MINOR +([0-9]+).*" "\\1.\\2" version "${lines}")
  set(${result} ${version} PARENT_SCOPE)
endfunction()

# castgate_service_type(RESULT): lines of the unit. Since version 253 systemd sends SIGHUP itself, and a reload takes until the settings are
# in use. Where it is not known which one there will be, what all of them take.
function(castgate_service_type result)
  pkg_get_variable(version systemd systemdversion)
  if(NOT version)
    execute_process(COMMAND systemctl --version OUTPUT_VARIABLE version ERROR_QUIET)
    string(REGEX REPLACE "^systemd ([0-9]+).*" "\\1" version "${version}")
  endif()
  if(version MATCHES "^[0-9]+" AND CMAKE_MATCH_0 GREATER_EQUAL 253)
    set(${result} "Type=notify-reload" PARENT_SCOPE)
  else()
    set(${result} "Type=notify\nExecReload=/bin/sh -c 'kill -HUP \$MAINPID'" PARENT_SCOPE)
  endif()
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
