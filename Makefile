# SPDX-License-Identifier: Apache-2.0
# libren with GNU make alone. `make help` lists what there is to make.
#
# Variables: CC, CFLAGS, LDFLAGS, BUILD (folder for everything that is made), PREFIX, LIBDIR, INCLUDEDIR, DESTDIR,
# JOBS, DEPS=no (never install a package), PYTHON, REN_SHARED (folder with real data; tests that need it skip without).

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

BUILD  ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
DEPS   ?= yes
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

version_part = $(shell sed -n 's/^.define REN_VERSION_$(1)  *//p' include/ren.h)
VERSION := $(call version_part,MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)
# Until 1.0 the soname's number is 0; from then on it is the major version.
SONAME := libren.so.0

# ------------------------------------------------------------------------------------------------------------ flags

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wmissing-prototypes -Wundef
# clang warns of each `omp simd` loop that it does not vectorize: advice to the optimiser, no mistake.
WARNINGS += $(if $(findstring clang,$(CC)),-Wno-pass-failed)
SANITIZE :=

# No contraction of a * b + c: results must not depend on which file a sum stands in. No -ffast-math, also not at the
# link: it would flush denormals in the host.
OURS     := -std=c11 -D_GNU_SOURCE -fopenmp -fPIC -fvisibility=hidden -ffp-contract=off $(WARNINGS) $(SANITIZE)
INCLUDES := -Iinclude -Isrc -I/usr/include/nifti $(shell pkg-config --cflags jansson yaml-0.1 libpng zlib 2>/dev/null)
COMPILE   = $(CC) $(OURS) $(INCLUDES) $(CPPFLAGS) $(CFLAGS) -MMD -MP

# Kernels for one instruction set are in files of their own, chosen at run time.
VECTOR_avx2   := -mavx2 -mfma
VECTOR_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
vector_flags   = $(VECTOR_$(lastword $(subst _, ,$(basename $(notdir $(1))))))

# -lnifti2 before all that could bring libniftiio, which has other structures behind the same names.
LIBS := -lnifti2 -lznz -ldnnl $(shell pkg-config --libs jansson yaml-0.1 libpng zlib 2>/dev/null \
	|| echo -ljansson -lyaml -lpng -lz) -lm -lpthread
LINK  = $(CC) -fopenmp $(SANITIZE) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed

# Objects of different compilers or flags never meet: their folder has the flags' hash for its name.
HASH := $(firstword $(shell echo '$(CC) $(OURS) $(INCLUDES) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LIBS)' | md5sum))
OBJECTS := $(BUILD)/obj/$(HASH)

# V=1 shows whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '%-5s %s\n' $(1) $(2))

# ---------------------------------------------------------------------------------------------------------- sources

LIBRARY_SOURCES := $(wildcard src/*/*.c)
CLI_SOURCES     := $(wildcard examples/cli/*.c)
# The longest first, so that none is left alone at the end.
LONG_TESTS      := $(wildcard tests/unit/test_train_study.c tests/unit/test_train_trainer.c tests/unit/test_volume_phantom.c)
TEST_SOURCES    := $(LONG_TESTS) $(filter-out $(LONG_TESTS),$(wildcard tests/*/test_*.c))
TEST_SCRIPTS    := $(wildcard tests/test_*.sh tests/*/test_*.sh tests/*/test_*.py)

LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(OBJECTS)/%.o)
CLI_OBJECTS     := $(CLI_SOURCES:%.c=$(OBJECTS)/%.o)
TEST_PROGRAMS   := $(addprefix $(BUILD)/tests/,$(basename $(notdir $(TEST_SOURCES))))

SHARED := $(BUILD)/lib/$(SONAME)
STATIC := $(BUILD)/lib/libren.a
REN    := $(BUILD)/bin/ren

# ------------------------------------------------------------------------------------------------------------ build

.PHONY: all lib cli
all: lib cli ## the shared and the static library and the ren program (default)
lib: $(BUILD)/lib/libren.so $(STATIC) ## the libraries alone
cli: $(if $(CLI_SOURCES),$(REN)) ## the ren program

