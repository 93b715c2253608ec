/* The transcript of an exchange as a file: what it began with, what legs told of it, and what came of it. `castgate
 * --replay` reads it (app/replay/). There is no key in it, and no token. */
#ifndef CG_RECORDER_TRANSCRIPT_JSON_H
#define CG_RECORDER_TRANSCRIPT_JSON_H

#include "recorder/record.h"

#define CG_TRANSCRIPT_VERSION 1

/* Of payloads that are not shown there are their lengths, and which are equal. Of one that has ended, and has begun its
 * own requests. CG_E_NOT_FOUND: nothing was sent for it. CG_E_CONFLICT: not all of it was kept. CG_E_NO_MEMORY. */
int cg_transcript_put_json(struct cg_buf *to, const struct cg_record *record, enum cg_tape_payloads payloads,
                           struct cg_problem *problem) CG_MUST_CHECK;

#endif
