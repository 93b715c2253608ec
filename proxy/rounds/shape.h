/* A client's wish as requests to the mapping's targets; and its shape, by which equal wishes find each other. */
#ifndef CG_ROUNDS_SHAPE_H
#define CG_ROUNDS_SHAPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "legs/upload.h"
#include "model/wish.h"

/* The requests for the mapping's targets, one each: the URI's options and the client's, merged in order. All of it is
 * in the arena but what the configuration holds. CG_E_NO_MEMORY, CG_E_BAD_URI. */
int cg_shape_requests(const struct cg_wish *wish, struct cg_arena *arena,
                      struct cg_leg_request *requests) CG_MUST_CHECK;
/* Whether it is too large for a multicast (RFC 7252 §4.6), so that it goes in blocks. What clients protect passes as it
 * is. */
bool cg_shape_is_large(const struct cg_mapping *mapping, struct cg_slice payload);
/* Of a request that observes: the same with Observe 1. False: no memory. */
bool cg_shape_cancel(const struct cg_leg_request *request, struct cg_arena *arena,
                     struct cg_leg_request *cancel) CG_MUST_CHECK;
/* Bytes that are equal for equal requests to the first target of one mapping, and so for those to all of them; where
 * they observe, of a mapping of that name, whichever settings have it. */
void cg_shape_emit(struct cg_buf *to, const struct cg_mapping *mapping, const struct cg_leg_request *request);
/* And those of the one member that it is for. */
void cg_shape_emit_member(struct cg_buf *to, const struct cg_wish *wish);
/* Of those bytes; never 0. */
uint64_t cg_shape_hash(const struct cg_buf *shape);
/* Bytes that are equal for equal options: for a key in which something else tells how many there are. */
void cg_shape_emit_option(struct cg_buf *to, const struct cg_opt *opt);

#endif