$(OBJECTS)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(COMPILE) $(call vector_flags,$*) -c $< -o $@

# A host sees nothing but the installed headers.
$(OBJECTS)/examples/%.o: INCLUDES := -Iinclude
$(OBJECTS)/tests/%.o: INCLUDES += -Itests/unit -Itests/fuzz -Itests

# Changes when flags or the list of sources change, so that what is linked from objects follows.
STAMP := $(BUILD)/obj/linked-from
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(HASH) $(sort $(LIBRARY_SOURCES) $(CLI_SOURCES)))
$(shell mkdir -p $(dir $(STAMP)) && echo '$(HASH) $(sort $(LIBRARY_SOURCES) $(CLI_SOURCES))' > $(STAMP))
endif

$(SHARED): $(LIBRARY_OBJECTS) lib/libren.map $(STAMP)
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=lib/libren.map -Wl,-z,defs,-z,relro,-z,now \
		$(LIBRARY_OBJECTS) $(LIBS) -o $@

$(BUILD)/lib/libren.so: $(SHARED)
	@ln -sf $(SONAME) $@

$(STATIC): $(LIBRARY_OBJECTS) $(STAMP)
	@mkdir -p $(@D)
	$(call say,ar,$@)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $(LIBRARY_OBJECTS)

$(REN): $(CLI_OBJECTS) $(BUILD)/lib/libren.so
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(LINK) $(CLI_OBJECTS) -L$(BUILD)/lib -lren -lm '-Wl,-rpath,$$ORIGIN/../lib' -o $@

# ------------------------------------------------------------------------------------------------------------ tests

.PHONY: test test-all unit headers abi abi-record demo bench
test: ## all checks: headers, unit tests with failing allocations, conformance, ABI, scripts; ends with one line of sums
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory test-all

test-all: all $(TEST_PROGRAMS)
	@CC='$(CC)' BUILD='$(BUILD)' PYTHON='$(PYTHON)' MAKE_VARIABLES='$(MAKEOVERRIDES)' tests/run.sh $(JOBS) $(BUILD)/log $(TEST_PROGRAMS) $(TEST_SCRIPTS)

unit: $(TEST_PROGRAMS) ## the test programs alone, without scripts
	@tests/run.sh $(JOBS) $(BUILD)/log $(TEST_PROGRAMS)

headers: ## include/ compiles alone as C11, C99 and C++17
	@CC='$(CC)' tests/abi/test_headers.sh

abi: all ## exported symbols are those of the headers; the ABI is the recorded one
	@BUILD='$(BUILD)' tests/abi/test_symbols.sh
	@BUILD='$(BUILD)' tests/abi/test_abi.sh

abi-record: all ## records the present ABI in lib/libren.abi
	@BUILD='$(BUILD)' tests/abi/test_abi.sh --record

