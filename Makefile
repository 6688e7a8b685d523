# SPDX-License-Identifier: GPL-3.0-or-later
# pmstack: build, test, install. `make help` lists the targets.

VERSION := 0.4.0
PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share

SHELL := bash
comma := ,

# SANITIZE=1 builds everything with AddressSanitizer and UndefinedBehaviorSanitizer into a directory of its own.
ifdef SANITIZE
BUILD ?= build-asan
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT ?= -O1
else
BUILD ?= build
OPT ?= -O2
endif

CC ?= cc
# V=1 shows whole command lines
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@)
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wformat=2 -Werror
HARDENING := -fstack-protector-strong -fPIE $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
SYSTEMD := $(shell pkg-config --exists libsystemd 2>/dev/null && echo yes)

CPPFLAGS += -D_GNU_SOURCE -I. -DPM_VERSION='"$(VERSION)"' $(if $(SYSTEMD),-DPM_WITH_SYSTEMD)
# texts for people are cut to the length of their field on purpose
CFLAGS   += $(if $(findstring clang,$(CC)),,-Wno-format-truncation) -std=c17 $(OPT) -g $(WARNINGS) $(HARDENING) $(SANFLAGS)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SANFLAGS)
AGENT_LIBS := -lnetsnmpagent -lnetsnmp -lconfuse -ljansson -lsqlite3 -lcap-ng -lvirt $(if $(SYSTEMD),-lsystemd)
IPMI_LIBS := -lfreeipmi
WOL_LIBS := -lpcap
LIBS = $(AGENT_LIBS) $(IPMI_LIBS) $(WOL_LIBS) -luv

