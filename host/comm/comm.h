/* comm.h -- the ranks of a job: processes that train one model together, each on its own device and its own
 * part of the batch, and what they give each other.
 *
 * NULL is a job of one rank, everywhere.  All ranks call the same collective functions in the same order.
 * Sums are made in float in the order of ranks, at one place each, so that every rank has the same bits, and
 * the same at each run.  What a comm does, it does on a thread of its own, one thing after the other; its
 * functions may be called from one other thread, and from jobs (comm_begin).  Counts are of values unless a
 * name says bytes.  Once one has failed (a rank ended, or does not answer), all later ones fail alike.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_COMM_COMM_H
#define DALLE_CL_COMM_COMM_H

#include "host/base/dtype.h"
#include "host/base/error.h"

typedef struct comm comm;

/* ---- Who ---- */

int comm_rank(const comm *c);
int comm_count(const comm *c);
/* The host that a rank runs on; lives as long as the comm. */
const char *comm_host(const comm *c, int rank);

/* Groups of `size` neighbours: ranks 0 to size - 1, and so on; and those that have the same place in each of
 * these groups.  `size` divides the count.  *made is to be closed; it goes through the comm that it is made
 * of, which outlives it; it is NULL where it is of one rank. */
bool comm_group(comm *c, int size, comm **made, error *err);
bool comm_across(comm *c, int size, comm **made, error *err);
void comm_close(comm *c);

/* ---- Together ---- */

/* values[0..count-1] of all ranks, added up, on all ranks: what is sent is of this type, arithmetic is float,
 * and the sum is rounded to the type. */
bool comm_sum(comm *c, dtype type, void *values, int64_t count, error *err);
/* The sum of `whole` over all ranks in parts, of counts[r] values one behind the other, of which rank r gets
 * the r-th in `part`. */
bool comm_sum_part(comm *c, const float *whole, float *part, const int64_t *counts, error *err);
/* Parts of bytes[r] bytes, one behind the other, in `whole`, on all ranks.  `part` may be where it belongs in
 * `whole`. */
bool comm_gather(comm *c, const void *part, void *whole, const int64_t *bytes, error *err);
bool comm_broadcast(comm *c, void *bytes, int64_t count, int from, error *err);
bool comm_barrier(comm *c, error *err);

/* What this rank has sent so far in all of the above, groups included. */
int64_t comm_bytes_sent(const comm *c);

/* ---- Beside other work ---- */

/* Does `run` on the comm's thread, after what was begun before: it may wait for something, and call the
 * functions above.  NULL, and nothing is done, where memory is out.  In a job of one rank it is done now. */
typedef struct comm_job comm_job;
comm_job *comm_begin(comm *c, bool (*run)(void *self, error *err), void *self, error *err);
/* Waits for it, and frees it; false, with its *err, if it failed.  NULL: true. */
bool comm_end(comm_job *job, error *err);
bool comm_is_over(comm_job *job); /* so that comm_end would not wait */

/* ---- What carries it ---- */

/* The ranks that mpirun has started this process among.  *c is NULL where it was started alone.  A rank that
 * does not answer for `timeout` seconds has failed.  Where the program is built without MPI, being started
 * among others is an error that says how to have it. */
bool comm_open_mpi(double timeout, comm **c, error *err);

/* Ways from rank to rank: host/comm/mpi has one, tests/support another.  `pass` is called on the comm's
 * thread. */
typedef struct comm_transport {
    int rank, count;
    void *self;
    const char *(*host)(void *self, int rank);
    /* Sends to one rank and receives from another, at once; -1: neither.  What one rank sends another arrives
     * in its order.  False, with *err naming rank and host, when a rank has ended or does not answer. */
    bool (*pass)(void *self, int to, const void *out, int64_t out_bytes, int from, void *in, int64_t in_bytes,
                 error *err);
    /* `why` is NULL at the end, otherwise what ended this rank, which the others are to be told. */
    void (*close)(void *self, const char *why);
} comm_transport;

/* Takes over *transport, which it closes, also when it fails. */
comm *comm_open(const comm_transport *transport, error *err);
/* Closes a comm because of *why, of which the other ranks are told. */
void comm_abandon(comm *c, const error *why);

#endif
