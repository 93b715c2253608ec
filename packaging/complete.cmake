# What CPack runs before it packs: the installed files of each package become what Debian expects, and what only packages have is added.

# compress(FILE): to FILE.gz, which does not depend on when that happens.
function(compress file)
  execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
  file(CHMOD ${file}.gz PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

# add(FILE FOLDER [NAME]): of the sources, into a folder of the package; what ends in .in has places to be filled in.
function(add file folder)
  file(MAKE_DIRECTORY ${folder})
  get_filename_component(name ${file} NAME)
  if(ARGC GREATER 2)
    set(name ${ARGV2})
  endif()
  if(file MATCHES "\\.in$")
    configure_file(${CPACK_CASTGATE_SOURCE}/${file} ${folder}/${name} @ONLY)
  else()
    file(COPY_FILE ${CPACK_CASTGATE_SOURCE}/${file} ${folder}/${name})
  endif()
  file(CHMOD ${folder}/${name} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

# complete(COMPONENT PACKAGE)
function(complete component package)
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component})
  set(documents ${root}/usr/share/doc/${package})
  add(packaging/copyright ${documents})
  add(CHANGES ${documents} changelog)
  compress(${documents}/changelog)
  add(packaging/changelog.in ${documents} changelog.Debian)
  compress(${documents}/changelog.Debian)
  file(GLOB licences ${documents}/LICENSE*) # which the copyright has
  file(REMOVE ${documents}/CHANGES ${licences})
  file(GLOB pages ${root}/usr/share/man/man*/*)
  foreach(page ${pages})
    compress(${page})
  endforeach()
  file(GLOB libraries ${root}/usr/lib/*.a ${root}/usr/lib/*/*.a)
  foreach(library ${libraries})
    execute_process(COMMAND strip --strip-debug --enable-deterministic-archives --remove-section=.comment ${library} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endfunction()

# describe(COMPONENT): what is in it now, in place of what cmake --install said of its files.
function(describe component)
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component})
  set(list ${CPACK_TEMPORARY_DIRECTORY}/${component}.files)
  set(sbom /usr/share/doc/castgate/castgate.spdx.json)
  file(REMOVE ${root}${sbom})
  file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE ${root} ${root}/*)
  list(TRANSFORM files PREPEND /)
  list(JOIN files "\n" files)
  file(WRITE ${list} "${files}\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -E env DESTDIR=${root} ${CPACK_CASTGATE_PYTHON} ${CPACK_CASTGATE_SOURCE}/scripts/sbom.py
    --source ${CPACK_CASTGATE_SOURCE} --version ${CPACK_PACKAGE_VERSION} --header ${CPACK_CASTGATE_HEADER} --output ${sbom} ${list}
    COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE ${list})
  file(CHMOD ${root}${sbom} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

# open_folders(COMPONENT): for everybody to come in, also where they were made under another umask.
function(open_folders component)
  file(GLOB_RECURSE paths LIST_DIRECTORIES true ${CPACK_TEMPORARY_DIRECTORY}/${component}/*)
  foreach(path ${paths})
    if(IS_DIRECTORY ${path} AND NOT IS_SYMLINK ${path})
      file(CHMOD ${path} PERMISSIONS ${CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
    endif()
  endforeach()
endfunction()

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # of SOURCE_DATE_EPOCH, where that is set
complete(runtime castgate)
complete(dev castgate-dev)
add(conf/castgate.json ${CPACK_TEMPORARY_DIRECTORY}/runtime/etc/castgate)
describe(runtime)
open_folders(runtime)
open_folders(dev)
