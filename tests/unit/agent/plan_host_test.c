/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What verbs become on machines whose operating system can be asked: alone, beside a BMC, below a stack of VMs. */
#include "agent/os.h"
#include "tests/unit/agent/stacks.h"

#define NICS 2

static struct pm_host_config host_config;
static struct pm_os os;
static struct pm_nic_config nic_configs[NICS];
static struct pm_nic nics[NICS];

/* Two NICs; the first has no MAC address, so that it must not be chosen. */
static void give_nics_to(struct stack *stack, bool mac)
{
	for (uint32_t i = 0; i < NICS; i++) {
		nic_configs[i] = (struct pm_nic_config){.has_mac = mac && i == 1, .mac = {2, 0, 0, 0, 0, 1}};
		nics[i] =
		    (struct pm_nic){.index = i + 1, .machine = &stack->machine, .config = &nic_configs[i]};
	}
	stack->machine.nics = nics;
	stack->machine.nic_count = NICS;
}

static void give_host_to(struct stack *stack)
{
	static char name[] = "pmstack@m1";

	host_config = (struct pm_host_config){.ssh = name, .timeout_ms = 10000};
	os = (struct pm_os){.machine = &stack->machine};
	stack->config.host = &host_config;
	stack->machine.os = &os;
}

static void take_methods(struct stack *stack)
{
	struct pm_machine_config *config = &stack->config;

	config->off_method_count = 0;
	if (config->host)
		config->off_methods[config->off_method_count++] = PM_OFF_HOST;
	if (stack->machine.bmc) {
		config->off_methods[config->off_method_count++] = PM_OFF_BMC_SOFT;
		config->off_methods[config->off_method_count++] = PM_OFF_BMC;
	}
}

enum equipment { NEITHER, BMC, HOST, EITHER };

static void equip(struct stack *stack, enum equipment equipment, bool mac)
{
	if (equipment == NEITHER || equipment == HOST)
		stack->machine.bmc = NULL;
	if (equipment == HOST || equipment == EITHER)
		give_host_to(stack);
	give_nics_to(stack, mac);
	take_methods(stack);
}

/* A machine without a stack. */
static void begin(struct stack *stack, enum equipment equipment, bool mac)
{
	stack_begin(stack, 1, 1);
	equip(stack, equipment, mac);
}

static void says(bool can_suspend, bool can_hibernate)
{
	os.answers = true;
	os.heard_ms = 1;
	os.report.can_suspend = can_suspend;
	os.report.can_hibernate = can_hibernate;
}

static const char *planned_of(enum equipment equipment, bool mac, const struct pm_job_spec *spec)
{
	struct stack stack;
	const char *words;

	begin(&stack, equipment, mac);
	words = planned(&stack, spec);
	stack_end(&stack);
	return strncmp(words, "refused", 7) == 0 ? "refused" : words;
}

/* --- every verb, with everything a machine may have ----------------------------------------------- */

#define R "refused"

