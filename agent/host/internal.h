/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver of hosts from inside.
 *
 *   runner.c   the runner, its clients and their queues: who is next
 *   try.c      one attempt to have a request answered: the child process or socket, its deadline, its end
 *   ssh.c      the command line of OpenSSH
 *   local.c    the socket of this host's service
 *   master.c   shared connections: their sockets, and how they are ended
 *   ssh_log.c  pure: what OpenSSH says of itself
 *   answer.c   pure: what pmstack-host answers
 *   verdict.c  pure: what follows from both
 */
#ifndef PM_HOST_INTERNAL_H
#define PM_HOST_INTERNAL_H

#include "agent/host/host.h"
#include "agent/timer.h"

#include <limits.h>

#define HOST_OUTPUT_MAX  65536 /* octets of each stream; a helper's answer is far shorter */
#define HOST_TEXT_SIZE   384
#define HOST_LINE_MAX    512  /* of standard error; longer ones are cut */
#define HOST_GOING_MS    5000 /* silence after it has said that it goes down: it does */
#define HOST_TERM_MS     1000 /* from SIGTERM to SIGKILL */
#define HOST_SHARE_S     30   /* for how long a shared connection outlives its last request */
#define HOST_SOCKET_SIZE 108  /* of a socket's path, with its NUL: unix(7) */
#define HOST_PROGRAM     "pmstack-host"

/* --- answer.c: pure ---------------------------------------------------------------------------- */

enum host_answer_state {
	HOST_ANSWER_NONE,  /* nothing yet that is one */
	HOST_ANSWER_GOING, /* it has said that it goes down */
	HOST_ANSWER_FINAL  /* result holds */
};

struct host_answer {
	enum host_verb verb; /* that was asked */
	enum host_answer_state state;
	enum host_result result;
	char text
	    [HOST_TEXT_SIZE]; /* of the last line that was an answer; why it is nonsense, with HOST_NO_HELPER */
	char excerpt[64];     /* of the first line that was none; "" : there was none */
	struct host_report report; /* HOST_REPORT; of HOST_ARM_WOL the ports alone */
};

/* The verb as pmstack-host knows it. */
const char *host_verb_name(enum host_verb verb);

/* Whether it takes the machine down, or to sleep. */
bool host_verb_goes(const struct host_request *request);

void host_answer_begin(struct host_answer *answer, const struct host_request *request);

/* One line of standard output, without its newline. */
void host_answer_line(struct host_answer *answer, const char *line, size_t length);

/* --- ssh_log.c: pure --------------------------------------------------------------------------- */

/* How far it has come, ascending. */
enum ssh_phase {
	SSH_STARTING,
	SSH_CONNECTING,
	SSH_CONNECTED, /* waits for the server's banner */
	SSH_KEYS,      /* exchanges keys, and looks at the host's */
	SSH_LOGIN,
	SSH_LOGGED_IN, /* or shares a connection */
	SSH_SENT       /* the request has left, or leaves now */
};

/* What has gone wrong, by what it says. */
enum ssh_trouble {
	SSH_NO_TROUBLE,
	SSH_NO_NAME,       /* does not resolve */
	SSH_REFUSED,       /* connection refused */
	SSH_NO_CONNECTION, /* no route, timed out, ... */
	SSH_NO_BANNER,     /* connected, and then nothing, or no SSH */
	SSH_SILENT,        /* later */
	SSH_HOST_KEY_WRONG,
	SSH_HOST_KEY_UNKNOWN,
	SSH_HOST_KEY_REVOKED,
	SSH_NO_ALGORITHM, /* in common */
	SSH_KEY_UNREADABLE,
	SSH_KEY_TOO_OPEN,
	SSH_KEY_INVALID,
	SSH_DENIED,
	SSH_TOO_MANY, /* tries, by the server's count */
	SSH_CLOSED,   /* by the other side, or broken */
	SSH_USAGE     /* an option that this version does not know */
};

