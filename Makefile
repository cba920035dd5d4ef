# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make                  the programs, in build/
#   make check            install what the tests need, build, run all tests
#   make check-long       whole programs in the mount, minutes each
#   make oracle           OPS= SEED=: random calls, compared with the kernel's;
#                         ORACLE_FS=xfs: not on the file system of /var/tmp
#   make fuzz             FUZZ_SECONDS= F=TARGET: libFuzzer on each parser
#   make demo             see it work: SRC=DIR MNT=DIR to try a tree of yours
#   make lint             format, static analysis, layers, banned calls
#   make bench            against the raw directory and other file systems:
#                         ROUNDS=3 ROWS=create,stat; bench-json for machines,
#                         bench-scale by size, bench-compare BASE=REVISION,
#                         bench-counts: calls and instructions an operation
#   make deps             install what is missing (Debian; root or sudo)
#   make install          DESTDIR= PREFIX=/usr/local
#   make clean
#
#   V=1                   show the commands
#   SAN=1, SAN=thread     address and undefined behaviour, or thread sanitizer
#   CC=clang WERROR=1     another compiler; warnings are errors
#   B=DIR                 build directory
#   T=NAME                make check: only the tests whose name has NAME in it

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
COMPDIR ?= $(PREFIX)/share/bash-completion/completions

ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
VERSION := 0.1.0

ifeq ($(SAN),)
B ?= build
CFLAGS ?= -O2 -g
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
SANFLAGS :=
else ifeq ($(SAN),thread)
B ?= build-tsan
CFLAGS ?= -O1 -g
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
else
B ?= build-san
CFLAGS ?= -O1 -g
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
endif