/* Without a MAC address; by MACHINE and BOTH alike, where there is no stack. */
static const struct {
	enum pm_command action;
	unsigned level;
	const char *words[4]; /* by equipment */
} verbs[] = {
    {PM_COMMAND_SHUTDOWN,
     0,
     {R, "1 bmcSoftShutdown, |2 bmcPowerDown", "1 hostShutdown",
      "1 hostShutdown, |2 bmcSoftShutdown, |3 bmcPowerDown"}},
    {PM_COMMAND_REBOOT,
     0,
     {R, "1 bmcSoftShutdown, |2 bmcPowerDown, 3 bmcPowerUp <1", "1 hostReboot",
      "1 hostReboot, |2 bmcSoftShutdown, |3 bmcPowerDown, 4 bmcPowerUp <1"}},
    {PM_COMMAND_POWER_OFF, 0, {R, "1 bmcPowerDown", R, "1 bmcPowerDown"}},
    {PM_COMMAND_CYCLE, 0, {R, "1 bmcPowerCycle", R, "1 bmcPowerCycle"}},
    {PM_COMMAND_RESET, 0, {R, "1 bmcHardReset", R, "1 bmcHardReset"}},
    {PM_COMMAND_SOFT_OFF, 0, {R, "1 bmcSoftShutdown", R, "1 bmcSoftShutdown"}},
    {PM_COMMAND_SUSPEND,
     0,
     {R, R, "1 hostSuspend, |2 hostShutdown", "1 hostSuspend, |2 hostShutdown, |3 bmcSoftShutdown"}},
    {PM_COMMAND_HIBERNATE,
     0,
     {R, R, "1 hostHibernate, |2 hostShutdown", "1 hostHibernate, |2 hostShutdown, |3 bmcSoftShutdown"}},
    {PM_COMMAND_INIT, 0, {R, R, "1 hostInit", "1 hostInit"}},
    {PM_COMMAND_INIT, 1, {R, R, "1 hostInit", "1 hostInit"}},
    {PM_COMMAND_INIT, 3, {R, R, "1 hostInit", "1 hostInit"}},
    {PM_COMMAND_INIT, 6, {R, R, "1 hostInit", "1 hostInit"}},
    {PM_COMMAND_ARM_WOL, 0, {R, R, "1 hostArmWol", "1 hostArmWol"}},
    {PM_COMMAND_POWER_ON, 0, {R, "1 bmcPowerUp", R, "1 bmcPowerUp"}},
    {PM_COMMAND_DIAGNOSTIC_INTERRUPT, 0, {R, "1 bmcDiagnosticInterrupt", R, "1 bmcDiagnosticInterrupt"}},
    {PM_COMMAND_IDENTIFY, 0, {R, "1 bmcIdentify", R, "1 bmcIdentify"}},
};

static void test_every_verb_by_equipment(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(verbs); i++)
		for (enum equipment equipment = NEITHER; equipment <= EITHER; equipment++)
			for (enum pm_scope scope = MACHINE; scope <= BOTH; scope += BOTH - MACHINE) {
				struct pm_job_spec spec = spec_of_row(verbs[i].action, scope);

				spec.init_level = (uint8_t)verbs[i].level;
				assert_string_equal(planned_of(equipment, false, &spec),
						    verbs[i].words[equipment]);
			}
}

/* Where the scope means nothing its default is no reason to refuse; where it does, nothing is left out silently. */
static void test_the_default_scope_of_a_machine_without_a_stack(void **state)
{
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_INIT, STACK);

	(void)state;
	for (uint8_t level = 0; level <= 6; level++) {
		bool down = level == 0 || level == 1 || level == 6;

		spec.init_level = level;
		assert_string_equal(planned_of(HOST, false, &spec), down ? "refused" : "1 hostInit");
	}
	spec = spec_of_row(PM_COMMAND_ARM_WOL, STACK);
	assert_string_equal(planned_of(HOST, false, &spec), "1 hostArmWol");
	spec = spec_of_row(PM_COMMAND_SUSPEND, STACK);
	assert_string_equal(planned_of(HOST, false, &spec), "refused");
}