AGENT_SRC := $(filter-out agent/main.c,$(wildcard agent/*.c agent/mib/*.c agent/stack/*.c agent/host/*.c))
# the helper on managed machines, a program of its own
HELPER_SRC := $(wildcard agent/host/helper/*.c)
IPMI_SRC := $(wildcard ipmi/*.c)
WOL_SRC  := $(wildcard wol/*.c)
UNIT_SRC := $(wildcard tests/unit/*/*_test.c)
PROG_SRC := $(wildcard tests/integration/*.c)
# preloaded into the program under test, not a program
KILLER_SRC := tests/lab/killer.c
LAB_SRC  := $(filter-out $(KILLER_SRC),$(wildcard tests/lab/*.c))
BENCH_SRC := $(wildcard tests/bench/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FARM_SRC := $(wildcard tests/sim/farm*.c)
# hypervisors that are not there, for the agent's tests and benchmarks
FAKE_SRC := $(wildcard tests/sim/fake_*.c)
SIM_SRC  := $(filter-out $(FARM_SRC) $(FAKE_SRC),$(wildcard tests/sim/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
ARCHIVES := $(BUILD)/libagent.a $(BUILD)/libipmi.a $(BUILD)/libwol.a
UNIT_BIN := $(UNIT_SRC:tests/%.c=$(BUILD)/tests/%)
PROG_BIN := $(PROG_SRC:tests/integration/%.c=$(BUILD)/tests/%)
# what the lab's managed machines boot; one for all builds, as the compiler has no part in it
GUEST    := build/guest
LAB_BIN  := $(LAB_SRC:tests/lab/%.c=$(BUILD)/lab/%) $(BUILD)/lab/killer.so $(BUILD)/lab/tiny-guest.img $(GUEST)/base.cpio
BENCH_BIN := $(BENCH_SRC:tests/bench/%.c=$(BUILD)/bench/%)
SIM_BIN  := $(BUILD)/sim/bmcfarm

.PHONY: all help deps programs test check unit demo bench fuzz lint format install install-host uninstall dist clean
all: $(BUILD)/pmstackd $(if $(HELPER_SRC),$(BUILD)/pmstack-host)

help:
	@echo 'make            build $(BUILD)/pmstackd'
	@echo 'make deps       install what building and testing need, with apt (as root or by sudo)'
	@echo 'make demo       a whole lab on this machine: SNMP, BMCs, Wake-on-LAN, VMs; KEEP=1 leaves it up'
	@echo 'make test       unit and integration tests, then again under ASan and UBSan'
	@echo 'make bench      measurements beside peers, into $(BUILD)/bench.jsonl'
	@echo 'make fuzz       libFuzzer on everything that parses foreign input; FUZZ_SECONDS=30 for each'
	@echo 'make lint       clang-format, clang-tidy, cppcheck, shellcheck, mandoc, smilint'
	@echo 'make install    DESTDIR= PREFIX=$(PREFIX)'
	@echo 'make install-host  only what a managed machine needs: pmstack-host, its man page and completion'
	@echo 'make dist       a source archive below dist/'
	@echo 'SANITIZE=1      build with sanitizers, into build-asan'

# --- build ----------------------------------------------------------------------------------------------------------

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define archive
	$(call say,AR)
	$(Q)rm -f $@.$$$$ && $(AR) rcs $@.$$$$ $^ && mv $@.$$$$ $@
endef
$(BUILD)/libagent.a: $(call obj,$(AGENT_SRC))
	$(archive)
$(BUILD)/libipmi.a: $(call obj,$(IPMI_SRC))
	$(archive)
$(BUILD)/libwol.a: $(call obj,$(WOL_SRC))
	$(archive)

$(BUILD)/pmstackd: $(call obj,agent/main.c) $(ARCHIVES)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

HELPER_LIBS := -ljansson -lmnl $(if $(SYSTEMD),-lsystemd)
$(BUILD)/libhelper.a: $(call obj,$(filter-out agent/host/helper/main.c,$(HELPER_SRC)) agent/error.c agent/text.c)
	$(archive)
$(BUILD)/pmstack-host: $(call obj,agent/host/helper/main.c) $(BUILD)/libhelper.a
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(HELPER_LIBS)

# The simulated BMC, and a farm of them in one process
$(BUILD)/sim/libsim.a: $(call obj,$(SIM_SRC))
	@mkdir -p $(@D)
	$(archive)
$(BUILD)/sim/libfake.a: $(call obj,$(FAKE_SRC))
	@mkdir -p $(@D)
	$(archive)
$(BUILD)/sim/bmcfarm: $(call obj,$(FARM_SRC)) $(BUILD)/sim/libsim.a
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -luv -lgcrypt

$(BUILD)/tests/unit/ipmi/%: $(BUILD)/obj/tests/unit/ipmi/%.o $(BUILD)/libipmi.a $(BUILD)/sim/libsim.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(IPMI_LIBS) -luv -lcmocka -lgcrypt
$(BUILD)/tests/unit/wol/%: $(BUILD)/obj/tests/unit/wol/%.o $(BUILD)/libwol.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(WOL_LIBS) -luv -lcmocka
$(BUILD)/tests/unit/agent/%: $(BUILD)/obj/tests/unit/agent/%.o $(BUILD)/sim/libfake.a $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(WRAP)) -o $@ $^ $(LIBS) -lcmocka
$(BUILD)/tests/unit/host/%: $(BUILD)/obj/tests/unit/host/%.o $(BUILD)/libhelper.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(WRAP)) -o $@ $^ $(HELPER_LIBS) -lcmocka
# the kernel's interfaces and their drivers are stood in for
$(BUILD)/tests/unit/host/arm_test: WRAP := links_read ioctl
# Tests that stand in for the IPMI engine (tests/unit/agent/fake_bmc.h), and that are there when the store commits
FAKE_BMC := ipmi_bmc_submit ipmi_op_cancel ipmi_bmc_stats
$(BUILD)/tests/unit/agent/job_action_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_clock_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_random_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_reload_test: WRAP := $(FAKE_BMC) pm_store_commit
$(BUILD)/tests/unit/agent/job_set_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_vm_many_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_vm_look_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_vm_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/table_vm_set_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_vm_kill_test: WRAP := $(FAKE_BMC) pm_store_commit
$(BUILD)/tests/unit/agent/job_vm_fault_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_host_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_host_fault_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_host_stack_test: WRAP := $(FAKE_BMC)
$(BUILD)/tests/unit/agent/job_host_kill_test: WRAP := $(FAKE_BMC) pm_store_commit
$(BUILD)/tests/unit/agent/job_kill_test: WRAP := $(FAKE_BMC) pm_store_commit
# and in for the prober (tests/unit/agent/fake_probe.h)
FAKE_PROBE := pm_probe_start pm_probe_cancel pm_probe_waits
$(BUILD)/tests/unit/agent/os_random_test: WRAP := $(FAKE_BMC) $(FAKE_PROBE)
$(BUILD)/tests/unit/agent/os_reload_test: WRAP := $(FAKE_PROBE)
# and for the day without memory
$(BUILD)/tests/unit/agent/host_memory_test: WRAP := calloc strdup vasprintf __vasprintf_chk
$(BUILD)/tests/%: $(BUILD)/obj/tests/integration/%.o $(ARCHIVES) $(BUILD)/sim/libsim.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lgcrypt
$(BUILD)/lab/%: $(BUILD)/obj/tests/lab/%.o
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lpcap
# without sanitizers: it works below those of the program it is preloaded into
$(BUILD)/lab/killer.so: $(KILLER_SRC)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out $(SANFLAGS) -fPIE,$(CFLAGS)) -fPIC -shared -o $@ $<
$(BUILD)/bench/stack_agent: $(BUILD)/obj/tests/bench/stack_agent.o $(BUILD)/sim/libfake.a $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
# the boot sector of the lab's VMs
$(BUILD)/lab/tiny-guest.img: tests/lab/tiny-guest.S
	@mkdir -p $(@D)
	$(call say,AS)
	$(Q)as --32 -o $(@:.img=.o) $< && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o $@ $(@:.img=.o)
# Debian's kernel and what runs on it: fetched once, which needs a network
.PHONY: guest
guest: $(GUEST)/base.cpio
$(GUEST)/base.cpio: $(wildcard tests/lab/guest/*) | $(BUILD)/lab/tiny-guest.img
	$(call say,BOOT)
	$(Q)tests/lab/guest/build $(@D) $(BUILD)/lab/tiny-guest.img
$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lnetsnmpagent -lnetsnmp -lpcap $(BENCH_LIBS)
$(BUILD)/bench/stack_events: BENCH_LIBS := -lvirt

# --- packages --------------------------------------------------------------------------------------------------------

BUILD_PACKAGES := gcc make pkg-config libc6-dev libsnmp-dev libfreeipmi-dev libpcap-dev libuv1-dev libsqlite3-dev \
                  libconfuse-dev libcap-ng-dev libvirt-dev libjansson-dev libmnl-dev libsystemd-dev
TEST_PACKAGES := libcmocka-dev libgcrypt20-dev clang libclang-rt-14-dev snmp snmpd snmptrapd libsnmp-base erlang-snmp smitools gettext-base \
                 freeipmi-tools ipmitool openipmi iproute2 iputils-ping util-linux tcpdump tshark socat procps netcat-openbsd etherwake wakeonlan \
                 monitoring-plugins-standard libnet-snmp-perl prometheus-snmp-exporter libxml2-utils \
                 sqlite3 perl netbase git python3-pyghmi faketime openssh-client openssh-server sudo dbus python3-dbusmock cpio xz-utils \
                 binutils libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 seabios
# what is measured beside
BENCH_PACKAGES := pssh clustershell
LINT_PACKAGES := clang-format clang-tidy cppcheck shellcheck mandoc

DEPS := $(BUILD_PACKAGES) $(TEST_PACKAGES) $(LINT_PACKAGES) $(if $(filter bench,$(MAKECMDGOALS)),$(BENCH_PACKAGES))
# What dpkg does not know of is installed; nothing is done when all is there.
deps:
	@missing=$$(dpkg-query -W -f '$${Package} $${db:Status-Status}\n' $(DEPS) \
	    2>/dev/null | awk '$$2 == "installed" {print $$1}' | sort -u | \
	    comm -13 - <(printf '%s\n' $(DEPS) | sort -u)); \
	[ -n "$$missing" ] || exit 0; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo='sudo -E'; \
	echo "installing" $$missing; \
	$$sudo apt-get update -q && \
	DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -q --no-install-recommends $$missing

# --- tests ------------------------------------------------------------------------------------------------------------

TEST_ENV = PM_BUILD=$(abspath $(BUILD)) PMSTACKD=$(abspath $(BUILD))/pmstackd PMSTACK_HOST=$(abspath $(BUILD))/pmstack-host PM_LAB_BIN=$(abspath $(BUILD))/lab PM_GUEST=$(abspath $(GUEST)) \
           PM_TEST_BIN=$(abspath $(BUILD))/tests PM_FARM=$(abspath $(SIM_BIN)) CMOCKA_MESSAGE_OUTPUT=TAP
# they wait more than they compute
TEST_JOBS ?= $(shell echo $$(($$(nproc) + 1)))
# the longest first: at the end nobody waits for one of them alone
LONG := $(patsubst %,tests/integration/%.t,stack-kill journal-kill master-kill faults bmc-down stack-lost)
# fuzzing has sanitizers of its own: once is enough
SCRIPTS := $(LONG) $(filter-out $(LONG) $(if $(SANITIZE),%/fuzz-smoke.t),$(wildcard tests/integration/*.t))

programs: all $(UNIT_BIN) $(PROG_BIN) $(LAB_BIN) $(SIM_BIN)

# Everything, then everything again with sanitizers, also when something has failed: what else is told in the same run. The first
# thing on a fresh machine is to install what is missing.
test: deps
	+@$(MAKE) --no-print-directory programs
	+@$(MAKE) --no-print-directory SANITIZE=1 programs
	+@failed=; \
	echo '== unit and integration tests'; \
	$(MAKE) --no-print-directory check || failed=yes; \
	echo '== the same under AddressSanitizer and UndefinedBehaviorSanitizer'; \
	$(MAKE) --no-print-directory SANITIZE=1 check || failed=yes; \
	[[ -z $$failed ]]

# The tests of one build; T= chooses some of them.
T ?= $(UNIT_BIN) $(SCRIPTS)
check: programs $(if $(filter %/fuzz-smoke.t,$(T)),fuzz-programs)
	@$(TEST_ENV) prove --timer --jobs $(TEST_JOBS) --exec tests/unit/run $(T)

unit: $(UNIT_BIN)
	@$(TEST_ENV) prove --exec tests/unit/run $(UNIT_BIN)

demo: deps
	+@$(MAKE) --no-print-directory all $(LAB_BIN)
	@$(TEST_ENV) tests/lab/demo.sh

bench: deps
	+@$(MAKE) --no-print-directory all $(LAB_BIN) $(BENCH_BIN) $(SIM_BIN)
	@$(TEST_ENV) PM_BENCH_BIN=$(abspath $(BUILD))/bench tests/bench/run

# --- fuzzing: libFuzzer needs clang ------------------------------------------------------------------------------------

FUZZ_SECONDS ?= 30
FUZZ_NAMES := $(FUZZ_SRC:tests/fuzz/%.c=%)
FUZZ_BIN := $(FUZZ_NAMES:%=$(BUILD)/fuzz/%)
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FUZZ_MAKE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(TEST_JOBS)) SANITIZE= \
            BUILD=build-fuzz CC=clang SANFLAGS='$(FUZZ_FLAGS)' OPT=-O1 HARDENING=-fPIE

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(ARCHIVES) $(BUILD)/sim/libsim.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS) -lgcrypt

.PHONY: fuzz-programs fuzz-link
fuzz-link: $(FUZZ_BIN)
	@:
fuzz-programs:
	+$(Q)$(FUZZ_MAKE) fuzz-link
fuzz: deps fuzz-programs
	@set -e; for name in $(FUZZ_NAMES); do \
	    echo "== $$name: $(FUZZ_SECONDS) s"; mkdir -p build-fuzz/corpus/$$name; \
	    build-fuzz/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
	        -artifact_prefix=build-fuzz/ build-fuzz/corpus/$$name tests/fuzz/corpus/$$name 2>&1 | \
	        grep -E '^(stat::|==|SUMMARY|ERROR|.*(ERROR|error):)' ; \
	    test "$${PIPESTATUS[0]}" = 0; \
	done

# --- lint ---------------------------------------------------------------------------------------------------------------

C_FILES := $(wildcard agent/*.[ch] agent/mib/*.[ch] agent/stack/*.[ch] agent/host/*.[ch] agent/host/helper/*.[ch] ipmi/*.[ch] wol/*.[ch] tests/*/*.[ch] tests/unit/*/*.[ch])
SHELL_FILES := .ci/run tests/unit/run $(wildcard tests/lab/*.sh tests/lab/chassis tests/lab/hypervisor tests/lab/carrier tests/lab/qemu-machine tests/lab/guest-machine tests/lab/guest-wake tests/lab/guest/build tests/integration/*.t tests/integration/*.sh tests/bench/run tests/bench/*.sh)

lint: deps
	clang-format --dry-run --Werror $(C_FILES)
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppress=missingIncludeSystem -I. agent ipmi wol
	clang-tidy --quiet $(AGENT_SRC) agent/main.c $(HELPER_SRC) $(IPMI_SRC) $(WOL_SRC) -- $(CPPFLAGS) -std=c17
	shellcheck -x $(SHELL_FILES)
	mandoc -T lint -W warning docs/*.[1-9]

format:
	clang-format -i $(C_FILES)

# --- install ---------------------------------------------------------------------------------------------------------------

install: all install-host
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DATADIR)/snmp/mibs \
	    $(DESTDIR)$(DATADIR)/doc/pmstack/examples $(DESTDIR)$(PREFIX)/lib/systemd/system \
	    $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(DATADIR)/bash-completion/completions
	install -m 755 $(BUILD)/pmstackd $(DESTDIR)$(SBINDIR)/pmstackd
	install -m 644 docs/pmstack.conf.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 644 docs/pmstackd.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 mib/PMSTACK-MIB.txt $(DESTDIR)$(DATADIR)/snmp/mibs/
	install -m 644 README.md LICENSE $(wildcard docs/*.md) $(DESTDIR)$(DATADIR)/doc/pmstack/
	install -m 644 $(wildcard docs/examples/*.conf) $(DESTDIR)$(DATADIR)/doc/pmstack/examples/
	install -m 644 docs/completion/pmstackd $(DESTDIR)$(DATADIR)/bash-completion/completions/
	install -m 644 docs/systemd/pmstack.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/pmstack.conf
	sed 's|@SBINDIR@|$(SBINDIR)|' docs/systemd/pmstackd.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/pmstackd.service
	chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/system/pmstackd.service
	install -m 644 docs/systemd/pmstack-host.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/
	sed 's|@SBINDIR@|$(SBINDIR)|' docs/systemd/pmstack-host@.service >'$(DESTDIR)$(PREFIX)/lib/systemd/system/pmstack-host@.service'
	chmod 644 '$(DESTDIR)$(PREFIX)/lib/systemd/system/pmstack-host@.service'

install-host: $(BUILD)/pmstack-host
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DATADIR)/bash-completion/completions
	install -m 755 $(BUILD)/pmstack-host $(DESTDIR)$(SBINDIR)/pmstack-host
	install -m 644 docs/pmstack-host.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 docs/completion/pmstack-host $(DESTDIR)$(DATADIR)/bash-completion/completions/

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/pmstackd $(DESTDIR)$(MANDIR)/man5/pmstack.conf.5 $(DESTDIR)$(MANDIR)/man8/pmstackd.8 \
	    $(DESTDIR)$(DATADIR)/snmp/mibs/PMSTACK-MIB.txt $(DESTDIR)$(PREFIX)/lib/systemd/system/pmstackd.service \
	    $(DESTDIR)$(PREFIX)/lib/sysusers.d/pmstack.conf $(DESTDIR)$(DATADIR)/bash-completion/completions/pmstackd
	rm -f $(DESTDIR)$(SBINDIR)/pmstack-host $(DESTDIR)$(MANDIR)/man8/pmstack-host.8 \
	    $(DESTDIR)$(DATADIR)/bash-completion/completions/pmstack-host \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system/pmstack-host.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/pmstack-host@.service
	rm -rf $(DESTDIR)$(DATADIR)/doc/pmstack

dist:
	@mkdir -p dist
	git archive --format=tar.gz --prefix=pmstack-$(VERSION)/ -o dist/pmstack-$(VERSION).tar.gz HEAD
	@echo dist/pmstack-$(VERSION).tar.gz

clean:
	rm -rf build build-asan build-fuzz build-clang dist

.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
