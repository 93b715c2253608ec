# cmake -DFOLDER=web -DFILES=a|b -DGZIP=gzip -DSED=sed -DOUTPUT=page_files.c -P PageFiles.cmake: the page's files as a table
# in C (fronts/admin/page.h), each as it is and compressed. -n: the same source makes the same program. As it is: but for
# comments that have lines of their own, which a browser would only have to fetch; the lines stay, empty, so that what a
# browser says of a line is true of the source. Others' files (vendor/) keep theirs.

set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_mjs "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_png "image/png")
set(type_ico "image/vnd.microsoft.icon")

# put_bytes(NAME FILE): its bytes as an array; <NAME>_size gets how many there are.
function(put_bytes name file)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  file(APPEND ${OUTPUT}.new "static const uint8_t ${name}[] = {${bytes}0};\n")
  file(SIZE ${file} size)
  set(${name}_size ${size} PARENT_SCOPE)
endfunction()

file(WRITE ${OUTPUT}.new "#include \"fronts/admin/page.h\"\n\n")
string(REPLACE "|" ";" FILES "${FILES}")
set(rows "")
set(number 0)
foreach(file ${FILES})
  set(plain ${FOLDER}/${file})
  if(file MATCHES "\\.(m?js|css)$" AND NOT file MATCHES "(^|/)vendor/")
    set(plain ${OUTPUT}.plain)
    execute_process(COMMAND ${SED} -e "s,^ *//.*$,," -e "s,^ */[*].*[*]/$,," ${FOLDER}/${file}
      OUTPUT_FILE ${plain} COMMAND_ERROR_IS_FATAL ANY)
  endif()
  execute_process(COMMAND ${GZIP} -9 -n -c ${plain} OUTPUT_FILE ${OUTPUT}.gz COMMAND_ERROR_IS_FATAL ANY)
  put_bytes(plain_${number} ${plain})
  put_bytes(gzip_${number} ${OUTPUT}.gz)
  file(SHA256 ${plain} hash)
  string(SUBSTRING ${hash} 0 16 tag)
  string(REGEX MATCH "[^.]*$" ending ${file})
  string(APPEND rows "    {\"/${file}\", \"${type_${ending}}\", \"${tag}\", "
    "{plain_${number}, ${plain_${number}_size}}, {gzip_${number}, ${gzip_${number}_size}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(APPEND ${OUTPUT}.new "\nconst struct cg_page_file cg_page_files[] = {\n${rows}};\n"
  "const size_t cg_page_file_count = ${number};\n")
file(REMOVE ${OUTPUT}.gz ${OUTPUT}.plain)
file(RENAME ${OUTPUT}.new ${OUTPUT})