static void test_off_methods_in_their_order(void **state)
{
	static const struct {
		enum pm_off_method methods[3];
		size_t count;
		const char *shutdown, *reboot, *suspend;
	} cases[] = {{{PM_OFF_BMC_SOFT, PM_OFF_HOST, PM_OFF_BMC},
		      3,
		      "1 bmcSoftShutdown, |2 hostShutdown, |3 bmcPowerDown",
		      "1 bmcSoftShutdown, |2 hostReboot, |3 bmcPowerDown, 4 bmcPowerUp <1",
		      "1 hostSuspend, |2 bmcSoftShutdown, |3 hostShutdown"},
		     {{PM_OFF_BMC, PM_OFF_HOST},
		      2,
		      "1 bmcPowerDown, |2 hostShutdown",
		      "1 bmcPowerDown, |2 hostReboot, 3 bmcPowerUp <1",
		      "1 hostSuspend, |2 hostShutdown"},
		     {{PM_OFF_HOST},
		      1,
		      "1 hostShutdown",
		      "1 hostReboot, 2 bmcPowerUp <1",
		      "1 hostSuspend, |2 hostShutdown"},
		     {{PM_OFF_BMC}, 1, "1 bmcPowerDown", "1 bmcPowerDown, 2 bmcPowerUp <1", "1 hostSuspend"},
		     {{0},
		      0,
		      "refused: machine m1 has none of its off-methods: shutdown needs a host or a bmc",
		      "refused: machine m1 has none of its off-methods: reboot needs a host or a bmc",
		      "1 hostSuspend"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_job_spec spec = spec_of_row(PM_COMMAND_SHUTDOWN, MACHINE);
		struct stack stack;

		begin(&stack, EITHER, false);
		memcpy(stack.config.off_methods, cases[i].methods, sizeof(cases[i].methods));
		stack.config.off_method_count = cases[i].count;
		assert_string_equal(planned(&stack, &spec), cases[i].shutdown);
		spec.action = PM_COMMAND_REBOOT;
		assert_string_equal(planned(&stack, &spec), cases[i].reboot);
		spec.action = PM_COMMAND_SUSPEND;
		assert_string_equal(planned(&stack, &spec), cases[i].suspend);
		stack_end(&stack);
	}
}

static void test_refusals_name_the_section(void **state)
{
	static const struct {
		enum pm_command action;
		const char *part;
	} cases[] = {{PM_COMMAND_SUSPEND, "no host section"},  {PM_COMMAND_HIBERNATE, "no host section"},
		     {PM_COMMAND_INIT, "no host section"},     {PM_COMMAND_ARM_WOL, "no host section"},
		     {PM_COMMAND_SHUTDOWN, "a host or a bmc"}, {PM_COMMAND_REBOOT, "a host or a bmc"}};
	struct stack stack;

	(void)state;
	begin(&stack, NEITHER, false);
	for (size_t i = 0; i < LENGTH(cases); i++)
		check_refusal(&stack, cases[i].action, MACHINE, 0, cases[i].part);
	stack_end(&stack);
}

/* --- what waits for what, and how long --------------------------------------------------------------- */

static void plan_it(const struct stack *stack, const struct pm_job_spec *spec, struct pm_plan *plan)
{
	struct pm_error err = {""};

	if (pm_plan(&stack->machine, spec, false, plan, &err) < 0)
		fail_msg("%s", err.text);
}

struct aim {
	enum pm_command action;
	uint8_t level;
	enum pm_step_action step;
	enum pm_power_state goal;
	unsigned timeout_s;
	bool momentary;
};

static void test_goals_and_times(void **state)
{
	static const struct aim cases[] = {
	    {PM_COMMAND_SHUTDOWN, 0, PM_STEP_HOST_SHUTDOWN, PM_POWER_OFF, 200, false},
	    {PM_COMMAND_REBOOT, 0, PM_STEP_HOST_REBOOT, PM_POWER_ON, 500, true},
	    {PM_COMMAND_SUSPEND, 0, PM_STEP_HOST_SUSPEND, PM_POWER_SUSPENDED, 200, false},
	    {PM_COMMAND_HIBERNATE, 0, PM_STEP_HOST_HIBERNATE, PM_POWER_SUSPENDED, 200, false},
	    {PM_COMMAND_INIT, 0, PM_STEP_HOST_INIT, PM_POWER_OFF, 200, true},
	    {PM_COMMAND_INIT, 1, PM_STEP_HOST_INIT, 0, 50, true},
	    {PM_COMMAND_INIT, 5, PM_STEP_HOST_INIT, 0, 50, true},
	    {PM_COMMAND_INIT, 6, PM_STEP_HOST_INIT, PM_POWER_ON, 500, true},
	    {PM_COMMAND_ARM_WOL, 0, PM_STEP_HOST_ARM_WOL, 0, 50, false}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const struct aim *aim = &cases[i];
		struct pm_job_spec spec = spec_of_row(aim->action, MACHINE);
		struct stack stack;
		struct pm_plan plan;

		begin(&stack, HOST, false);
		spec.init_level = aim->level;
		plan_it(&stack, &spec, &plan);
		assert_int_equal(plan.steps[0].action, aim->step);
		assert_int_equal(plan.steps[0].goal, aim->goal);
		assert_int_equal(plan.steps[0].timeout_s, aim->timeout_s);
		assert_int_equal(plan.steps[0].momentary, aim->momentary);
		pm_plan_free(&plan);
		stack_end(&stack);
	}
}

/* --- pmJobArmWol ---------------------------------------------------------------------------------------- */

static void test_arming_comes_first(void **state)
{
	static const struct {
		enum pm_command action;
		uint8_t level;
		const char *words;
	} cases[] = {
	    {PM_COMMAND_SHUTDOWN, 0, "1 hostArmWol, 2 hostShutdown <1, |3 bmcSoftShutdown, |4 bmcPowerDown"},
	    {PM_COMMAND_REBOOT, 0,
	     "1 hostArmWol, 2 hostReboot <1, |3 bmcSoftShutdown, |4 bmcPowerDown, 5 bmcPowerUp <2"},
	    {PM_COMMAND_POWER_OFF, 0, "1 hostArmWol, 2 bmcPowerDown <1"},
	    {PM_COMMAND_SOFT_OFF, 0, "1 hostArmWol, 2 bmcSoftShutdown <1"},
	    {PM_COMMAND_CYCLE, 0, "1 hostArmWol, 2 bmcPowerCycle <1"},
	    {PM_COMMAND_RESET, 0, "1 hostArmWol, 2 bmcHardReset <1"},
	    {PM_COMMAND_SUSPEND, 0, "1 hostArmWol, 2 hostSuspend <1, |3 hostShutdown, |4 bmcSoftShutdown"},
	    {PM_COMMAND_HIBERNATE, 0,
	     "1 hostArmWol, 2 hostHibernate <1, |3 hostShutdown, |4 bmcSoftShutdown"},
	    {PM_COMMAND_INIT, 0, "1 hostArmWol, 2 hostInit <1"},
	    {PM_COMMAND_INIT, 6, "1 hostArmWol, 2 hostInit <1"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_job_spec spec = spec_of_row(cases[i].action, BOTH);

		spec.arm_wol = true;
		spec.init_level = cases[i].level;
		assert_string_equal(planned_of(EITHER, true, &spec), cases[i].words);
		assert_string_equal(planned_of(EITHER, false, &spec), cases[i].words);
		assert_string_equal(planned_of(BMC, true, &spec), "refused");
	}
}

/* By itself before sleep, if it is to be woken by a NIC. */
static void test_sleep_is_armed_when_there_is_a_mac(void **state)
{
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_SUSPEND, BOTH);

	(void)state;
	assert_string_equal(planned_of(HOST, true, &spec), "1 hostArmWol, 2 hostSuspend <1, |3 hostShutdown");
	assert_string_equal(planned_of(HOST, false, &spec), "1 hostSuspend, |2 hostShutdown");
	spec.nic = 2;
	assert_string_equal(planned_of(HOST, true, &spec), "1 hostArmWol, 2 hostSuspend <1, |3 hostShutdown");
	spec.nic = 1; /* has none */
	assert_string_equal(planned_of(HOST, true, &spec), "refused");
	spec.nic = 7;
	assert_string_equal(planned_of(HOST, true, &spec), "refused");
}

static void test_arming_of_what_stays_up_is_refused(void **state)
{
	static const struct {
		enum pm_command action;
		enum pm_scope scope;
		uint8_t level;
	} cases[] = {{PM_COMMAND_POWER_ON, BOTH, 0}, {PM_COMMAND_WAKE, BOTH, 0},
		     {PM_COMMAND_IDENTIFY, BOTH, 0}, {PM_COMMAND_DIAGNOSTIC_INTERRUPT, BOTH, 0},
		     {PM_COMMAND_INIT, BOTH, 1},     {PM_COMMAND_INIT, BOTH, 3},
		     {PM_COMMAND_ARM_WOL, BOTH, 0}};
	struct stack stack;

	(void)state;
	begin(&stack, EITHER, true);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_job_spec spec = spec_of_row(cases[i].action, cases[i].scope);
		const char *words;

		spec.arm_wol = true;
		spec.init_level = cases[i].level;
		words = planned(&stack, &spec);
		if (!strstr(words, "refused: pmJobArmWol") || !strstr(words, "leaves machine m1 up"))
			fail_msg("%s", words);
	}
	stack_end(&stack);
}

