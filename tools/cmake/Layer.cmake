# A layer is a static library of everything under src/NAME. It links the layer below and nothing
# else of ours, so a call upward does not link; tools/check-layers finds an include upward.
#
#   demon_layer(NAME [BELOW LAYER] [LINK TARGET…])
function(demon_layer name)
	cmake_parse_arguments(arg "" "BELOW" "LINK" ${ARGN})
	file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
	add_library(demon_${name} STATIC ${sources})
	# modules of other layers are included as "layer/noun.h"
	target_include_directories(demon_${name} PUBLIC
		${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
	target_link_libraries(demon_${name} PUBLIC ${arg_LINK})
	if(arg_BELOW)
		target_link_libraries(demon_${name} PUBLIC demon_${arg_BELOW})
	endif()
endfunction()

# The library that strangers link: libdemon, shared and static, with headers, a pkg-config file
# and a CMake package.
#
#   demon_library(LAYER…)
function(demon_library)
	set(objects "")
	set(links "")
	foreach(layer IN LISTS ARGN)
		get_target_property(sources demon_${layer} SOURCES)
		list(APPEND objects $<TARGET_OBJECTS:demon_${layer}>)
	endforeach()
	foreach(kind IN ITEMS SHARED STATIC)
		string(TOLOWER demon_lib_${kind} target)
		add_library(${target} ${kind} ${objects})
		set_target_properties(${target} PROPERTIES OUTPUT_NAME demon
			VERSION ${PROJECT_VERSION} SOVERSION 0 EXPORT_NAME ${kind})
		target_include_directories(${target} INTERFACE
			$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
	endforeach()
	target_link_libraries(demon_lib_shared PRIVATE PkgConfig::JANSSON PkgConfig::YAML
		PkgConfig::CRYPTO PkgConfig::SQLITE Threads::Threads)
	include(CMakePackageConfigHelpers)
	# relative to the .pc file, so that the tree can be installed anywhere and moved
	file(RELATIVE_PATH DEMON_PC_UP /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
	configure_file(${CMAKE_SOURCE_DIR}/tools/cmake/demon.pc.in demon.pc @ONLY)
	configure_file(${CMAKE_SOURCE_DIR}/tools/cmake/demon-config.cmake.in demon-config.cmake @ONLY)
	write_basic_package_version_file(${CMAKE_BINARY_DIR}/demon-config-version.cmake
		COMPATIBILITY SameMinorVersion)
	set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)
	install(TARGETS demon_lib_shared demon_lib_static EXPORT demon-targets)
	install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/demon TYPE INCLUDE)
	install(FILES ${CMAKE_BINARY_DIR}/demon.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
	install(EXPORT demon-targets NAMESPACE demon::
		DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/demon FILE demon-targets.cmake)
	install(FILES ${CMAKE_BINARY_DIR}/demon-config.cmake
		${CMAKE_BINARY_DIR}/demon-config-version.cmake
		DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/demon)
endfunction()

# A program: everything under src/NAME, on top of LAYER; COMPONENT programs goes into the package.
function(demon_program name layer component)
	file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
	add_executable(${name} ${sources})
	target_link_libraries(${name} PRIVATE demon_${layer})
	target_compile_definitions(${name} PRIVATE DEMON_VERSION="${PROJECT_VERSION}")
	install(TARGETS ${name} COMPONENT ${component})
endfunction()

# A program that only others start: everything under src/NAME and the named sources of layers. It
# runs under a limit of address space, which sanitizers do not bear, so it is built without them.
#
#   demon_worker(NAME SOURCE…)
function(demon_worker name)
	file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
	list(TRANSFORM ARGN PREPEND ${CMAKE_SOURCE_DIR}/src/)
	add_executable(${name} ${sources} ${ARGN})
	target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
	if(DEMON_SANITIZE)
		target_compile_options(${name} PRIVATE -fno-sanitize=all)
		target_link_options(${name} PRIVATE -fno-sanitize=all)
	endif()
	install(TARGETS ${name} DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/demon COMPONENT programs)
endfunction()

# The name by which programs load the shared library LIBRARY.
function(demon_soname OUT LIBRARY)
	execute_process(COMMAND ${CMAKE_READELF} -d ${LIBRARY} OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
	if(NOT dynamic MATCHES "SONAME[^[]*\\[([^]]+)\\]")
		message(FATAL_ERROR "${LIBRARY} has no name to load it by")
	endif()
	set(${OUT} ${CMAKE_MATCH_1} PARENT_SCOPE)
endfunction()
