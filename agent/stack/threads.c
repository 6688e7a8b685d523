/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The driver's threads: libvirt's event thread, those that come and go, and the end of all of them. */
#include "agent/stack/internal.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* XDR, TLS and libssh put their buffers on the heap. */
#define THREAD_STACK_SIZE ((size_t)512 * 1024)

enum event_state { EVENTS_OFF, EVENTS_ON, EVENTS_ENDING };

struct stopper {
	uv_async_t wake;
	uv_timer_t deadline;
	unsigned handles;
	bool over;
	void (*closed)(void *data);
	void *data;
};

static struct {
	pthread_mutex_t mutex;
	bool ready; /* libvirt is initialised, which is done once */
	int waker;  /* libvirt's timer that ends one turn of its loop */
	enum event_state events;
	unsigned threads; /* that have not ended */
	unsigned objects;
	struct stopper *stopper;
	bool abandoned;
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void say_nothing(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

/* With the mutex held. */
static void something_ended(void)
{
	if (all.stopper && !all.stopper->over)
		uv_async_send(&all.stopper->wake);
}

/* --- threads that come and go ---------------------------------------------------------------------- */

/* libvirt writes to sockets that its other side has closed. */
static void block_sigpipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

struct start {
	void (*run)(void *data);
	void *data;
};

static void *thread_main(void *data)
{
	struct start start = *(struct start *)data;

	free(data);
	block_sigpipe();
	start.run(start.data);
	pthread_mutex_lock(&all.mutex);
	all.threads--;
	something_ended();
	pthread_mutex_unlock(&all.mutex);
	return NULL;
}

static int create_thread(void *(*main)(void *data), void *data)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error = pthread_attr_init(&attributes);

	if (error)
		return -error;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	error = pthread_create(&thread, &attributes, main, data);
	pthread_attr_destroy(&attributes);
	return -error;
}

static void count_threads(int by)
{
	pthread_mutex_lock(&all.mutex);
	all.threads += (unsigned)by;
	pthread_mutex_unlock(&all.mutex);
}

int stack_thread_start(void (*run)(void *data), void *data)
{
	struct start *start = malloc(sizeof(*start));
	int error;

	if (!start)
		return -ENOMEM;
	*start = (struct start){run, data};
	count_threads(1);
	error = create_thread(thread_main, start);
	if (error) {
		count_threads(-1);
		free(start);
	}
	return error;
}

void stack_object_made(void)
{
	pthread_mutex_lock(&all.mutex);
	all.objects++;
	pthread_mutex_unlock(&all.mutex);
}

void stack_object_freed(void)
{
	pthread_mutex_lock(&all.mutex);
	all.objects--;
	something_ended();
	pthread_mutex_unlock(&all.mutex);
}

/* --- libvirt's event thread ------------------------------------------------------------------------ */

static bool events_go_on(void)
{
	bool on;

	pthread_mutex_lock(&all.mutex);
	on = all.events == EVENTS_ON;
	if (!on)
		all.events = EVENTS_OFF;
	if (!on)
		something_ended();
	pthread_mutex_unlock(&all.mutex);
	return on;
}

static void *events_main(void *data)
{
	(void)data;
	block_sigpipe();
	while (events_go_on())
		virEventRunDefaultImpl();
	return NULL;
}

/* Once it has fired it is off again. */
static void on_waker(int timer, void *data)
{
	(void)data;
	virEventUpdateTimeout(timer, -1);
}

static bool prepare_libvirt(void)
{
	if (all.ready)
		return true;
	virSetErrorFunc(NULL, say_nothing); /* errors are told, not printed */
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return false;
	all.waker = virEventAddTimeout(-1, on_waker, NULL, NULL);
	all.ready = all.waker >= 0;
	return all.ready;
}

bool stack_threads_prepare(void)
{
	bool start, started = true;

	if (!prepare_libvirt())
		return false;
	pthread_mutex_lock(&all.mutex);
	start = all.events == EVENTS_OFF;
	all.events = EVENTS_ON;
	if (start && create_thread(events_main, NULL) < 0) {
		all.events = EVENTS_OFF;
		started = false;
	}
	pthread_mutex_unlock(&all.mutex);
	return started;
}

/* --- the end ---------------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct stopper *stopper = handle->data;

	if (--stopper->handles > 0)
		return;
	stopper->closed(stopper->data);
	free(stopper);
}

static void finish(struct stopper *stopper)
{
	pthread_mutex_lock(&all.mutex);
	stopper->over = true;
	all.stopper = NULL;
	pthread_mutex_unlock(&all.mutex);
	uv_close((uv_handle_t *)&stopper->wake, on_handle_closed);
	uv_close((uv_handle_t *)&stopper->deadline, on_handle_closed);
}

/* The event thread goes last: others need it to close what they have open. */
static void look_what_is_left(struct stopper *stopper)
{
	bool off;

	pthread_mutex_lock(&all.mutex);
	if (all.threads == 0 && all.objects == 0 && all.events == EVENTS_ON) {
		all.events = EVENTS_ENDING;
		virEventUpdateTimeout(all.waker, 0);
	}
	off = all.threads == 0 && all.objects == 0 && all.events == EVENTS_OFF;
	pthread_mutex_unlock(&all.mutex);
	if (off)
		finish(stopper);
}

static void on_wake(uv_async_t *async)
{
	struct stopper *stopper = async->data;

	if (!stopper->over)
		look_what_is_left(stopper);
}

static void on_deadline(uv_timer_t *timer)
{
	struct stopper *stopper = timer->data;

	if (stopper->over)
		return;
	pthread_mutex_lock(&all.mutex);
	all.abandoned = true;
	pthread_mutex_unlock(&all.mutex);
	finish(stopper);
}

void stack_threads_stop(uv_loop_t *loop, unsigned wait_ms, void (*closed)(void *data), void *data)
{
	struct stopper *stopper = calloc(1, sizeof(*stopper));

	if (!stopper ||
	    uv_async_init(loop, &stopper->wake, on_wake) < 0) { /* then nothing can be waited for */
		free(stopper);
		all.abandoned = true;
		closed(data);
		return;
	}
	uv_timer_init(loop, &stopper->deadline);
	stopper->wake.data = stopper->deadline.data = stopper;
	stopper->handles = 2;
	stopper->closed = closed;
	stopper->data = data;
	uv_timer_start(&stopper->deadline, on_deadline, wait_ms, 0);
	pthread_mutex_lock(&all.mutex);
	all.abandoned = false;
	all.stopper = stopper;
	something_ended();
	pthread_mutex_unlock(&all.mutex);
}

bool stack_threads_abandoned(void)
{
	bool abandoned;

	pthread_mutex_lock(&all.mutex);
	abandoned = all.abandoned;
	pthread_mutex_unlock(&all.mutex);
	return abandoned;
}