static void test_which_nic_is_armed(void **state)
{
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_SHUTDOWN, BOTH);
	struct stack stack;

	(void)state;
	begin(&stack, EITHER, true);
	spec.arm_wol = true;
	spec.nic = 1;
	assert_non_null(strstr(planned(&stack, &spec), "refused: NIC 1 of machine m1 has no MAC address"));
	spec.nic = 3;
	assert_non_null(strstr(planned(&stack, &spec), "refused: machine m1 has no NIC 3"));
	spec.nic = 2;
	assert_non_null(strstr(planned(&stack, &spec), "1 hostArmWol"));
	spec = spec_of_row(PM_COMMAND_ARM_WOL, BOTH);
	spec.nic = 3;
	assert_non_null(strstr(planned(&stack, &spec), "refused"));
	stack_end(&stack);
}

/* --- machines that cannot sleep --------------------------------------------------------------------------- */

static void check_suspend(struct stack *stack, enum pm_command action, const char *words)
{
	struct pm_job_spec spec = spec_of_row(action, BOTH);

	assert_string_equal(planned(stack, &spec), words);
}

static void test_what_cannot_sleep_is_switched_off(void **state)
{
	struct stack stack;
	struct pm_plan plan;
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_SUSPEND, BOTH);

	(void)state;
	begin(&stack, EITHER, true);
	says(false, true);
	check_suspend(&stack, PM_COMMAND_SUSPEND, "1 hostArmWol, 2 hostShutdown <1, |3 bmcSoftShutdown");
	check_suspend(&stack, PM_COMMAND_HIBERNATE,
		      "1 hostArmWol, 2 hostHibernate <1, |3 hostShutdown, |4 bmcSoftShutdown");
	says(true, false);
	check_suspend(&stack, PM_COMMAND_HIBERNATE, "1 hostArmWol, 2 hostShutdown <1, |3 bmcSoftShutdown");
	says(false, false);
	plan_it(&stack, &spec, &plan);
	assert_string_equal(plan.steps[1].text, "it cannot suspend to memory: it is switched off instead");
	assert_int_equal(plan.steps[1].goal, PM_POWER_OFF);
	pm_plan_free(&plan);
	os.answers = false; /* what it said before it fell silent may be another kernel's */
	check_suspend(&stack, PM_COMMAND_SUSPEND,
		      "1 hostArmWol, 2 hostSuspend <1, |3 hostShutdown, |4 bmcSoftShutdown");
	stack_end(&stack);
}

