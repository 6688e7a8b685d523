/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The textual conventions and enumerations of PMSTACK-MIB that the agent serves, as C enums. The numbers are the
 * MIB's; a test compares them with the parsed module.
 */
#ifndef PM_TC_H
#define PM_TC_H

enum pm_truth { PM_TRUE = 1, PM_FALSE = 2 }; /* RFC 2579 TruthValue */

enum pm_admin_state { PM_ADMIN_UNMANAGED = 1, PM_ADMIN_ON, PM_ADMIN_OFF };

enum pm_power_state {
	PM_POWER_UNKNOWN = 1,
	PM_POWER_OFF,
	PM_POWER_POWERING_ON,
	PM_POWER_ON,
	PM_POWER_DRAINING,
	PM_POWER_POWERING_OFF,
	PM_POWER_RESTARTING,
	PM_POWER_SUSPENDED,
	PM_POWER_FAULT
};

enum pm_state_source {
	PM_SOURCE_NONE = 1,
	PM_SOURCE_BMC,
	PM_SOURCE_HYPERVISOR,
	PM_SOURCE_HOST,
	PM_SOURCE_PROBE
};

enum pm_command {
	PM_COMMAND_NONE = 1,
	PM_COMMAND_POWER_ON,
	PM_COMMAND_WAKE,
	PM_COMMAND_SHUTDOWN,
	PM_COMMAND_POWER_OFF,
	PM_COMMAND_REBOOT,
	PM_COMMAND_CYCLE,
	PM_COMMAND_RESET,
	PM_COMMAND_SUSPEND,
	PM_COMMAND_HIBERNATE,
	PM_COMMAND_SOFT_OFF,
	PM_COMMAND_DIAGNOSTIC_INTERRUPT,
	PM_COMMAND_INIT,
	PM_COMMAND_ARM_WOL,
	PM_COMMAND_IDENTIFY
};

enum pm_result {
	PM_RESULT_NONE = 1,
	PM_RESULT_OK,
	PM_RESULT_ALREADY_IN_STATE,
	PM_RESULT_TIMEOUT,
	PM_RESULT_UNREACHABLE,
	PM_RESULT_AUTH_FAILED,
	PM_RESULT_REJECTED,
	PM_RESULT_GUEST_REFUSED,
	PM_RESULT_WAKE_NOT_SEEN,
	PM_RESULT_WAKE_NO_RESPONSE,
	PM_RESULT_ABORTED,
	PM_RESULT_INTERRUPTED,
	PM_RESULT_NOT_CONFIGURED,
	PM_RESULT_INTERNAL_ERROR
};

enum pm_vm_admin_state {
	PM_VM_WISH_RUNNING = 1,
	PM_VM_WISH_SUSPENDED,
	PM_VM_WISH_PAUSED,
	PM_VM_WISH_SHUTDOWN
};

enum pm_vm_state { /* the numbers of RFC 7666, VirtualMachineOperState */
		   PM_VM_UNKNOWN = 1,
		   PM_VM_OTHER,
		   PM_VM_PREPARING,
		   PM_VM_RUNNING,
		   PM_VM_SUSPENDING,
		   PM_VM_SUSPENDED,
		   PM_VM_RESUMING,
		   PM_VM_PAUSED,
		   PM_VM_MIGRATING,
		   PM_VM_SHUTTING_DOWN,
		   PM_VM_SHUTDOWN,
		   PM_VM_CRASHED
};

enum pm_stack_admin_state { PM_STACK_WISH_RUNNING = 1, PM_STACK_WISH_OFF }; /* pmMachineStackAdminState */

enum pm_power_on_method { PM_ON_AUTO = 1, PM_ON_IPMI, PM_ON_WOL };

enum pm_wol_method { PM_WOL_ETHERNET = 1, PM_WOL_UDP };

enum pm_nic_armed { PM_NIC_ARMED_UNKNOWN = 1, PM_NIC_NOT_SUPPORTED, PM_NIC_DISARMED, PM_NIC_ARMED };

enum pm_bmc_status {
	PM_BMC_UNKNOWN = 1,
	PM_BMC_OK,
	PM_BMC_AUTH_FAILED,
	PM_BMC_UNREACHABLE,
	PM_BMC_SESSIONS_EXHAUSTED,
	PM_BMC_ERROR
};

enum pm_os_reachable { PM_OS_UNKNOWN = 1, PM_OS_YES, PM_OS_NO };

