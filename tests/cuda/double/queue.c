/* queue.c -- streams, events and graphs of the stand-in driver.  A stream keeps what it is given until
 * somebody waits: a copy from memory that the host has reused meanwhile, or a read that nobody waited for,
 * goes wrong here as it may on a card.
 * SPDX-License-Identifier: MIT */
#include "tests/cuda/double/double.h"

#include <stdlib.h>
#include <string.h>

#define STREAMS_MOST 64

enum { INVALID_VALUE = 1, NOT_PERMITTED_WHILE_RECORDING = 900, NOT_RECORDING = 901 };

typedef struct work {
    double_work *run;
    struct work *next;
    _Alignas(16) unsigned char data[];
} work;

typedef struct chain {
    work *first, *last;
    long count;
} chain;

struct cu_graph {
    chain all;
};
struct cu_replay {
    chain all;
};
struct cu_stream {
    chain waiting;
    long done; /* since its beginning */
    cu_graph recording;
};
struct cu_event {
    cu_stream of;
    long at; /* how much of the stream it comes after */
    bool timed;
};

static struct cu_stream *streams[STREAMS_MOST];
long double_replays;

/* ---- Work ---- */

static bool chain_add(chain *c, double_work *run, const void *data, size_t bytes)
{
    work *w = malloc(sizeof *w + bytes);
    if (!w) return false;
    w->run = run;
    w->next = NULL;
    memcpy(w->data, data, bytes);
    if (c->last)
        c->last->next = w;
    else
        c->first = w;
    c->last = w;
    ++c->count;
    return true;
}

static void chain_free(chain *c)
{
    while (c->first) {
        work *w = c->first;
        c->first = w->next;
        free(w);
    }
    *c = (chain){ 0 };
}

/* Until so much of the stream is done. */
static void drain(cu_stream s, long until)
{
    while (s->done < until && s->waiting.first) {
        work *w = s->waiting.first;
        s->waiting.first = w->next;
        if (!s->waiting.first) s->waiting.last = NULL;
        w->run(w->data);
        free(w);
        ++s->done;
    }
}

static long given(const struct cu_stream *s)
{
    return s->waiting.count;
}

void double_drain_all(void)
{
    for (int i = 0; i < STREAMS_MOST; ++i)
        if (streams[i]) drain(streams[i], given(streams[i]));
}

bool double_recording(void)
{
    for (int i = 0; i < STREAMS_MOST; ++i)
        if (streams[i] && streams[i]->recording) return true;
    return false;
}

int double_enqueue(cu_stream on, double_work *run, const void *data, size_t bytes)
{
    return chain_add(on->recording ? &on->recording->all : &on->waiting, run, data, bytes) ? CU_SUCCESS
                                                                                           : CU_OUT_OF_MEMORY;
}

/* ---- Streams ---- */