static void test_no_gentle_way_off(void **state)
{
	struct stack stack;

	(void)state;
	begin(&stack, EITHER, false);
	says(false, false);
	stack.config.off_methods[0] = PM_OFF_BMC;
	stack.config.off_method_count = 1;
	check_refusal(&stack, PM_COMMAND_SUSPEND, BOTH, 0, "cannot suspend to memory");
	check_refusal(&stack, PM_COMMAND_HIBERNATE, BOTH, 0, "cannot suspend to disk");
	stack_end(&stack);
}

/* --- above a stack ------------------------------------------------------------------------------------------ */

/* As in stacks.h: v1 carries h2 with v2 (up) and v3; v4 is up, v5 not. */
static void begin_small(struct stack *stack, enum equipment equipment, bool mac)
{
	small(stack);
	equip(stack, equipment, mac);
}

static const struct cell stack_cells[] = {
    {PM_COMMAND_SHUTDOWN, BOTH, NEVER, 0,
     "1 vmShutdown v4 >4, 1 vmShutdown v2 >3, 2 vmShutdown v1 >4, 3 hostShutdown, |4 bmcSoftShutdown, |5 "
     "bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 vmShutdown v4, 1 vmShutdown v2 >3, 2 vmShutdown v1"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_SUSPEND, BOTH, NEVER, 0, "1 vmPause v4 >4, 1 vmPause v2 >3, 2 vmPause v1 >4, 3 hostSuspend"},
    {PM_COMMAND_SUSPEND, STACK, NEVER, 0, "1 vmPause v4, 1 vmPause v2 >3, 2 vmPause v1"},
    {PM_COMMAND_SUSPEND, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_HIBERNATE, BOTH, NEVER, 0,
     "1 vmSave v4 >4, 1 vmSave v2 >3, 2 vmSave v1 >4, 3 hostHibernate, |4 hostShutdown, |5 bmcSoftShutdown"},
    {PM_COMMAND_HIBERNATE, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_INIT, BOTH, NEVER, 0,
     "1 vmShutdown v4 >4, 1 vmShutdown v2 >3, 2 vmShutdown v1 >4, 3 hostInit"},
    {PM_COMMAND_INIT, BOTH, NOW, 0, "1 vmDestroy v1 >3, 1 vmDestroy v4 >3, 2 hostInit"},
    {PM_COMMAND_INIT, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_INIT, STACK, NEVER, 0, "refused"},
    {PM_COMMAND_ARM_WOL, STACK, NEVER, 0, "1 hostArmWol"},
};

