/* The log of a process that must not wait: lines go into a ring, and a thread of its own writes them to stderr, which
 * may be a pipe that nobody reads or a disk that hangs. What finds no room is lost, counted, and said as soon as there
 * is room again. */
#ifndef CG_IO_LOG_WRITER_H
#define CG_IO_LOG_WRITER_H

#include "base/log.h"

struct cg_log_writer;

#define CG_LOG_RING_BYTES (256 << 10)

/* How long an orderly end and a failed check wait for what is queued. */
#define CG_LOG_PATIENCE_MS 150

/* From now on it takes what cg_log says. `patience_ms`: CG_LOG_PATIENCE_MS, but for tests, which must not depend on how
 * soon a busy machine lets a thread run. NULL: no memory, or no thread. */
struct cg_log_writer *cg_log_writer_open(uint64_t patience_ms) CG_MUST_CHECK;

/* Lines that nobody will read: no room, or stderr took them not. From any thread. */
uint64_t cg_log_writer_lost(struct cg_log_writer *writer);

/* What is in the ring is written, then lines go straight to stderr again. A write that still blocks after
 * its patience is left to the end of the process, with the writer: nothing that is said then blocks either.
 * Nobody else may be logging. NULL is fine. */
void cg_log_writer_close(struct cg_log_writer *writer);

#endif
