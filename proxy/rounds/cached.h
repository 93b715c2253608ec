/* A round and the cache (cache.h): what may be given to its client without asking anybody, what of the answers is kept,
 * and what is stale when the request changes something. All is without effect where its mapping keeps nothing. */
#ifndef CG_ROUNDS_CACHED_H
#define CG_ROUNDS_CACHED_H

#include "rounds/round.h"

/* Once its requests are made: whether the cache is of any concern. False: no memory. */
bool cg_cached_init(struct cg_round *round, const struct cg_wish *wish);
void cg_cached_fini(struct cg_round *round);
/* Appends what tells rounds apart that are equal otherwise: what is given of the cache depends on how long a client
 * waits. */
void cg_cached_emit_shape(struct cg_buf *to, const struct cg_round *round, const struct cg_wish *wish);

/* Whether a client may be given what is kept: it has not asked for anything newer, and is none of those who ask to see
 * what members do. */
bool cg_cached_is_for(const struct cg_request *request);
/* All that is wanted is kept and fresh: the tally has it now, and nothing is to be sent. False: it is not. */
bool cg_cached_serve(struct cg_round *round, const struct cg_wish *wish);
/* Its requests are to go out; one has gone out; nobody collects any more. */
void cg_cached_begin(struct cg_round *round);
void cg_cached_note_sent(struct cg_round *round);
void cg_cached_end(struct cg_round *round);
/* An answer that the tally has taken in. */
void cg_cached_keep(struct cg_round *round, struct cg_held_answer *held, const struct cg_arrival *arrival);

/* The waiter follows from now on: answers that are fresh now and will not be at the end of its time are told at once
 * (GCP §7.1). */
void cg_cached_follow(struct cg_waiter *waiter);
/* Nobody is waited for any more: of members that are silent the tally gets what is fresh, where it was kept before the
 * request went out. */
void cg_cached_fill(struct cg_round *round);

/* The Group-ETag of the answers in the tally (GCP §7.3). False: they are not a complete set that is fresh. */
bool cg_cached_tag(struct cg_round *round, uint8_t tag[CG_GROUP_ETAG_MAX]);
/* Whether all that the client gets was kept, and it has said to have that already, by this tag. */
bool cg_cached_is_known(const struct cg_round *round, const struct cg_request *request,
                        const uint8_t tag[CG_GROUP_ETAG_MAX]);

#endif