struct ssh_log {
	enum ssh_phase phase;
	enum ssh_trouble trouble;
	bool shared;                 /* goes through a connection that was there before */
	bool key_accepted;           /* the server knows the key; whether it can be used is another matter */
	char reason[HOST_LINE_MAX];  /* the line that told of the trouble */
	char last[HOST_LINE_MAX];    /* the last line that is not for debugging */
	char partial[HOST_LINE_MAX]; /* the line that has begun */
	size_t partial_length;
};

void ssh_log_begin(struct ssh_log *log);

/* What has come from standard error. */
void ssh_log_feed(struct ssh_log *log, const char *bytes, size_t length);

/* No more comes. */
void ssh_log_end(struct ssh_log *log);

/* --- verdict.c: pure --------------------------------------------------------------------------- */

struct host_verdict {
	enum host_result result;
	bool sent, heard;
	bool
	    again; /* a shared connection was dead, and the request has not left: worth another try without it */
	char text[HOST_TEXT_SIZE];
};

/* Where and how it was asked, for texts. */
struct host_place {
	const char *address, *user, *identity_file, *known_hosts_file, *socket;
	uint16_t port;
	unsigned deadline_ms;
};

/* ssh has ended with this status of waitpid(2)'s kind; signal_number 0: by itself. */
void host_verdict_exit(struct host_verdict *verdict, const struct host_place *place,
		       const struct host_answer *answer, const struct ssh_log *log, int64_t status,
		       int signal_number);

/* It has not, within the deadline. */
void host_verdict_deadline(struct host_verdict *verdict, const struct host_place *place,
			   const struct host_answer *answer, const struct ssh_log *log);

/* What it writes is more than anything that makes sense. */
void host_verdict_endless(struct host_verdict *verdict, const struct host_place *place,
			  const struct host_answer *answer, const struct ssh_log *log);

/* Whether the request may have left. */
bool host_log_may_be_sent(const struct ssh_log *log);

void host_verdict_set(struct host_verdict *verdict, enum host_result result, bool sent, const char *format,
		      ...) __attribute__((format(printf, 4, 5)));

/* The helper's answer, if it is final, or says that it goes down. */
bool host_verdict_answer(struct host_verdict *verdict, const struct host_answer *answer);

/* --- command lines ----------------------------------------------------------------------------- */

/* The request: "pmstack-host -j report". False: it does not fit, which cannot be. */
bool host_command(char *text, size_t size, const struct host_request *request);

/* The whole command line of ssh on the heap, NULL at its end. control_path "": not shared. NULL: no memory. */
char **ssh_arguments(const struct host_options *options, const char *control_path, unsigned deadline_ms,
		     const char *command);
void ssh_arguments_free(char **arguments);

/* The environment of children, likewise. */
char **ssh_environment(void);

/* Whether ssh can be given this path at all. */
bool ssh_path_is_usable(const char *path);

/* --- the runner -------------------------------------------------------------------------------- */

struct host_op {
	struct host_client *client;
	struct host_request request; /* boot_id and macs point to: */
	char boot_id[HOST_ID_SIZE];
	uint8_t macs[HOST_MACS_MAX][6];
	struct host_op *next;   /* of those that wait */
	struct host_try *try;   /* NULL: it waits */
	uint64_t begun_ms;      /* loop time */
	struct pm_timer *timer; /* its deadline; set while it is under way */
	bool second;            /* it was tried before */
};

struct host_client {
	struct host_runner *runner;
	struct host_client *next, *previous;             /* of the runner's */
	struct host_client *ready_next, *ready_previous; /* of those with a request that can begin */
	bool ready, closing;
	struct host_options options; /* its texts: */
	char *texts[6];
	char control_path[HOST_SOCKET_SIZE]; /* of its shared connection; "" : there is none */
	struct host_op *first, **last;
	struct host_op *active; /* NULL: none is under way, */
	struct host_try *child; /* but a process may still be ending */
};

