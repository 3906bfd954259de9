# Run by cpack between staging and packing: what only the package has, what Debian's policy asks of documentation, and
# modes and dates of everything, so that the same sources give the same package, whatever the umask.
set(root ${CPACK_TEMPORARY_DIRECTORY})
set(doc ${root}/usr/share/doc/aiod)

function(stage file destination)
  execute_process(COMMAND install -D -m 644 ${CMAKE_CURRENT_LIST_DIR}/${file} ${destination}
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()

stage(needrestart.conf ${root}/etc/needrestart/conf.d/aiod.conf)
stage(lintian-overrides ${root}/usr/share/lintian/overrides/aiod)
stage(copyright ${doc}/copyright)
stage(changelog ${doc}/changelog)
file(REMOVE ${doc}/LICENSE)
file(GLOB pages ${root}/usr/share/man/*/*)
execute_process(COMMAND gzip -9n ${pages} ${doc}/changelog COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND find ${root} -type d -exec chmod 755 {} + COMMAND_ERROR_IS_FATAL ANY)
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  set(ENV{SOURCE_DATE_EPOCH} ${CPACK_AIOD_EPOCH})
endif()
