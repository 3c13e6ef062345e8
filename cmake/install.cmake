# make install: headers, libraries, binary, the embedded model, and a CMake package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(TARGETS transformers_tokenizers transformers EXPORT transformersTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS transformers_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/transformers DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/transformers/models)
install(EXPORT transformersTargets NAMESPACE transformers:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/transformers)
configure_package_config_file(cmake/transformersConfig.cmake.in ${CMAKE_BINARY_DIR}/transformersConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/transformers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/transformersConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/transformersConfig.cmake ${CMAKE_BINARY_DIR}/transformersConfigVersion.cmake
  cmake/dependencies.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/transformers)
