/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From an action to its steps: for everything that a machine may have and have not, and what holds for every plan. */
#include "agent/plan.h"
#include "tests/unit/agent/support.h"

/* A machine of which only what matters here is there. */
struct subject {
	struct pm_machine machine;
	struct pm_machine_config config;
	struct pm_nic_config nic_configs[2];
	struct pm_nic nics[2];
	struct pm_bmc bmc;
};

static void make(struct subject *subject, bool bmc, bool mac, enum pm_power_on_method method)
{
	static char name[] = "m1";

	memset(subject, 0, sizeof(*subject));
	subject->config = (struct pm_machine_config){.name = name, .on_timeout_s = 300, .off_timeout_s = 200};
	subject->machine.config = &subject->config;
	subject->machine.power_on_method = method;
	subject->machine.bmc = bmc ? &subject->bmc : NULL;
	subject->machine.nics = subject->nics;
	subject->machine.nic_count = 2;
	for (uint32_t i = 0; i < 2; i++)
		subject->nics[i] = (struct pm_nic){.index = i + 1, .config = &subject->nic_configs[i]};
	subject->nic_configs[1].has_mac = mac; /* the first has none: it must not be chosen */
}

/* Plans as words: U up, D down, S soft, C cycle, R reset, N diagnostic interrupt, W wake, B setting; | an alternative. */
static const char *describe(const struct pm_machine *machine, enum pm_command action, uint32_t nic,
			    bool by_bmc)
{
	static char text[32];
	static const char letters[] = "UDCRNSBBW"; /* from PM_STEP_BMC_POWER_UP on */
	bool graceful = action == PM_COMMAND_SHUTDOWN || action == PM_COMMAND_REBOOT;
	const struct pm_job_spec spec = {
	    .action = action, .nic = nic, .scope = graceful ? PM_SCOPE_STACK_AND_MACHINE : PM_SCOPE_MACHINE};
	struct pm_error err = {""};
	struct pm_plan plan;
	char *to = text;

	if (pm_plan(machine, &spec, by_bmc, &plan, &err) < 0) {
		assert_true(*err.text != '\0');
		return "refused";
	}
	for (unsigned i = 0; i < plan.count; i++) {
		if (plan.steps[i].alternative)
			*to++ = '|';
		*to++ = letters[plan.steps[i].action - PM_STEP_BMC_POWER_UP];
	}
	*to = '\0';
	pm_plan_free(&plan);
	return text;
}

static const char *plan(bool bmc, bool mac, enum pm_power_on_method method, enum pm_command action)
{
	struct subject subject;

	make(&subject, bmc, mac, method);
	subject.config.off_methods[0] = PM_OFF_BMC_SOFT;
	subject.config.off_methods[1] = PM_OFF_BMC;
	subject.config.off_method_count = bmc ? 2 : 0;
	return describe(&subject.machine, action, 0, false);
}

