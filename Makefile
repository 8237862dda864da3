# A thin front of Meson.  `make demo` and `make check` set up, build and run; the second time set-up does nothing.
BUILD ?= build
SHARED ?= $(wildcard ../shared)
export SGS_PYTHON ?= $(CURDIR)/.venv/bin/python
WERROR := $(if $(CI),-Dwerror=true,)
# Meson keeps the options of a folder: `fresh` makes it once.
fresh = [ -f $(1)/build.ninja ] || $(2) meson setup $(1) $(3) >$(1).log 2>&1 || { cat $(1).log; rm -rf $(1); exit 1; }
quiet = $(1) >$(2) 2>&1 || { tail -60 $(2); exit 1; }
# Meson's own list of failures does not say what was wrong; the last lines of a log should.
tests = $(2) meson test -C $(1) --print-errorlogs --no-rebuild --num-processes 2 $(3) || { tools/failures $(1); exit 1; }

.PHONY: all demo check check-gcc check-clang check-sanitize setup setup-test setup-families setup-bench setup-low-bit fuzz format lint install results accuracy accuracy-low-bit conformance bench bench-calibrate bench-low-bit bench-convert bench-simplify bench-smoke same-models families clean

all: setup
	@$(call fresh,$(BUILD))
	@ninja -C $(BUILD)

setup:
	@tools/setup user
setup-test:
	@tools/setup test
setup-families:
	@tools/setup families
setup-bench:
	@tools/setup bench
setup-low-bit:
	@tools/setup low-bit

demo: setup
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv/bin/python models/textline/demo.py --build $(BUILD)

check: check-gcc check-clang check-sanitize
	@echo "check: gcc, clang and sanitizer builds pass"

check-gcc: setup-test
	@$(call fresh,build-gcc,CC=gcc,$(WERROR))
	@ninja -C build-gcc
	@$(call tests,build-gcc)

# The other compiler: no warning, every test that its code takes part in, and the same image bytes as the first one's.
check-clang: setup-test
	@$(call fresh,build-clang,CC=clang-14,$(WERROR))
	@ninja -C build-clang
	@$(call tests,build-clang,OPENIPU_THIS_MACHINE_ALONE=1 OPENIPU_OTHER_BUILD=$(CURDIR)/build-gcc,--no-suite once)

# Sanitizers confuse the compiler's own warnings, which the two builds above have made errors already.  What is read before it is set holds a pattern here
# that no test takes for a result.
check-sanitize: setup-test
	@$(call fresh,build-sanitize,CC=gcc,-Db_sanitize=address$(comma)undefined -Dbuildtype=debugoptimized -Dc_args=-ftrivial-auto-var-init=pattern)
	@ninja -C build-sanitize
	@$(call tests,build-sanitize,OPENIPU_THIS_MACHINE_ALONE=1 ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1,--no-suite once --no-suite large --timeout-multiplier 4)
comma := ,

# Each target for FUZZ_SECONDS.
FUZZ_SECONDS ?= 60
fuzz: setup-test
	@$(call fresh,build-fuzz,CC=clang-14,-Dfuzzers=true -Db_lundef=false -Db_sanitize=address$(comma)undefined -Dbuildtype=debugoptimized)
	@ninja -C build-fuzz
	@tools/fuzz build-fuzz $(FUZZ_SECONDS)

format: setup-test
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

# cppcheck 2.10 gives a file up at some compound literals; takes a structure that is filled field by field for an unset one.
FALSE_ALARMS = --suppress=internalAstError --suppress=ctuuninitvar --suppress=nullPointerRedundantCheck
lint: setup-test
	@$(call fresh,build-gcc,CC=gcc)
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -Iinclude -I. -Isrc --enable=warning,portability \
	  --suppress=missingIncludeSystem --suppress=preprocessorErrorDirective $(FALSE_ALARMS) runtime src cli
	@git ls-files '*.c' | grep -v -e kernels/x86 -e tests/ -e fuzz/ | xargs -n 8 -P 2 clang-tidy-14 -quiet -p build-gcc

install: setup
	@$(call fresh,$(BUILD))
	@meson install -C $(BUILD)

# Accuracy of float, fixed and offline on ../shared/data into docs/RESULTS.md.
results: setup-test
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv/bin/python tools/results.py --build $(BUILD) --shared $(SHARED) --out docs/RESULTS.md

# Task accuracy of every level and of other projects' quantizers on the same pictures into docs/ACCURACY.md, what did not change from the files of the last run.
# NETS, TOOLS: a part, by names or pieces of them with commas between.  ncnn's tools are found by NCNN_TOOLS.
NETS ?=
TOOLS ?=
accuracy: setup setup-bench
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv-bench/bin/python tools/accuracy/main.py --build $(BUILD) --shared $(SHARED) --nets "$(NETS)" --tools "$(TOOLS)" --out docs/ACCURACY.md