enum pm_job_state {
	PM_JOB_NOT_READY = 1,
	PM_JOB_SCHEDULED,
	PM_JOB_RUNNING,
	PM_JOB_VERIFYING,
	PM_JOB_ABORTING,
	PM_JOB_SUCCEEDED,
	PM_JOB_FAILED,
	PM_JOB_ABORTED,
	PM_JOB_TIMED_OUT,
	PM_JOB_INTERRUPTED
};

enum pm_scope { PM_SCOPE_MACHINE = 1, PM_SCOPE_STACK, PM_SCOPE_STACK_AND_MACHINE };

enum pm_force { PM_FORCE_NEVER = 1, PM_FORCE_AFTER_TIMEOUT, PM_FORCE_IMMEDIATELY };

enum pm_row_status { /* RFC 2579 RowStatus */
		     PM_ROW_ACTIVE = 1,
		     PM_ROW_NOT_IN_SERVICE,
		     PM_ROW_NOT_READY,
		     PM_ROW_CREATE_AND_GO,
		     PM_ROW_CREATE_AND_WAIT,
		     PM_ROW_DESTROY
};

enum pm_storage { PM_STORAGE_VOLATILE = 2, PM_STORAGE_NON_VOLATILE = 3 }; /* of RFC 2579 StorageType */

enum pm_job_admin_status { PM_JOB_ENABLED = 1, PM_JOB_DISABLED };

enum pm_step_action { /* pmJobStepAction */
		      PM_STEP_VM_START = 1,
		      PM_STEP_VM_RESUME,
		      PM_STEP_VM_SHUTDOWN,
		      PM_STEP_VM_DESTROY,
		      PM_STEP_VM_REBOOT,
		      PM_STEP_VM_RESET,
		      PM_STEP_VM_PAUSE,
		      PM_STEP_VM_SAVE,
		      PM_STEP_HYPERVISOR_CONNECT,
		      PM_STEP_HOST_SHUTDOWN,
		      PM_STEP_HOST_REBOOT,
		      PM_STEP_HOST_SUSPEND,
		      PM_STEP_HOST_HIBERNATE,
		      PM_STEP_HOST_INIT,
		      PM_STEP_HOST_ARM_WOL,
		      PM_STEP_BMC_POWER_UP,
		      PM_STEP_BMC_POWER_DOWN,
		      PM_STEP_BMC_POWER_CYCLE,
		      PM_STEP_BMC_HARD_RESET,
		      PM_STEP_BMC_DIAGNOSTIC_INTERRUPT,
		      PM_STEP_BMC_SOFT_SHUTDOWN,
		      PM_STEP_BMC_IDENTIFY,
		      PM_STEP_BMC_CONFIGURE,
		      PM_STEP_WAKE_SEND,
		      PM_STEP_STATE_WAIT
};

enum pm_event_kind {
	PM_EVENT_POWER_STATE = 1,
	PM_EVENT_WAKE_SENT,
	PM_EVENT_WAKE_SEEN,
	PM_EVENT_WAKE_NOT_SEEN,
	PM_EVENT_WAKE_NO_RESPONSE,
	PM_EVENT_BMC_DOWN,
	PM_EVENT_BMC_UP,
	PM_EVENT_JOB_STARTED,
	PM_EVENT_JOB_FINISHED,
	PM_EVENT_JOB_FAILED,
	PM_EVENT_VM_STATE,
	PM_EVENT_INHIBIT,
	PM_EVENT_WITNESS,
	PM_EVENT_CONFIGURATION,
	PM_EVENT_HOST,
	PM_EVENT_CHASSIS,
	PM_EVENT_SESSION,
	PM_EVENT_ADMIN_STATE
};

enum pm_severity { PM_SEVERITY_OK = 1, PM_SEVERITY_WARNING, PM_SEVERITY_CRITICAL, PM_SEVERITY_UNKNOWN };

/* The labels of PmCommand, PmResult, PmPowerState, PmVmStateTC, PmJobState and pmJobStepAction as in the MIB; for texts. */
const char *pm_command_name(enum pm_command command);
const char *pm_result_name(enum pm_result result);
const char *pm_power_state_name(enum pm_power_state state);
const char *pm_vm_state_name(enum pm_vm_state state);
const char *pm_job_state_name(enum pm_job_state state);
const char *pm_step_action_name(enum pm_step_action action);

#endif
