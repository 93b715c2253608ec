# Debian packages, `cpack -G DEB` in the build folder: castgate is what runs, castgate-dev what is built against it. Their files are those
# of the components runtime and dev; packaging/ adds what only packages have.

# Of the distribution that it is built on, whose libraries it needs: an upgrade of the distribution upgrades to its package.
set(release 1)
file(STRINGS /etc/os-release distribution REGEX "^(ID|VERSION_ID)=")
if(distribution MATCHES "ID=debian" AND distribution MATCHES "VERSION_ID=\"?([0-9]+)")
  string(APPEND release "+deb${CMAKE_MATCH_1}")
endif()

set(CASTGATE_MAINTAINER "castgate maintainers <castgate@packages.invalid>" CACHE STRING "Whom the packages name as their maintainer")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${CASTGATE_MAINTAINER})
set(CPACK_DEBIAN_PACKAGE_RELEASE ${release})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_COMPONENTS_IGNORE_GROUPS ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/packaging/complete.cmake)
# For that script.
set(CPACK_CASTGATE_SOURCE ${CMAKE_SOURCE_DIR})
set(CPACK_CASTGATE_PYTHON ${Python3_EXECUTABLE})
set(CPACK_CASTGATE_HEADER ${UTHASH_HEADER})

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME castgate)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION net)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS ca-certificates)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
"multicast gateway for CoAP groups
One unicast request, by HTTP or CoAP, becomes one multicast to a group of
devices; the members' answers are verified, collected and given back as one
reply. Groups are protected by Group OSCORE, which the gateway speaks itself
or relays end to end.
.
The gateway runs as a service and is administered by a page, an API and
castgatectl. castgate-keys makes groups' keys, castgate-member simulates
members.")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "")
foreach(part conffiles postinst prerm postrm)
  list(APPEND CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/castgate/${part})
endforeach()

set(CPACK_DEBIAN_DEV_PACKAGE_NAME castgate-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libsodium-dev, libssl-dev") # as castgate-oscore.pc says
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS castgate)
set(CPACK_DEBIAN_DEV_DESCRIPTION
"multicast gateway for CoAP groups - development files
What is built against castgate: the header of plugins, the library for OSCORE
and Group OSCORE with its headers, and examples.")

include(CPack)