static void test_verbs_above_a_stack(void **state)
{
	struct stack stack;

	(void)state;
	begin_small(&stack, EITHER, false);
	check_cells(&stack, stack_cells, LENGTH(stack_cells));
	stack_end(&stack);
}

static void test_run_levels_above_a_stack(void **state)
{
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_INIT, MACHINE);
	struct stack stack;

	(void)state;
	begin_small(&stack, HOST, false);
	for (uint8_t level = 0; level <= 6; level++) {
		bool down = level == 0 || level == 1 || level == 6;

		spec.init_level = level;
		spec.scope = MACHINE;
		if (down)
			assert_non_null(strstr(planned(&stack, &spec), "refused: machine m1 has 3 VMs up"));
		else
			assert_string_equal(planned(&stack, &spec), "1 hostInit");
		spec.scope = BOTH;
		assert_int_equal(strstr(planned(&stack, &spec), "vmShutdown v1") != NULL, down);
	}
	stack_end(&stack);
}

/* Fails before anything of the stack has gone down. */
static void test_arming_before_the_stack(void **state)
{
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_SHUTDOWN, BOTH);
	struct stack stack;

	(void)state;
	begin_small(&stack, HOST, true);
	spec.arm_wol = true;
	assert_string_equal(
	    planned(&stack, &spec),
	    "1 hostArmWol, 2 vmShutdown v4 <1 >5, 2 vmShutdown v2 <1 >4, 3 vmShutdown v1 <1 >5, "
	    "4 hostShutdown <1");
	spec.scope = STACK;
	assert_non_null(strstr(planned(&stack, &spec), "leaves machine m1 up"));
	spec.scope = BOTH;
	spec.force = NOW;
	assert_string_equal(planned(&stack, &spec),
			    "1 hostArmWol, 2 vmDestroy v1 <1 >4, 2 vmDestroy v4 <1 >4, 3 hostShutdown <1");
	spec = spec_of_row(PM_COMMAND_SHUTDOWN, BOTH);
	spec.vm = 1;
	spec.arm_wol = true;
	assert_non_null(strstr(planned(&stack, &spec), "refused: pmJobArmWol"));
	stack_end(&stack);
}

