# Thin: each target is a script or a preset. `make help` lists them.
.PHONY: help dev stop test check bench fuzz soak package chroot-test clean

help:
	@echo 'make dev          install what is missing, build, start a node, run the first ritual'
	@echo 'make stop         stop what make dev started'
	@echo 'make test         install what is missing, build, run every test'
	@echo 'make check        tests under debug, TSan and release; clang-tidy; layout'
	@echo 'make bench        the store beside SQLite by itself'
	@echo 'make fuzz         fuzz each parser for FUZZ_SECONDS (60)'
	@echo 'make soak         kill, restart and verify for SOAK_SECONDS (600)'
	@echo 'make package      the Debian package, in build/package'
	@echo 'make chroot-test  make dev, make test and the package in a fresh Debian 12 (as root)'
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
	@tools/bench

fuzz:
	@tools/fuzz

soak:
	@tools/soak

package:
	@tools/package

chroot-test:
	@tests/chroot/run
	@tests/chroot/run --package

clean:
	rm -rf build