# Weights of 4 bits and mixed precision, ours beside quantizers in PyTorch, into a section of docs/ACCURACY.md, kept as above.  NETS, TOOLS as above; SHARE of the iterations
# that papers ask for (1: days), BATCH of pictures.
SHARE ?= 1
BATCH ?= 32
accuracy-low-bit: setup setup-low-bit
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv-bench/bin/python tools/accuracy/low_bit.py --build $(BUILD) --shared $(SHARED) --nets "$(NETS)" --tools "$(TOOLS)" --share $(SHARE) --batch $(BATCH) --out docs/ACCURACY.md

# Time of learned rounding on MobileNetV2, ours beside ppq's, in turns on two cores; `make accuracy-low-bit` takes the table into its section.
bench-low-bit: setup setup-low-bit
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv-bench/bin/python tools/bench_low_bit.py --build $(BUILD) --shared $(SHARED) --work out/accuracy --tools "$(TOOLS)"

# Time and memory of a calibration, ours beside ncnn's and onnxruntime's, in turns on two cores; `make accuracy` takes the table into its page.
bench-calibrate: setup setup-bench
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv-bench/bin/python tools/bench_calibrate.py --build $(BUILD) --shared $(SHARED) --work out/accuracy --tools "$(TOOLS)" --out out/accuracy/cost.md

# Time of our offline runtime beside onnxruntime, LiteRT, OpenVINO and ncnn in 8 bits; of 16 bits and of fixed-point simulation beside onnxruntime's float32; from the
# file to the first result; memory; each layer: into PAGE, docs/PERFORMANCE.md or, of a machine without VNNI, docs/PERFORMANCE-AVX2.md, what was not measured now from the results of earlier runs (out/bench/results.json).  NETS, TOOLS
# as above; PARTS: int8, int16, fixed, start, memory, layers.  THREADS=1 leaves out those of two.  One thread's processor time is worth reading beside other work, two
# threads' time is not.
THREADS ?= 1,2
PARTS ?=
PAGE ?= docs/PERFORMANCE$(if $(shell grep -om1 avx512_vnni /proc/cpuinfo),,-AVX2).md
bench: setup-families setup-bench
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@OMP_NUM_THREADS=1 /usr/bin/python3 bench/make_models.py --out out/bench
	@.venv-bench/bin/python bench/bench.py --build $(BUILD) --work out/bench --nets "$(NETS)" --tools "$(TOOLS)" --parts "$(PARTS)" --threads $(THREADS) --out $(PAGE)

# Instructions of small networks, counted by callgrind, against bench/smoke.tsv; ARGS=--write makes that anew.  `make check` does it too.
bench-smoke: setup-test
	@$(call fresh,build-gcc,CC=gcc,$(WERROR))
	@$(call quiet,ninja -C build-gcc,build-gcc.log)
	@.venv/bin/python bench/smoke.py --build build-gcc $(ARGS)

# Whether gcc's tools and clang's write the same float models, fixed-point models and images of the networks of ../shared, at LEVEL.  NETS as above.
LEVEL ?= L5
same-models: setup-test
	@$(call fresh,build-gcc,CC=gcc,$(WERROR))
	@$(call fresh,build-clang,CC=clang-14,$(WERROR))
	@$(call quiet,ninja -C build-gcc,build-gcc.log)
	@$(call quiet,ninja -C build-clang,build-clang.log)
	@.venv/bin/python tools/same_models.py --build build-gcc --other build-clang --shared $(SHARED) --nets "$(NETS)" --level $(LEVEL)

# Cases of other projects through the float simulator, or on to fixed point: DIR is one suite's folder.
STAGE ?= float
conformance: setup-test
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv/bin/python tools/conformance.py --tool $(BUILD)/tests/conformance/conformance_tool --stage $(STAGE) \
	  --fixed-tool $(BUILD)/tests/ops/fixed_tool --out out/conformance-$(notdir $(patsubst %/,%,$(DIR)))-$(STAGE).tsv $(DIR)

# ONNX to a float model, beside onnxruntime's creation of a session, on networks that `make families` exports; one network from each framework,
# which a script writes.  Fails where ours takes longer, a format much longer than ONNX, or memory is beyond 2.5 times the file.
bench-convert: setup-test
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv/bin/python tools/bench_convert.py --sgs $(BUILD)/cli/sgs $(addprefix out/families/,resnet50.onnx detector.onnx vit_b_16_opset17.onnx)

# Nodes that are left, ours beside onnxsim's: the networks of ../shared and the families, where they are.  Fails where ours are more.
bench-simplify: setup-test
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@.venv/bin/python tools/bench_simplify.py --build $(BUILD) --out docs/SIMPLIFY.md $(addsuffix /models/onnx,$(SHARED)) out/families

# Whole families, exported by Debian's PyTorch, and the networks of ../shared, through every stage into docs/FAMILIES.md.  Takes gigabytes: no part of check.
families: setup-families
	@$(call fresh,$(BUILD))
	@$(call quiet,ninja -C $(BUILD),$(BUILD).log)
	@OMP_NUM_THREADS=1 /usr/bin/python3 models/families/export.py --missing --out out/families
	@.venv/bin/python tools/families.py --build $(BUILD) --models out/families $(addprefix --shared ,$(SHARED)) --out docs/FAMILIES.md

clean:
	rm -rf build build-* *.log out