# From the highest to the lowest: the order to link them in.  A lower layer
# that calls a higher one fails to link.
LAYERS := process fuse node store core
lib_name = $(B)/lib$(if $(filter fuse,$1),fuseops,$1).a
layer_sources = $(sort $(wildcard fs/$1/*.c))
ARCHIVES := $(foreach l,$(LAYERS),$(call lib_name,$l))

PKGS := fuse3 lmdb libseccomp libcap jansson
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
# libsubid has no pkg-config file in Debian 12.
LIBS := -Wl,--as-needed $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) \
	-lsubid -pthread

WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings
CPP := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DIDSHIFT_VERSION='"$(VERSION)"' \
	-Iinclude $(PKG_CFLAGS)
ALL_CFLAGS := -std=gnu17 -pthread $(CPP) $(WARN) $(HARDEN) $(CFLAGS) $(SANFLAGS)
ALL_LDFLAGS := $(SANFLAGS) -Wl,-z,relro,-z,now $(LDFLAGS)

MOUNT_SRC := tools/idshift-mount.c
IDSHIFT_SRC := $(sort tools/idshift.c $(wildcard tools/idshift/*.c))
PROGRAMS := $(B)/idshift-mount $(B)/idshift

# tests/unit: test_X.c is a program, any other file is a helper of them all.
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_HELPERS := $(filter-out $(UNIT_SRC),$(sort $(wildcard tests/unit/*.c)))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/unit/%)
INTEGRATION_SRC := $(sort $(wildcard tests/integration/*.c))
INTEGRATION := $(INTEGRATION_SRC:tests/integration/%.c=$(B)/tests/%)
ORACLE_SRC := $(sort $(wildcard tests/oracle/*.c))
ORACLE := $(B)/tests/oracle
JUDGE_SRC := $(sort $(wildcard tests/judge/*.c))
JUDGE := $(B)/tests/callers
# tests/fuzz: fuzz_X.c is a target, fuse_*.c are parts of fuzz_fuse; replay.c
# is the main() of those that only run their corpus.
FUZZ_SECONDS ?= 60
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_TARGETS := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)
FUZZ := $(FUZZ_TARGETS:%=$(B)/tests/fuzz_%)
fuzz_sources = tests/fuzz/fuzz_$1.c $(if $(filter fuse,$1),\
	$(sort $(wildcard tests/fuzz/fuse_*.c)))
# Libraries to be loaded into the daemon: tests/preload/X.c is tests/X.so.
PRELOAD_SRC := $(sort $(wildcard tests/preload/*.c))
PRELOAD := $(PRELOAD_SRC:tests/preload/%.c=$(B)/tests/%.so)
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH := $(B)/tests/bench
TESTS := $(UNIT) $(INTEGRATION) $(ORACLE) $(JUDGE) $(BENCH) $(FUZZ) $(PRELOAD)

objects = $(patsubst %.c,$(B)/%.o,$1)
SOURCES := $(foreach l,$(LAYERS),$(call layer_sources,$l)) $(MOUNT_SRC) \
	$(IDSHIFT_SRC) $(UNIT_SRC) $(UNIT_HELPERS) $(INTEGRATION_SRC) \
	$(ORACLE_SRC) $(JUDGE_SRC) $(BENCH_SRC) $(wildcard tests/fuzz/*.c) $(PRELOAD_SRC)
MANPAGES := $(wildcard tools/*.[18])

# Not among the flags that a change of makes everything anew.
ERROR := $(if $(WERROR),-Werror)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $1 $@)

.PHONY: all tests fuzz check check-long oracle demo deps install lint clean FORCE \
	bench bench-json bench-scale bench-compare bench-counts \
	lint-format lint-banned lint-layers lint-cppcheck lint-tidy
.DELETE_ON_ERROR:
# Kept, so that the next build need not make them again.
.SECONDARY:
all: $(ARCHIVES) $(PROGRAMS)
tests: $(TESTS)

# Everything is made anew when the compiler or its flags are others.
$(B)/.flags: FORCE
	@mkdir -p $(B)
	@$(PKG_CONFIG) --exists $(PKGS) || { echo "make: libraries are missing: \
	run 'make deps' first" >&2; exit 1; }
	@printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS))' \
		>$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(B)/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) $(ERROR) -MMD -MP -c -o $@ $<

define layer_rule
$(call lib_name,$1): $(call objects,$(call layer_sources,$1))
	$$(call say,AR)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$l)))

link = $(Q)mkdir -p $(@D) && $(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) \
	$(filter %.a,$^)

$(B)/idshift-mount: $(call objects,$(MOUNT_SRC)) $(ARCHIVES)
	$(call say,LINK)
	$(link) $(LIBS)

$(B)/idshift: $(call objects,$(IDSHIFT_SRC)) $(ARCHIVES)
	$(call say,LINK)
	$(link) $(LIBS)

$(UNIT): $(B)/tests/unit/%: $(B)/tests/unit/%.o \
		$(call objects,$(UNIT_HELPERS)) $(ARCHIVES)
	$(call say,LINK)
	$(link) $(LIBS) -lcmocka

$(INTEGRATION): $(B)/tests/%: $(B)/tests/integration/%.o
	$(call say,LINK)
	$(link) -pthread

define fuzz_rule
$(B)/tests/fuzz_$1: $(call objects,$(call fuzz_sources,$1) \
		tests/fuzz/replay.c) $(ARCHIVES)
	$$(call say,LINK)
	$$(link) $(LIBS)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rule,$t)))

$(PRELOAD): $(B)/tests/%.so: tests/preload/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ERROR) -fPIC -shared -o $@ $< -ldl

$(JUDGE): $(call objects,$(JUDGE_SRC))
	$(call say,LINK)
	$(link)

# Its objects are in a directory of the program's name.
$(ORACLE): $(patsubst tests/oracle/%.c,$(B)/tests/oracle.o/%.o,$(ORACLE_SRC)) \
		$(ARCHIVES)
	$(call say,LINK)
	$(link) $(LIBS)

$(B)/tests/oracle.o/%.o: tests/oracle/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) $(ERROR) -MMD -MP -c -o $@ $<

$(BENCH): $(patsubst tests/bench/%.c,$(B)/tests/bench.o/%.o,$(BENCH_SRC))
	$(call say,LINK)
	$(link) -pthread

$(B)/tests/bench.o/%.o: tests/bench/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) $(ERROR) -MMD -MP -c -o $@ $<

-include $(wildcard $(patsubst %.c,$(B)/%.d,$(SOURCES)) \
	$(B)/tests/oracle.o/*.d $(B)/tests/bench.o/*.d)

# The flags depend on what is installed: a make of its own after deps.
check:
	@.ci/deps build test
	@+$(MAKE) --no-print-directory all tests
	@tests/run --build '$(B)' $(T)

bench: BENCH_RUN = run.sh
bench-json: BENCH_RUN = run.sh --json
bench-scale: BENCH_RUN = run.sh --scale
bench-compare: BENCH_RUN = compare.sh '$(BASE)'
# Compared with what tests/bench/counts.txt says; --save changes that.
bench-counts: BENCH_RUN = counts.sh
# Only the figures go to standard output.
bench bench-json bench-scale bench-compare bench-counts:
	@.ci/deps build bench >&2
	@+$(MAKE) --no-print-directory all $(BENCH) >&2
	@IDSHIFT_BUILD='$(B)' tests/bench/$(BENCH_RUN)

# FUZZ_SECONDS each; what is found goes to $(B)/fuzz/, and after the fix into
# tests/fuzz/corpus/TARGET.  F=NAME: one target only.
FUZZ_B := $(B)/fuzz
FUZZ_FLAGS := -O1 -g -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_LIBRARY := $(foreach l,$(LAYERS),$(call layer_sources,$l))

fuzz:
	@.ci/deps build fuzz
	@for target in $(or $(F),$(FUZZ_TARGETS)); do \
		$(MAKE) --no-print-directory "$(FUZZ_B)/$$target" && \
		mkdir -p "$(FUZZ_B)/corpus/$$target" && \
		"$(FUZZ_B)/$$target" -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
			-max_len=2048 -print_final_stats=1 \
			-artifact_prefix="$(abspath $(FUZZ_B))/$$target-" \
			"$(FUZZ_B)/corpus/$$target" "tests/fuzz/corpus/$$target" \
			2>"$(FUZZ_B)/$$target.log" || \
			{ tail -40 "$(FUZZ_B)/$$target.log" >&2; exit 1; }; \
		sed -n "s/^Done/$$target: done/p" "$(FUZZ_B)/$$target.log"; \
	done

$(FUZZ_B)/o/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)clang -std=gnu17 -pthread $(CPP) $(FUZZ_FLAGS) \
		-fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

define fuzz_link
$(FUZZ_B)/$1: $(patsubst %.c,$(FUZZ_B)/o/%.o,$(call fuzz_sources,$1) \
		$(FUZZ_LIBRARY))
	$$(call say,LINK)
	$$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^ $(LIBS)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_link,$t)))
-include $(shell find $(FUZZ_B)/o -name '*.d' 2>/dev/null)

# Whole programs, minutes each; they need Debian's mirror.
check-long:
	@.ci/deps build test long
	@+$(MAKE) --no-print-directory all tests
	@tests/run --build '$(B)' --dir tests/long $(T)

OPS ?= 100000
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom)
# Expanded once: all runs have the same seed.
oracle: SEED := $(strip $(SEED))
oracle:
	@.ci/deps build test
	@+$(MAKE) --no-print-directory all $(ORACLE)
	@for how in host userns disk disk-userns; do for acl in acl noacl; do \
		echo "oracle: OPS=$(OPS) SEED=$(SEED) $$how $$acl"; \
		IDSHIFT_BUILD='$(abspath $(B))' tests/oracle/run.sh \
			'$(OPS)' '$(SEED)' $$how $$acl || exit; \
	done; done

demo:
	@.ci/deps build demo
	@+$(MAKE) --no-print-directory all
	@SRC='$(SRC)' MNT='$(MNT)' tools/demo.sh '$(B)/idshift-mount'

deps:
	@.ci/deps build test lint demo

install: all
	@install -d $(DESTDIR)$(BINDIR)
	$(Q)install -m 755 $(PROGRAMS) $(DESTDIR)$(BINDIR)
	$(Q)for page in $(MANPAGES); do \
		install -D -m 644 "$$page" \
		"$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}" || exit; \
	done
	$(Q)for file in $(wildcard tools/*.bash); do \
		name=$${file##*/}; install -D -m 644 "$$file" \
		"$(DESTDIR)$(COMPDIR)/$${name%.bash}" || exit; \
	done

FORMATTED = $(sort $(shell find fs include tests tools -name '*.[ch]'))

lint: lint-format lint-banned lint-layers lint-cppcheck lint-tidy

lint-format:
	$(Q)clang-format --dry-run -Werror $(FORMATTED)

lint-banned:
	$(Q)tests/lint/banned

lint-layers: $(ARCHIVES)
	$(Q)tests/lint/layers '$(B)'

# Without the test programs, which leave their memory to their end.
lint-cppcheck:
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
		-j $$(nproc) --enable=warning,performance,portability \
		--suppressions-list=tests/lint/cppcheck.suppressions \
		-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iinclude \
		$(filter-out tests/%,$(SOURCES))

lint-tidy:
	$(Q)tests/lint/tidy $(SOURCES) -- -std=gnu17 $(CPP)

clean:
	$(Q)rm -rf build build-san build-tsan '$(B)'
