# One set of flags for all of our own code.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
	-Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wundef -Wpointer-arith -Wcast-align
	-Wcast-qual -Wwrite-strings -Wvla -Wswitch-enum -Wnull-dereference -Wdouble-promotion
	-Wimplicit-fallthrough -Werror -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	# error texts are cut on purpose
	add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches
		-Wjump-misses-init -Wno-format-truncation)
endif()

# Assertions stay on in what we ship: a stopped daemon recovers from its log, a wrong event does not.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
	if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
		add_compile_options(-fstack-clash-protection -fcf-protection)
	endif()
	add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(DEMON_FAULTS)
	add_compile_definitions(DEMON_FAULTS)
endif()
if(DEMON_SANITIZE)
	add_compile_options(-fsanitize=${DEMON_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=${DEMON_SANITIZE})
endif()
if(DEMON_COVERAGE)
	add_compile_options(--coverage)
	add_link_options(--coverage)
endif()