DOUBLE_EXPORT int cuStreamCreate(cu_stream *made, unsigned flags)
{
    DOUBLE_MAY_FAIL(cuStreamCreate);
    int place = 0;
    while (place < STREAMS_MOST && streams[place]) ++place;
    if (place == STREAMS_MOST || flags != CU_STREAM_NON_BLOCKING) return INVALID_VALUE;
    *made = streams[place] = calloc(1, sizeof **made);
    if (!*made) return CU_OUT_OF_MEMORY;
    double_made(1);
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuStreamDestroy_v2(cu_stream of)
{
    drain(of, given(of));
    for (int i = 0; i < STREAMS_MOST; ++i)
        if (streams[i] == of) streams[i] = NULL;
    free(of);
    double_made(-1);
    return double_status("cuStreamDestroy_v2");
}

DOUBLE_EXPORT int cuStreamSynchronize(cu_stream of)
{
    DOUBLE_MAY_FAIL(cuStreamSynchronize);
    if (double_recording()) return NOT_PERMITTED_WHILE_RECORDING;
    drain(of, given(of));
    return CU_SUCCESS;
}

/* ---- Events ---- */

DOUBLE_EXPORT int cuEventCreate(cu_event *made, unsigned flags)
{
    DOUBLE_MAY_FAIL(cuEventCreate);
    *made = calloc(1, sizeof **made);
    if (!*made) return CU_OUT_OF_MEMORY;
    (*made)->timed = flags == CU_EVENT_TIMED;
    double_made(1);
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuEventDestroy_v2(cu_event of)
{
    free(of);
    double_made(-1);
    return double_status("cuEventDestroy_v2");
}

DOUBLE_EXPORT int cuEventRecord(cu_event of, cu_stream on)
{
    DOUBLE_MAY_FAIL(cuEventRecord);
    of->of = on;
    of->at = given(on);
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuEventSynchronize(cu_event of)
{
    DOUBLE_MAY_FAIL(cuEventSynchronize);
    if (double_recording()) return NOT_PERMITTED_WHILE_RECORDING;
    if (of->of) drain(of->of, of->at);
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuEventElapsedTime(float *milliseconds, cu_event from, cu_event to)
{
    DOUBLE_MAY_FAIL(cuEventElapsedTime);
    if (!from->timed || !to->timed) return INVALID_VALUE;
    *milliseconds = 0.001f * (float)(to->at - from->at);
    return CU_SUCCESS;
}

typedef struct waited {
    cu_stream of;
    long at;
} waited;

static void wait_for(void *data)
{
    const waited *w = data;
    drain(w->of, w->at);
}

DOUBLE_EXPORT int cuStreamWaitEvent(cu_stream waits, cu_event of, unsigned flags)
{
    DOUBLE_MAY_FAIL(cuStreamWaitEvent);
    const waited w = { of->of, of->at };
    if (flags != 0 || !of->of) return INVALID_VALUE;
    return waits == of->of ? CU_SUCCESS : double_enqueue(waits, wait_for, &w, sizeof w);
}

/* ---- Graphs ---- */

DOUBLE_EXPORT int cuStreamBeginCapture_v2(cu_stream of, int mode)
{
    DOUBLE_MAY_FAIL(cuStreamBeginCapture_v2);
    if (of->recording || mode != CU_CAPTURE_THIS_THREAD) return INVALID_VALUE;
    of->recording = calloc(1, sizeof *of->recording);
    if (!of->recording) return CU_OUT_OF_MEMORY;
    double_made(1);
    return CU_SUCCESS;
}

DOUBLE_EXPORT int cuGraphDestroy(cu_graph of)
{
    chain_free(&of->all);
    free(of);
    double_made(-1);
    return double_status("cuGraphDestroy");
}

/* One that fails has ended the recording all the same. */
DOUBLE_EXPORT int cuStreamEndCapture(cu_stream of, cu_graph *made)
{
    cu_graph recorded = of->recording;
    const int planned = double_status("cuStreamEndCapture");
    of->recording = NULL;
    if (!recorded) return NOT_RECORDING;
    *made = recorded;
    if (planned == 0) return CU_SUCCESS;
    *made = NULL;
    chain_free(&recorded->all);
    free(recorded);
    double_made(-1);
    return planned;
}

DOUBLE_EXPORT int cuGraphInstantiateWithFlags(cu_replay *made, cu_graph of, unsigned long long flags)
{
    DOUBLE_MAY_FAIL(cuGraphInstantiateWithFlags);
    if (flags != 0) return INVALID_VALUE;
    *made = calloc(1, sizeof **made);
    if (!*made) return CU_OUT_OF_MEMORY;
    (*made)->all = of->all; /* the graph is emptied: it is destroyed next */
    of->all = (chain){ 0 };
    double_made(1);
    return CU_SUCCESS;
}

static void replay(void *data)
{
    cu_replay of = *(cu_replay *)data;
    for (work *w = of->all.first; w; w = w->next) w->run(w->data);
}

DOUBLE_EXPORT int cuGraphLaunch(cu_replay of, cu_stream on)
{
    DOUBLE_MAY_FAIL(cuGraphLaunch);
    ++double_replays;
    return double_enqueue(on, replay, &of, sizeof of);
}

DOUBLE_EXPORT int cuGraphExecDestroy(cu_replay of)
{
    double_drain_all();
    chain_free(&of->all);
    free(of);
    double_made(-1);
    return double_status("cuGraphExecDestroy");
}