/* Without a BMC it comes up by itself; its VMs wait for that. */
static void test_reboot_without_a_bmc(void **state)
{
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_REBOOT, BOTH);
	struct stack stack;

	(void)state;
	begin_small(&stack, HOST, false);
	assert_string_equal(planned(&stack, &spec),
			    "1 vmShutdown v4 >4, 1 vmShutdown v2 >3, 2 vmShutdown v1 >4, 3 hostReboot, "
			    "4 hypervisorConnect h1 <4, 5 vmStart v1 <5, 5 vmStart v4 <5, "
			    "6 hypervisorConnect h2 <6, 7 vmStart v2 <8");
	spec.force = NOW; /* a reset, which only a BMC does */
	assert_non_null(strstr(planned(&stack, &spec), "no bmc"));
	stack_end(&stack);
}

/* What VMs have in memory would be lost with the machine's: it is saved, or the machine stays on. */
static void test_vms_of_a_machine_that_cannot_suspend(void **state)
{
	struct stack stack;

	(void)state;
	begin_small(&stack, EITHER, false);
	says(false, false);
	check_suspend(&stack, PM_COMMAND_SUSPEND,
		      "1 vmSave v4 >4, 1 vmSave v2 >3, 2 vmSave v1 >4, 3 hostShutdown, |4 bmcSoftShutdown");
	vm_is(&stack.vms[3], PM_VM_PAUSED); /* was stopped before */
	check_suspend(&stack, PM_COMMAND_SUSPEND,
		      "1 vmSave v4 >4, 1 vmSave v2 >3, 2 vmSave v1 >4, 3 hostShutdown, |4 bmcSoftShutdown");
	says(true, true);
	check_suspend(&stack, PM_COMMAND_SUSPEND, "1 vmPause v2 >2, 2 vmPause v1 >3, 3 hostSuspend");
	stack_end(&stack);
}

/* --- what comes up meanwhile --------------------------------------------------------------------------------- */

/* The machine's step, and what must come before it. */
static const char *more_in_words(struct stack *stack, const struct pm_job_spec *spec,
				 enum pm_step_action machine, struct pm_vm *comes)
{
	static char text[400];
	struct pm_plan plan, more;
	struct pm_error err = {""};
	unsigned number = 0;

	plan_it(stack, spec, &plan);
	for (unsigned i = 0; i < plan.count; i++) {
		plan.steps[i].state = PM_JOB_SCHEDULED;
		if (plan.steps[i].action == machine)
			number = i + 1;
		else if (!number)
			plan.steps[i].state = PM_JOB_SUCCEEDED;
	}
	assert_int_not_equal(number, 0);
	for (size_t i = 0; i < stack->machine.vm_count; i++)
		if (pm_vm_is_up(&stack->vms[i]))
			vm_is(&stack->vms[i], PM_VM_SHUTDOWN);
	if (comes)
		vm_is(comes, PM_VM_RUNNING);
	if (pm_plan_more(&stack->machine, spec, plan.steps, plan.count, number, &more, &err) < 0)
		snprintf(text, sizeof(text), "refused: %s", err.text);
	else
		snprintf(text, sizeof(text), "%s", plan_in_words(&more));
	pm_plan_free(&more);
	pm_plan_free(&plan);
	return text;
}

