# Thin: each target is a script or a preset. `make help` lists them.
.PHONY: help dev stop test check bench fuzz soak chroot-test clean

help:
	@echo 'make dev          install what is missing, build, start a node, run the first ritual'
	@echo 'make stop         stop what make dev started'
	@echo 'make test         install what is missing, build, run every test'
	@echo 'make check        the sanitizers, clang-tidy and the layout, beyond make test'
	@echo 'make bench        the store beside SQLite by itself'
	@echo 'make fuzz         fuzz the parsers, FUZZ_SECONDS each (60)'
	@echo 'make soak         kill, restart and verify, SOAK_SECONDS long (600)'
	@echo 'make chroot-test  make dev and make test in a fresh Debian 12'
	@echo 'make clean        remove build/'

dev:
	@tools/dev

stop:
	@tools/stop

test:
	@tools/test

check:
	@tools/check

bench:
	@tools/setup --quiet build
	@cmake --preset release > /dev/null
	@cmake --build build/release --target demon-bench > /dev/null
	@build/release/demon-bench

fuzz:
	@tools/fuzz

soak:
	@tools/soak

chroot-test:
	@tests/chroot/run

clean:
	rm -rf build
