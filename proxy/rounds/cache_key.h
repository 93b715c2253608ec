/* What requests have in common that may be answered with the same answers (RFC 7252 §5.6): the mapping under the
 * settings and keys of now, the method, and of options and payload what is of the Cache-Key. */
#ifndef CG_ROUNDS_CACHE_KEY_H
#define CG_ROUNDS_CACHE_KEY_H

#include "base/buf.h"
#include "legs/leg.h"

/* Whether answers to it may be kept at all: the mapping says so, whose members are all known, and the request is safe
 * and says nothing that only its members can answer (a precondition, No-Response, entity tags of its own). */
bool cg_cache_keeps(const struct cg_mapping *mapping, const struct cg_leg_request *request);
/* Appends the bytes that are equal for equal ones. `departures`: the engine's, from groups. */
void cg_cache_key_emit(struct cg_buf *to, const struct cg_mapping *mapping, uint64_t departures,
                       const struct cg_leg_request *request);

#endif