static void test_power_on_by_method_and_equipment(void **state)
{
	static const struct {
		enum pm_power_on_method method;
		bool bmc, mac;
		const char *steps;
	} cases[] = {{PM_ON_AUTO, true, true, "U"},        {PM_ON_AUTO, true, false, "U"},
		     {PM_ON_AUTO, false, true, "W"},       {PM_ON_AUTO, false, false, "refused"},
		     {PM_ON_IPMI, true, true, "U"},        {PM_ON_IPMI, true, false, "U"},
		     {PM_ON_IPMI, false, true, "refused"}, {PM_ON_IPMI, false, false, "refused"},
		     {PM_ON_WOL, true, true, "W"},         {PM_ON_WOL, true, false, "refused"},
		     {PM_ON_WOL, false, true, "W"},        {PM_ON_WOL, false, false, "refused"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(plan(cases[i].bmc, cases[i].mac, cases[i].method, PM_COMMAND_POWER_ON),
				    cases[i].steps);
}

static void test_what_the_other_verbs_do(void **state)
{
	static const struct {
		enum pm_command action;
		const char *with_bmc, *without;
	} cases[] = {{PM_COMMAND_WAKE, "W", "W"},
		     {PM_COMMAND_SHUTDOWN, "S|D", "refused"},
		     {PM_COMMAND_REBOOT, "S|DU", "refused"},
		     {PM_COMMAND_POWER_OFF, "D", "refused"},
		     {PM_COMMAND_SOFT_OFF, "S", "refused"},
		     {PM_COMMAND_CYCLE, "C", "refused"},
		     {PM_COMMAND_RESET, "R", "refused"},
		     {PM_COMMAND_DIAGNOSTIC_INTERRUPT, "N", "refused"},
		     {PM_COMMAND_IDENTIFY, "B", "refused"},
		     {PM_COMMAND_NONE, "B", "refused"},
		     {PM_COMMAND_SUSPEND, "refused", "refused"},
		     {PM_COMMAND_HIBERNATE, "refused", "refused"},
		     {PM_COMMAND_INIT, "refused", "refused"},
		     {PM_COMMAND_ARM_WOL, "refused", "refused"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_string_equal(plan(true, true, PM_ON_AUTO, cases[i].action), cases[i].with_bmc);
		assert_string_equal(plan(false, true, PM_ON_AUTO, cases[i].action), cases[i].without);
	}
	assert_string_equal(plan(true, false, PM_ON_AUTO, PM_COMMAND_WAKE), "refused");
}

static void test_off_methods_in_their_order(void **state)
{
	static const struct {
		enum pm_off_method methods[3];
		size_t count;
		const char *with_bmc;
	} cases[] = {{{PM_OFF_BMC_SOFT, PM_OFF_BMC}, 2, "S|D"},
		     {{PM_OFF_BMC, PM_OFF_BMC_SOFT}, 2, "D|S"},
		     {{PM_OFF_BMC_SOFT}, 1, "S"},
		     {{PM_OFF_BMC}, 1, "D"},
		     {{PM_OFF_HOST, PM_OFF_BMC_SOFT, PM_OFF_BMC}, 3, "S|D"},
		     {{PM_OFF_HOST}, 1, "refused"},
		     {{0}, 0, "refused"}};
	struct subject subject;

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		make(&subject, true, true, PM_ON_AUTO);
		memcpy(subject.config.off_methods, cases[i].methods, sizeof(cases[i].methods));
		subject.config.off_method_count = cases[i].count;
		assert_string_equal(describe(&subject.machine, PM_COMMAND_SHUTDOWN, 0, false),
				    cases[i].with_bmc);
		subject.machine.bmc = NULL;
		assert_string_equal(describe(&subject.machine, PM_COMMAND_SHUTDOWN, 0, false), "refused");
	}
}

static void test_the_nic_of_a_wake(void **state)
{
	struct subject subject;

	(void)state;
	make(&subject, false, true, PM_ON_AUTO);
	assert_ptr_equal(pm_plan_nic(&subject.machine, 0), &subject.nics[1]);
	assert_ptr_equal(pm_plan_nic(&subject.machine, 2), &subject.nics[1]);
	assert_null(pm_plan_nic(&subject.machine, 1)); /* has no MAC address */
	assert_null(pm_plan_nic(&subject.machine, 3));
	assert_string_equal(describe(&subject.machine, PM_COMMAND_WAKE, 1, false), "refused");
	assert_string_equal(describe(&subject.machine, PM_COMMAND_WAKE, 2, false), "W");
}

static void test_chassis_control_overrides_the_method(void **state)
{
	struct subject subject;

	(void)state;
	make(&subject, true, true, PM_ON_WOL);
	assert_string_equal(describe(&subject.machine, PM_COMMAND_POWER_ON, 0, true), "U");
	make(&subject, false, true, PM_ON_WOL);
	assert_string_equal(describe(&subject.machine, PM_COMMAND_POWER_ON, 0, true), "refused");
}

/* --- what holds for every plan -------------------------------------------------------------------------------------------- */

static bool is_momentary(const struct pm_step *step)
{
	return step->action == PM_STEP_BMC_POWER_CYCLE || step->action == PM_STEP_BMC_HARD_RESET ||
	       step->action == PM_STEP_BMC_DIAGNOSTIC_INTERRUPT;
}

static enum pm_power_state goal_of(const struct pm_step *step)
{
	switch (step->action) {
	case PM_STEP_BMC_IDENTIFY:
	case PM_STEP_BMC_CONFIGURE:
	case PM_STEP_BMC_DIAGNOSTIC_INTERRUPT:
		return 0;
	case PM_STEP_BMC_POWER_DOWN:
	case PM_STEP_BMC_SOFT_SHUTDOWN:
		return PM_POWER_OFF;
	default:
		return PM_POWER_ON;
	}
}

static void check_step(const struct pm_machine *machine, const struct pm_step *step)
{
	assert_int_equal(step->momentary, is_momentary(step));
	assert_int_equal(step->goal, goal_of(step));
	if (step->goal)
		assert_int_equal(step->timeout_s, step->goal == PM_POWER_ON ? 300 : 200);
	assert_true(step->timeout_s > 0);
	assert_true(step->action == PM_STEP_WAKE_SEND || machine->bmc);
}

/* The first of the alternatives before it; 0 for an alternative, and for the first. */
static unsigned follows(const struct pm_step *steps, unsigned place)
{
	unsigned number = place;

	while (number > 1 && steps[number - 1].alternative)
		number--;
	return steps[place].alternative ? 0 : number;
}

/* Steps after the last that brings the machine down may only bring it up; no alternative without what it replaces. */
static void check_plan(const struct pm_machine *machine, const struct pm_plan *plan)
{
	const struct pm_step *steps = plan->steps;
	int count = (int)plan->count;
	const struct pm_machine_config *config = machine->config;
	int hard = -1, soft = -1;
	bool soft_first =
	    config->off_methods[0] == PM_OFF_BMC_SOFT ||
	    (config->off_methods[0] == PM_OFF_HOST && config->off_methods[1] == PM_OFF_BMC_SOFT);

	assert_in_range(count, 1, 4);
	assert_false(steps[0].alternative);
	for (int i = 0; i < count; i++) {
		check_step(machine, &steps[i]);
		if (steps[i].alternative)
			assert_int_equal(steps[i].goal, steps[i - 1].goal);
		assert_int_equal(steps[i].level, i + 1);
		assert_int_equal(steps[i].state, PM_JOB_NOT_READY);
		assert_int_equal(steps[i].after, follows(steps, (unsigned)i));
		assert_int_equal(steps[i].before, 0);
		hard = steps[i].action == PM_STEP_BMC_POWER_DOWN ? i : hard;
		soft = steps[i].action == PM_STEP_BMC_SOFT_SHUTDOWN ? i : soft;
	}
	if (count > 1 && soft_first)
		assert_true(soft == 0 && (hard < 0 || steps[hard].alternative));
}

static void vary(struct subject *subject)
{
	make(subject, repeatable_random(2), repeatable_random(2), 1 + repeatable_random(3));
	subject->config.off_method_count = repeatable_random(4);
	for (size_t i = 0, first = repeatable_random(3); i < 3; i++)
		subject->config.off_methods[i] = (enum pm_off_method)((first + i) % 3 + 1);
}

static void test_properties_of_every_plan(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct pm_plan plan;
		struct pm_error err = {""};
		struct subject subject;
		const struct pm_job_spec spec = {.action = 1 + repeatable_random(PM_COMMAND_IDENTIFY),
						 .scope = 1 + repeatable_random(3),
						 .nic = repeatable_random(4)};
		int error;

		vary(&subject);
		error = pm_plan(&subject.machine, &spec, repeatable_random(2), &plan, &err);
		if (!error)
			check_plan(&subject.machine, &plan);
		else
			assert_true(error < 0 && plan.count == 0 && strlen(err.text) > 10);
		pm_plan_free(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_power_on_by_method_and_equipment),
	    cmocka_unit_test(test_what_the_other_verbs_do),
	    cmocka_unit_test(test_off_methods_in_their_order),
	    cmocka_unit_test(test_the_nic_of_a_wake),
	    cmocka_unit_test(test_chassis_control_overrides_the_method),
	    cmocka_unit_test(test_properties_of_every_plan),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
