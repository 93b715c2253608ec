# What CPack runs before it packs: the installed files of each package become what Debian expects, and what only packages have is added.
# CMAKE_INSTALL_DOCDIR of the installation is not known here; packages have Debian's.

# compress(FILE): to FILE.gz, which does not depend on when that happens.
function(compress file)
  execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
  file(CHMOD ${file}.gz PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

# add(FILE FOLDER [NAME]): from packaging/ or conf/ into a folder of the package.
function(add file folder)
  file(MAKE_DIRECTORY ${folder})
  get_filename_component(name ${file} NAME)
  if(ARGC GREATER 2)
    set(name ${ARGV2})
  endif()
  configure_file(${CPACK_CASTGATE_SOURCE}/${file} ${folder}/${name} @ONLY)
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
  file(REMOVE ${documents}/CHANGES ${documents}/LICENSE)
  file(GLOB pages ${root}/usr/share/man/man*/*)
  foreach(page ${pages})
    compress(${page})
  endforeach()
  file(GLOB libraries ${root}/usr/lib/*.a ${root}/usr/lib/*/*.a)
  foreach(library ${libraries})
    execute_process(COMMAND strip --strip-debug --enable-deterministic-archives --remove-section=.comment ${library} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endfunction()

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # of SOURCE_DATE_EPOCH, where that is set
complete(runtime castgate)
complete(dev castgate-dev)
add(conf/castgate.json ${CPACK_TEMPORARY_DIRECTORY}/runtime/etc/castgate)
