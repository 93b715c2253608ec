/* Streams of an encoder that tells what it was called for: a line each, "answer answered=1 ms=10 by= on". */
#ifndef FAKE_TELLER_H
#define FAKE_TELLER_H

#include "exchange/fake_world.h"

extern const char *teller_gives_up_at; /* "begin", "answer", "idle" or "end"; "": never */
extern const struct castgate_encoder teller;

/* A world in which every cast may go at once, and a teller that does not give up. */
void prepare(struct world *world);
void stream_with(struct world *world, struct call *call, const char *path, const struct castgate_encoder *encoder);
void stream(struct world *world, struct call *call, const char *path); /* that begins */
void answer_now(struct world *world, size_t index, const char *from, const char *payload);
const struct cg_stats *stats_of(struct world *world, const char *mapping);
/* Of the only call that is left: it was answered once, and nothing of it is left. */
void end(struct world *world, struct call *call);

#endif