static void test_a_vm_that_comes_up_goes_down_before_the_machine(void **state)
{
	static const struct {
		enum pm_command action;
		enum pm_step_action machine;
		const char *words;
	} cases[] = {{PM_COMMAND_SHUTDOWN, PM_STEP_HOST_SHUTDOWN, "1 vmShutdown v5 >4"},
		     {PM_COMMAND_HIBERNATE, PM_STEP_HOST_HIBERNATE, "1 vmSave v5 >4"},
		     {PM_COMMAND_SUSPEND, PM_STEP_HOST_SUSPEND, "1 vmPause v5 >4"},
		     {PM_COMMAND_INIT, PM_STEP_HOST_INIT, "1 vmShutdown v5 >4"},
		     {PM_COMMAND_REBOOT, PM_STEP_HOST_REBOOT, "1 vmShutdown v5 >4, 5 vmStart v5 <5"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_job_spec spec = spec_of_row(cases[i].action, BOTH);
		struct stack stack;

		begin_small(&stack, HOST, false);
		assert_string_equal(more_in_words(&stack, &spec, cases[i].machine, &stack.vms[4]),
				    cases[i].words);
		stack_end(&stack);
	}
}

static void test_a_vm_that_comes_up_on_what_is_switched_off_instead(void **state)
{
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_SUSPEND, BOTH);
	struct stack stack;

	(void)state;
	begin_small(&stack, HOST, false);
	says(false, false);
	assert_string_equal(more_in_words(&stack, &spec, PM_STEP_HOST_SHUTDOWN, &stack.vms[4]),
			    "1 vmSave v5 >4");
	stack_end(&stack);
}

static void test_the_machine_alone_stays_up_under_a_vm(void **state)
{
	static const struct {
		enum pm_command action;
		enum pm_step_action machine;
	} cases[] = {{PM_COMMAND_SHUTDOWN, PM_STEP_HOST_SHUTDOWN},
		     {PM_COMMAND_REBOOT, PM_STEP_HOST_REBOOT},
		     {PM_COMMAND_SUSPEND, PM_STEP_HOST_SUSPEND},
		     {PM_COMMAND_HIBERNATE, PM_STEP_HOST_HIBERNATE},
		     {PM_COMMAND_INIT, PM_STEP_HOST_INIT}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_job_spec spec = spec_of_row(cases[i].action, MACHINE);
		struct stack stack;

		small(&stack);
		for (size_t j = 0; j < stack.machine.vm_count; j++)
			vm_is(&stack.vms[j], PM_VM_SHUTDOWN);
		equip(&stack, HOST, false);
		assert_string_equal(more_in_words(&stack, &spec, cases[i].machine, NULL), "");
		assert_non_null(strstr(more_in_words(&stack, &spec, cases[i].machine, &stack.vms[3]),
				       "refused: machine m1 has 1 VM up"));
		stack_end(&stack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_verb_by_equipment),
	    cmocka_unit_test(test_the_default_scope_of_a_machine_without_a_stack),
	    cmocka_unit_test(test_off_methods_in_their_order),
	    cmocka_unit_test(test_refusals_name_the_section),
	    cmocka_unit_test(test_goals_and_times),
	    cmocka_unit_test(test_arming_comes_first),
	    cmocka_unit_test(test_sleep_is_armed_when_there_is_a_mac),
	    cmocka_unit_test(test_arming_of_what_stays_up_is_refused),
	    cmocka_unit_test(test_which_nic_is_armed),
	    cmocka_unit_test(test_what_cannot_sleep_is_switched_off),
	    cmocka_unit_test(test_no_gentle_way_off),
	    cmocka_unit_test(test_verbs_above_a_stack),
	    cmocka_unit_test(test_run_levels_above_a_stack),
	    cmocka_unit_test(test_arming_before_the_stack),
	    cmocka_unit_test(test_reboot_without_a_bmc),
	    cmocka_unit_test(test_vms_of_a_machine_that_cannot_suspend),
	    cmocka_unit_test(test_a_vm_that_comes_up_goes_down_before_the_machine),
	    cmocka_unit_test(test_a_vm_that_comes_up_on_what_is_switched_off_instead),
	    cmocka_unit_test(test_the_machine_alone_stays_up_under_a_vm),
	};

	return cmocka_run_group_tests_name("plan host", tests, NULL, NULL);
}