# What tests have in common, the files that are no test themselves: an archive, so that each links what it uses.
TEST_SUPPORT := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)) tests/fuzz/seeds.c
SUPPORT := $(BUILD)/tests/libsupport.a
$(SUPPORT): $(TEST_SUPPORT:%.c=$(OBJECTS)/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

# Each fuzz target has the fuzzer's one entry point. A program that holds several calls them by their files' names.
FUZZ_TARGETS := $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_RENAMED := $(FUZZ_TARGETS:%=$(OBJECTS)/tests/fuzz/renamed/%.o)
$(OBJECTS)/tests/fuzz/renamed/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(COMPILE) -DLLVMFuzzerTestOneInput=$* -c $< -o $@
WITH_test_corpus := $(FUZZ_RENAMED)
WITH_label_maps := $(OBJECTS)/tests/fuzz/renamed/fuzz_radiomics.o

define test_program
$(BUILD)/tests/$(basename $(notdir $(1))): $(OBJECTS)/$(1:.c=.o) $(WITH_$(basename $(notdir $(1)))) $(SUPPORT) $(STATIC)
	@mkdir -p $$(@D)
	$$(call say,link,$$@)
	$$(Q)$$(LINK) $$^ $(FIRST_LIBS) -lcmocka $$(LIBS) -o $$@
endef
$(foreach source,$(TEST_SOURCES) tests/tsan/seeded_race.c tests/fuzz/write_seeds.c tests/fuzz/label_maps.c,$(eval $(call test_program,$(source))))

demo: ## trains seven small experts on a synthetic cohort, evaluates and predicts, with a report: under 5 minutes
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory all
	@BUILD='$(BUILD)' tests/demo.sh

bench: all ## compares with PyTorch and ONNX Runtime, which the PYTHON given must have
	$(PYTHON) tests/bench/run.py

# ------------------------------------------------------------------------------------------------- analysis, by hand

.PHONY: asan tsan tidy fuzz fuzz-targets
asan: ## unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory deps
	@UBSAN_OPTIONS=print_stacktrace=1 $(MAKE) --no-print-directory unit $(ASAN)
ASAN := BUILD=$(BUILD)/asan CFLAGS='-O1 -g' \
	SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'

.PHONY: asan-cli label-maps
asan-cli: ## the ren program, its studies and its interrupts under the same sanitizers
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory cli $(ASAN)
	@BUILD=$(BUILD)/asan tests/test_cli.sh

MAPS ?= 20000
label-maps: ## MAPS random label maps through the radiomics extractor under the same sanitizers
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(BUILD)/asan/tests/label_maps $(ASAN)
	@$(BUILD)/asan/tests/label_maps 0 $(MAPS)

# clang's OpenMP runtime tells ThreadSanitizer (through archer) what its barriers order; gcc's does not. oneDNN asks for
# gcc's, whose entry points clang's has too: linked first, it serves both. There are no suppressions.
ARCHER := $(firstword $(wildcard /usr/lib/llvm-*/lib/libarcher.so))
tsan: ## unit tests under ThreadSanitizer, and a seeded race that it must report
	@$(MAKE) --no-print-directory deps TOOLS=yes
	@REN_TEST_INJECT=0 OMP_TOOL_LIBRARIES=$(ARCHER) TSAN_OPTIONS='ignore_noninstrumented_modules=1 halt_on_error=1' \
		$(MAKE) --no-print-directory unit seeded-race BUILD=$(BUILD)/tsan CC=clang CFLAGS='-O1 -g' FIRST_LIBS='-lomp' \
		SANITIZE=-fsanitize=thread

.PHONY: seeded-race
seeded-race: $(BUILD)/tests/seeded_race
	@if $< 2>&1 | grep -q 'WARNING: ThreadSanitizer: data race'; then echo 'the seeded race is reported'; \
		else echo 'the seeded race is not reported: ThreadSanitizer is blind here'; exit 1; fi

FUZZ_SECONDS ?= 20
FUZZ_PROGRAMS := $(addprefix $(BUILD)/fuzz/,$(FUZZ_TARGETS))
fuzz: ## every fuzz target for FUZZ_SECONDS with libFuzzer and both sanitizers; what fails is kept in build/fuzz/found
	@$(MAKE) --no-print-directory deps TOOLS=yes
	@$(MAKE) --no-print-directory fuzz-targets BUILD=$(BUILD)/fuzz CC=clang CFLAGS='-O1 -g' FIRST_LIBS=-lomp \
		SANITIZE='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined'

fuzz-targets: $(BUILD)/tests/write_seeds $(FUZZ_PROGRAMS)
	@mkdir -p $(BUILD)/found $(FUZZ_TARGETS:fuzz_%=$(BUILD)/corpus/%)
	@$(BUILD)/tests/write_seeds $(BUILD)/seeds
	@for target in $(FUZZ_TARGETS:fuzz_%=%); do \
		echo "$$target"; \
		$(BUILD)/fuzz/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -verbosity=0 \
			-print_final_stats=1 -print_funcs=0 -artifact_prefix=$(BUILD)/found/$$target- \
			$(BUILD)/corpus/$$target $(BUILD)/seeds/$$target || exit 1; \
	done

$(FUZZ_PROGRAMS): $(BUILD)/fuzz/%: $(OBJECTS)/tests/fuzz/%.o $(SUPPORT) $(STATIC)
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(LINK) -fsanitize=fuzzer $^ $(FIRST_LIBS) $(LIBS) -o $@

C_FILES := $(wildcard include/*.h src/*/*.[ch] examples/*/*.[ch] tests/*/*.[ch])
tidy: ## clang-format, clang-tidy and cppcheck have nothing to say
	@$(MAKE) --no-print-directory deps TOOLS=yes
	clang-format --dry-run -Werror $(C_FILES)
	@$(MAKE) --no-print-directory $(LIBRARY_SOURCES:%=%.tidy)
	cppcheck --quiet --std=c11 --language=c --error-exitcode=1 --inline-suppr --enable=warning,portability \
		--suppress=missingIncludeSystem -D_GNU_SOURCE -D__SSE2__ -D__x86_64__ -Iinclude -Isrc -j$(JOBS) src examples

%.c.tidy: %.c
	$(call say,tidy,$<)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(OURS) $(INCLUDES) $(call vector_flags,$*) 2>/dev/null

# ---------------------------------------------------------------------------------------------------- dependencies

DEBIAN_BUILD := gcc g++ make pkg-config libdnnl-dev libnifti2-dev libniftiio-dev zlib1g-dev libjansson-dev libyaml-dev \
	libpng-dev libxgboost0 libcmocka-dev abigail-tools python3 python3-numpy
DEBIAN_TOOLS := clang clang-tidy clang-format cppcheck libomp-dev libclang-rt-14-dev
NEEDED_HEADERS := dnnl.h nifti2_io.h zlib.h jansson.h yaml.h png.h
NEEDED_LIBRARIES := libxgboost.so.0
TOOLS ?= no

.PHONY: deps
deps: ## installs missing Debian packages as root, otherwise tells the line to run (TOOLS=yes: also those of tidy, tsan)
	@CC='$(CC)' PYTHON='$(PYTHON)' DEPS='$(DEPS)' INCLUDES='$(INCLUDES)' HEADERS='$(NEEDED_HEADERS)' \
		LIBRARIES='$(NEEDED_LIBRARIES)' \
		COMMANDS='$(CC) g++ pkg-config abidw abidiff $(if $(filter yes,$(TOOLS)),clang clang-tidy clang-format cppcheck)' \
		tests/deps.sh $(DEBIAN_BUILD) $(if $(filter yes,$(TOOLS)),$(DEBIAN_TOOLS))

# ---------------------------------------------------------------------------------------------------------- install

.PHONY: install uninstall clean help list
SHARE_FILES := $(wildcard share/*/*.yaml)
INSTALLED := $(addprefix $(DESTDIR),$(INCLUDEDIR)/ren.h $(INCLUDEDIR)/ren_tools.h $(LIBDIR)/$(SONAME) \
	$(LIBDIR)/libren.so $(LIBDIR)/libren.a $(LIBDIR)/pkgconfig/ren.pc $(PREFIX)/bin/ren \
	$(SHARE_FILES:share/%=$(PREFIX)/share/libren/%))

install: all ## headers, libraries, ren.pc, the ren program and share/ under DESTDIR and PREFIX
	install -d $(sort $(dir $(INSTALLED)))
	install -m 644 include/ren.h include/ren_tools.h $(DESTDIR)$(INCLUDEDIR)
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libren.so
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
		pkgconfig/ren.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/ren.pc
	$(if $(CLI_SOURCES),install -m 755 $(REN) $(DESTDIR)$(PREFIX)/bin)
	for file in $(SHARE_FILES); do install -m 644 $$file $(DESTDIR)$(PREFIX)/share/libren/$${file#share/} || exit 1; done

uninstall: ## removes what install has put there
	rm -f $(INSTALLED)

clean: ## removes the build folder
	rm -rf $(BUILD)

help list: ## this list
	@sed -n 's/^\([a-z][a-z ]*[a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F '\t' '{ printf "%-12s %s\n", $$1, $$2 }'

-include $(shell find $(OBJECTS) -name '*.d' 2>/dev/null)
