# What is installed, and how it is made fit for its place: one function per kind of file. A prefix can be given at the last moment
# (`cmake --install --prefix`, DESTDIR, CPack), so whatever depends on it is made while it is installed, in install(CODE).
include(GNUInstallDirs)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter) # for the SBOM

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
