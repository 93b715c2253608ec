/* Answers on their way to those who take each of them as it comes, at their own pace. A feed is a list in the order in
 * which answers came, a reader a place in it. Each member's latest answer stands in it as it is held, without cost. One
 * that is replaced while somebody has yet to take it is copied first, and the copy freed when all have taken it: so
 * nothing is replaced under a slow reader, and what is kept for the slowest is bounded. Whoever is so far behind that
 * more would have to be kept has lost some, which it is told.
 *
 * Ownership: readers and what is held are their owners', copies are the feed's. */
#ifndef CG_ROUNDS_FEED_H
#define CG_ROUNDS_FEED_H

#include "base/arena.h"
#include "model/answer.h"

/* Zero-initialise; embedded in what holds an answer. */
struct cg_news {
    const struct cg_answer *answer;
    const char *refusal; /* the slug of why it is no answer, but something to hear of; NULL: it is one */
    bool is_beginning;   /* only the first block of one */
    struct cg_news *previous, *next;
    uint64_t number;  /* its place; 0: it is in no feed */
    uint32_t readers; /* of a copy: who have yet to take it */
    bool is_copy;
    const struct cg_reader *only; /* whom it is for, of those who read it; NULL: all of them */
};

/* Zero-initialise, then set the first two. */
struct cg_reader {
    void (*wake)(struct cg_reader *reader); /* there is something to take; it only schedules a look */
    bool hears_refusals, hears_beginnings;
    struct cg_feed *feed;   /* NULL: none */
    struct cg_news *untold; /* the first that it has yet to take; NULL: none */
    uint64_t last;          /* number of the last that is for it; UINT64_MAX: whatever comes */
    struct cg_reader *previous, *next;
    uint64_t notifications; /* that it took */
    bool lost;              /* what it had yet to take, because that was too much */
};

/* Zero-initialise, then set the first two. */
struct cg_feed {
    struct cg_arena *arena; /* copies are charged to it */
    size_t copied_max;      /* bytes; one copy alone may be larger */
    size_t copied;
    struct cg_news *first_news, *last_news;
    struct cg_reader *readers; /* utlist */
    uint64_t count;
};

/* It is held, and comes at the end: for the first time, or again after cg_feed_release. */
void cg_feed_append(struct cg_feed *feed, struct cg_news *held);
/* What is held is about to be something else, or to be told again: it is not in the feed any more, but as a copy for
 * those who have yet to take it. */
void cg_feed_release(struct cg_feed *feed, struct cg_news *held);
/* It was told, and all who read have taken it. */
bool cg_feed_is_taken(const struct cg_feed *feed, const struct cg_news *held);
/* As cg_feed_release, but those who go on reading get what comes in its place and not this: no copy is made for them.
 */
void cg_feed_supersede(struct cg_feed *feed, struct cg_news *held);
/* An answer that nobody holds, or something else to hear of; copied, where anybody reads it. */
void cg_feed_append_copy(struct cg_feed *feed, const struct cg_answer *answer, const char *refusal);
/* The first block of one that comes in blocks; copied, where anybody wants to hear of it and there is room. */
void cg_feed_append_beginning(struct cg_feed *feed, const struct cg_answer *answer);

/* Something for one reader alone; where there is no room, or it reads no more, it does not hear of it. */
void cg_feed_append_copy_for(struct cg_feed *feed, const struct cg_reader *reader, const struct cg_answer *answer);
static inline bool cg_news_is_for(const struct cg_news *news, const struct cg_reader *reader) {
    return news->only == NULL || news->only == reader;
}

/* What is there is to be taken, and what comes. */
void cg_feed_read(struct cg_feed *feed, struct cg_reader *reader);
/* It takes all that is held once more, and what comes. */
void cg_reader_begin_again(struct cg_reader *reader);
/* What comes from now on is not for it. */
void cg_reader_stop(struct cg_reader *reader);
void cg_reader_leave(struct cg_reader *reader); /* no effect where it reads none */
void cg_reader_took(struct cg_reader *reader);  /* `untold`: which may be gone, then */

#endif
