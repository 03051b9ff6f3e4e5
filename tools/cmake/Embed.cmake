# Compiles files into a layer as a sorted table of {name, text, length}, NULL-terminated:
#
#   demon_embed(LAYER OUTPUT SYMBOL GLOB…)   declares  extern const struct demon_embedded SYMBOL[];
#
# The generator is a program of ours (tools/embed.c), so a build needs nothing but a C compiler.
add_executable(demon_embed_tool ${CMAKE_SOURCE_DIR}/tools/embed.c)
set_target_properties(demon_embed_tool PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools)

function(demon_embed layer output symbol)
	file(GLOB files CONFIGURE_DEPENDS ${ARGN})
	list(SORT files)
	set(path ${CMAKE_BINARY_DIR}/embedded/${output})
	add_custom_command(OUTPUT ${path}
		COMMAND demon_embed_tool ${path} ${symbol} ${files}
		DEPENDS demon_embed_tool ${files} VERBATIM)
	target_sources(demon_${layer} PRIVATE ${path})
endfunction()