struct host_runner {
	uv_loop_t *loop;
	unsigned parallel, running;
	char directory[PATH_MAX]; /* "" : nothing is shared */
	uint32_t era, names;      /* what sockets there are called by */
	struct host_client *clients;
	struct host_client *ready, *ready_last;
	struct pm_timer *pump;
	struct host_try *tries;          /* all that have a handle open */
	struct host_farewell *farewells; /* shared connections that are being ended */

	bool stopping;
	struct pm_timer *stop_timer;
	unsigned stop_ms;
	bool stop_killed;
	void (*closed)(void *data);
	void *closed_data;
};

/* Somebody may begin. */
void host_runner_pump(struct host_runner *runner);

/* A process or socket of it has ended: the next may begin. client may be NULL. */
void host_runner_freed(struct host_runner *runner, struct host_client *client);

/* When it is stopping, and nothing is left: the end. */
void host_runner_check(struct host_runner *runner);

/* Takes op off, calls done, frees it. */
void host_op_end(struct host_op *op, const struct host_verdict *verdict, const struct host_answer *answer);

/* --- try.c ------------------------------------------------------------------------------------- */

/* One attempt. Lives until its process is reaped and its handles are closed, also without op and client. */
struct host_try {
	struct host_runner *runner;
	struct host_client *client; /* NULL: closed since */
	struct host_op *op;         /* NULL: it has ended already */
	struct host_try *next, *previous;

	bool is_local;
	uv_process_t process;
	uv_pipe_t out, err;
	unsigned handles; /* open */
	bool running;     /* it counts, and its host is asked nothing else */
	int pid;
	struct pm_timer *kill_timer;
	struct pm_timer *silence_timer; /* nothing comes of it any more */

	uv_connect_t connect; /* local */
	uv_write_t write;
	bool sent;
	char command[512];

	char control_path[HOST_SOCKET_SIZE];
	bool end_master;
	bool stuck; /* in a shared connection that seems to be dead: it is ended, to be tried once more */

	struct host_answer answer;
	struct ssh_log log;
	size_t out_bytes, err_bytes;
	char line[HOST_OUTPUT_MAX]; /* of standard output, begun */
	size_t line_length;
};

/* Begins to ask. The end of op may come before this returns. */
void host_try_begin(struct host_op *op);

/* Nobody is interested any more: what runs is ended. */
void host_try_abandon(struct host_try *try);

/* Its client is being closed. */
void host_try_orphan(struct host_try *try);

/* The deadline has come. */
void host_try_expire(struct host_try *try);

/* Whether the request may have left. */
bool host_try_may_be_sent(const struct host_try *try);

/* SIGKILL to all; then, for good, not even waiting for them. */
void host_tries_kill(struct host_runner *runner);
void host_tries_leave(struct host_runner *runner);

/* For local.c: output, and the end, when nothing runs any more. */
void host_try_feed(struct host_try *try, const char *bytes, size_t length);
void host_try_end(struct host_try *try, const struct host_verdict *verdict);
void host_try_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer);
void host_place_of(struct host_place *place, const struct host_try *try);

/* No descriptor of ours but 0, 1 and 2 reaches a child. */
void host_close_on_exec(void);

/* --- local.c ----------------------------------------------------------------------------------- */

void host_local_begin(struct host_try *try);

/* It has ended without an answer, or otherwise is one. */
void host_local_verdict(struct host_verdict *verdict, const struct host_try *try, enum host_result otherwise);

/* --- master.c ---------------------------------------------------------------------------------- */

/* Makes the directory, or checks it, and ends what another agent has left there. False: nothing can be shared; it is logged. */
bool host_masters_open(struct host_runner *runner, const char *directory);

/* A new name for a shared connection. */
void host_master_name(struct host_runner *runner, char *path, size_t size);

/* Ends the shared connection with this socket, if there is one. */
void host_master_end(struct host_runner *runner, const char *path);

/* They need not be waited for any longer. */
void host_masters_leave(struct host_runner *runner);

#endif
