# Two static libraries: tokenizers (no tensor engine) and transformers (everything). Sources are found by folder, so
# that adding a file needs no edit here.
function(transformers_sources out)
  set(files)
  foreach(layer ${ARGN})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${layer}/*.cpp)
    list(APPEND files ${found})
  endforeach()
  list(FILTER files EXCLUDE REGEX "(_test|_bench|_fuzz)\\.cpp$")
  set(${out} ${files} PARENT_SCOPE)
endfunction()

transformers_sources(TOKENIZER_SOURCES base tokenizers)
add_library(transformers_tokenizers STATIC ${TOKENIZER_SOURCES})
add_library(transformers::tokenizers ALIAS transformers_tokenizers)
target_include_directories(transformers_tokenizers
  PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>
  PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(transformers_tokenizers PRIVATE simdjson::simdjson PkgConfig::PCRE2 PkgConfig::UTF8PROC OpenMP::OpenMP_CXX)

transformers_sources(TRANSFORMERS_SOURCES kernels tensor ops io nn quantizers models processors generation pipelines training)
add_library(transformers STATIC ${TRANSFORMERS_SOURCES})
add_library(transformers::transformers ALIAS transformers)
target_include_directories(transformers PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(transformers PUBLIC transformers_tokenizers
  PRIVATE DNNL::dnnl PkgConfig::HWY OpenMP::OpenMP_CXX simdjson::simdjson CURL::libcurl ZLIB::ZLIB PkgConfig::AUDIO PkgConfig::IMAGE)
