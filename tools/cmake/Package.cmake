# The Debian package: both programs and what an installation needs beside them. `tools/package` makes
# it from the preset "package"; a plain `cmake --install` puts the same files under its prefix.

# What a program prints, as a file under the build folder, packed as Debian wants it when .gz ends its name.
#
#   demon_printed(FILE PROGRAM ARGUMENT…)
function(demon_printed file program)
	set(out ${CMAKE_BINARY_DIR}/package/${file})
	cmake_path(GET out PARENT_PATH folder)
	file(MAKE_DIRECTORY ${folder})
	if(file MATCHES "\\.gz$")
		set(pack | gzip -9n)
	endif()
	# the generator hands the line to a shell
	add_custom_command(OUTPUT ${out} COMMAND ${program} ${ARGN} ${pack} > ${out}
		DEPENDS ${program} VERBATIM COMMAND_EXPAND_LISTS)
	set_property(GLOBAL APPEND PROPERTY DEMON_PRINTED ${out})
endfunction()

function(demon_package)
	set(from ${CMAKE_SOURCE_DIR}/packaging)
	set(made ${CMAKE_BINARY_DIR}/package)
	set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME programs)

	demon_printed(demonctl.1.gz demonctl help --man)
	demon_printed(demond.8.gz demond --man)
	demon_printed(completion/demonctl demonctl completion bash)
	demon_printed(completion/_demonctl demonctl completion zsh)
	demon_printed(completion/demonctl.fish demonctl completion fish)
	get_property(printed GLOBAL PROPERTY DEMON_PRINTED)
	file(READ ${from}/debian/changelog changelog)
	if(NOT changelog MATCHES "^demon \\(${PROJECT_VERSION}\\) ")
		message(FATAL_ERROR "packaging/debian/changelog does not begin with ${PROJECT_VERSION}")
	endif()
	add_custom_command(OUTPUT ${made}/changelog.gz
		COMMAND gzip -9nc ${from}/debian/changelog > ${made}/changelog.gz
		DEPENDS ${from}/debian/changelog VERBATIM)
	add_custom_target(demon-pages ALL DEPENDS ${printed} ${made}/changelog.gz)

	if(NOT CMAKE_CROSSCOMPILING AND NOT DEMON_SANITIZE)
		install(FILES ${made}/demonctl.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
		install(FILES ${made}/demond.8.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
		install(FILES ${made}/completion/demonctl
			DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
		install(FILES ${made}/completion/_demonctl
			DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
		install(FILES ${made}/completion/demonctl.fish
			DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
	endif()
	install(FILES ${from}/demon.service DESTINATION lib/systemd/system)
	install(FILES ${from}/demon.yaml DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/demon)
	install(FILES ${from}/demon.logrotate DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/logrotate.d
		RENAME demon)
	set(doc ${CMAKE_INSTALL_DATADIR}/doc/demon)
	install(FILES ${CMAKE_SOURCE_DIR}/README.md ${from}/debian/copyright ${made}/changelog.gz
		DESTINATION ${doc})
	install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs DESTINATION ${doc})
	install(DIRECTORY ${from}/nats ${CMAKE_SOURCE_DIR}/examples/rituals DESTINATION ${doc}/examples)

	set(CPACK_GENERATOR DEB)
	set(CPACK_PACKAGE_NAME demon)
	set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
	set(CPACK_PACKAGE_CONTACT "Demon maintainers <demon@example.org>")
	set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "operational workflows that are audited, approved and safe to resume")
	set(CPACK_PACKAGE_DESCRIPTION "Demon runs rituals: deploy, rotate a credential, fail over, verify a backup.
Each step is an event in one SQLite file before the next begins, people
approve where the ritual says so, and a run goes on after a crash where it
stood. A node works alone; with NATS JetStream, several share their events.")
	set(CPACK_PACKAGE_FILE_NAME demon_${PROJECT_VERSION})
	set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
	set(CPACK_OUTPUT_FILE_PREFIX ${CMAKE_BINARY_DIR})
	set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
		OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
	set(CPACK_STRIP_FILES ON)
	set(CPACK_COMPONENTS_ALL programs)
	set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
	set(CPACK_DEB_COMPONENT_INSTALL ON)
	set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
	set(CPACK_DEBIAN_PACKAGE_SECTION admin)
	set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
	set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
	# what is loaded when it is needed, and data
	set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.51), libcurl4, libnats3.4, tzdata")
	set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, logrotate")
	set(CPACK_DEBIAN_PACKAGE_SUGGESTS "nats-server, sqlite3")
	foreach(script IN ITEMS conffiles postinst prerm postrm)
		list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${from}/debian/${script})
	endforeach()
	set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
	include(CPack)
endfunction()
