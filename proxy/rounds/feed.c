/* Feeds. The hard thing: a copy lives as long as somebody has yet to take it, so whoever goes on, stops, loses or
 * leaves gives back each copy that it will not take, exactly once. */
#include "rounds/feed.h"

#include "base/check.h"
#include "base/container.h"

#include <stdlib.h>
#include <utlist.h>

/* The list */

static void link_behind(struct cg_feed *feed, struct cg_news *before, struct cg_news *news) {
    struct cg_news *after = before != NULL ? before->next : feed->first_news;
    news->previous = before;
    news->next = after;
    *(before != NULL ? &before->next : &feed->first_news) = news;
    *(after != NULL ? &after->previous : &feed->last_news) = news;
}

static void unlink(struct cg_feed *feed, struct cg_news *news) {
    *(news->previous != NULL ? &news->previous->next : &feed->first_news) = news->next;
    *(news->next != NULL ? &news->next->previous : &feed->last_news) = news->previous;
    news->previous = news->next = NULL;
    news->number = 0;
}

/* Copies */

struct copy {
    struct cg_news news;
    struct cg_answer answer;
    size_t size;
    uint8_t bytes[];
};

static void free_copy(struct cg_feed *feed, struct copy *copy) {
    cg_arena_discharge(feed->arena, copy->size);
    feed->copied -= copy->size;
    free(copy);
}

static struct cg_slice store(uint8_t **at, struct cg_slice slice) {
    if (slice.len == 0) return CG_SLICE_NONE;
    memcpy(*at, slice.data, slice.len);
    *at += slice.len;
    return cg_slice_of(*at - slice.len, slice.len);
}

static void fill(struct copy *copy, const struct cg_answer *answer) {
    uint8_t *at = copy->bytes;
    copy->answer = *answer;
    copy->answer.next = NULL;
    copy->answer.options = store(&at, answer->options);
    copy->answer.payload = store(&at, answer->payload);
    copy->answer.kid = store(&at, answer->kid);
    copy->news = (struct cg_news){.answer = &copy->answer, .is_copy = true};
}

/* NULL: a limit is reached. */
static struct copy *new_copy(struct cg_feed *feed, const struct cg_answer *answer) {
    size_t size = sizeof(struct copy) + answer->options.len + answer->payload.len + answer->kid.len;
    if (feed->copied > 0 && feed->copied + size > feed->copied_max) return NULL;
    if (!cg_arena_charge(feed->arena, size)) return NULL;
    struct copy *copy = malloc(size);
    if (copy == NULL) {
        cg_arena_discharge(feed->arena, size);
        return NULL;
    }
    copy->size = size;
    feed->copied += size;
    fill(copy, answer);
    return copy;
}

/* Readers */

static void give_back(struct cg_feed *feed, struct cg_news *news) {
    if (!news->is_copy || --news->readers > 0) return;
    unlink(feed, news);
    free_copy(feed, CG_CONTAINER(news, struct copy, news));
}

static struct cg_news *behind(const struct cg_reader *reader, const struct cg_news *news) {
    struct cg_news *next = news->next;
    return next != NULL && next->number <= reader->last ? next : NULL;
}

static void go_on(struct cg_reader *reader) {
    struct cg_news *news = reader->untold;
    reader->untold = behind(reader, news);
    give_back(reader->feed, news);
}

void cg_reader_took(struct cg_reader *reader) {
    const struct cg_news *news = reader->untold;
    reader->notifications += news->refusal == NULL && news->answer->is_notification;
    go_on(reader);
}

static void drop_rest(struct cg_reader *reader) {
    while (reader->untold != NULL) go_on(reader);
}

static bool has_yet_to_take(const struct cg_reader *reader, const struct cg_news *news) {
    return reader->untold != NULL && reader->untold->number <= news->number && news->number <= reader->last;
}

static bool is_reading(const struct cg_reader *reader) { return reader->last == UINT64_MAX; }

static void read_from_start(struct cg_reader *reader) {
    struct cg_news *news = reader->feed->first_news;
    reader->untold = news;
    for (; news != NULL; news = news->next) news->readers += news->is_copy;
}

void cg_feed_read(struct cg_feed *feed, struct cg_reader *reader) {
    CG_CHECK(reader->feed == NULL);
    reader->feed = feed;
    reader->last = UINT64_MAX;
    read_from_start(reader);
    DL_APPEND2(feed->readers, reader, previous, next);
}

void cg_reader_begin_again(struct cg_reader *reader) {
    if (reader->feed == NULL || !is_reading(reader)) return;
    drop_rest(reader);
    read_from_start(reader);
    reader->wake(reader);
}

void cg_reader_stop(struct cg_reader *reader) {
    if (reader->feed != NULL && is_reading(reader)) reader->last = reader->feed->count;
}

void cg_reader_leave(struct cg_reader *reader) {
    if (reader->feed == NULL) return;
    drop_rest(reader);
    DL_DELETE2(reader->feed->readers, reader, previous, next);
    reader->feed = NULL;
}

static void lose(struct cg_reader *reader) {
    drop_rest(reader);
    reader->last = 0;
    reader->lost = true;
    reader->wake(reader);
}

/* Number of the first that anybody has yet to take; UINT64_MAX: all have taken all. */
static uint64_t furthest_behind(const struct cg_feed *feed) {
    const struct cg_reader *reader;
    uint64_t number = UINT64_MAX;
    DL_FOREACH(feed->readers, reader) {
        if (reader->untold != NULL && reader->untold->number < number) number = reader->untold->number;
    }
    return number;
}

/* All at once: thousands may be at the same place. */
static void lose_furthest(struct cg_feed *feed) {
    struct cg_reader *reader;
    uint64_t number = furthest_behind(feed);
    DL_FOREACH(feed->readers, reader) {
        if (reader->untold != NULL && reader->untold->number == number) lose(reader);
    }
}

/* Room is made by those who are furthest behind. NULL: there is none. */
static struct copy *must_copy(struct cg_feed *feed, const struct cg_answer *answer) {
    struct copy *copy;
    while ((copy = new_copy(feed, answer)) == NULL && feed->copied > 0) lose_furthest(feed);
    return copy;
}

/* Appending */

static void put_at_end(struct cg_feed *feed, struct cg_news *news) {
    struct cg_reader *reader;
    news->number = ++feed->count;
    link_behind(feed, feed->last_news, news);
    DL_FOREACH(feed->readers, reader) {
        if (!is_reading(reader)) continue;
        news->readers += news->is_copy;
        if (reader->untold == NULL) reader->untold = news;
        reader->wake(reader);
    }
}

void cg_feed_append(struct cg_feed *feed, struct cg_news *held) {
    CG_CHECK(held->number == 0);
    put_at_end(feed, held);
}

static bool is_heard(const struct cg_feed *feed, const char *refusal) {
    const struct cg_reader *reader = feed->readers;
    while (reader != NULL && !(is_reading(reader) && (refusal == NULL || reader->hears_refusals)))
        reader = reader->next;
    return reader != NULL;
}

static void lose_all(struct cg_feed *feed) {
    struct cg_reader *reader;
    DL_FOREACH(feed->readers, reader) {
        if (is_reading(reader)) lose(reader);
    }
}

void cg_feed_append_copy(struct cg_feed *feed, const struct cg_answer *answer, const char *refusal) {
    if (!is_heard(feed, refusal)) return;
    struct copy *copy = must_copy(feed, answer);
    if (copy == NULL) {
        lose_all(feed);
    } else if (!is_heard(feed, refusal)) { /* any more */
        free_copy(feed, copy);
    } else {
        copy->news.refusal = refusal;
        put_at_end(feed, &copy->news);
    }
}

static bool is_beginning_heard(const struct cg_feed *feed) {
    const struct cg_reader *reader = feed->readers;
    while (reader != NULL && !(is_reading(reader) && reader->hears_beginnings)) reader = reader->next;
    return reader != NULL;
}

/* The whole answer may follow, so nobody loses anything for it. */
void cg_feed_append_beginning(struct cg_feed *feed, const struct cg_answer *answer) {
    struct copy *copy = is_beginning_heard(feed) ? new_copy(feed, answer) : NULL;
    if (copy == NULL) return;
    copy->news.is_beginning = true;
    put_at_end(feed, &copy->news);
}

void cg_feed_append_copy_for(struct cg_feed *feed, const struct cg_reader *reader, const struct cg_answer *answer) {
    struct copy *copy = reader->feed == feed && is_reading(reader) ? new_copy(feed, answer) : NULL;
    if (copy == NULL) return;
    copy->news.only = reader;
    put_at_end(feed, &copy->news);
}

/* Releasing */

static uint32_t count_late(const struct cg_feed *feed, const struct cg_news *news) {
    const struct cg_reader *reader;
    uint32_t count = 0;
    DL_FOREACH(feed->readers, reader) count += has_yet_to_take(reader, news);
    return count;
}

bool cg_feed_is_taken(const struct cg_feed *feed, const struct cg_news *held) {
    const struct cg_reader *reader = feed->readers;
    while (reader != NULL && !has_yet_to_take(reader, held)) reader = reader->next;
    return held->number != 0 && reader == NULL;
}

static void lose_late(struct cg_feed *feed, const struct cg_news *news) {
    struct cg_reader *reader;
    DL_FOREACH(feed->readers, reader) {
        if (has_yet_to_take(reader, news)) lose(reader);
    }
}

static void put_in_place(struct cg_feed *feed, struct cg_news *copy, struct cg_news *held) {
    struct cg_reader *reader;
    copy->number = held->number;
    copy->readers = count_late(feed, held);
    link_behind(feed, held, copy);
    DL_FOREACH(feed->readers, reader) {
        if (reader->untold == held) reader->untold = copy;
    }
}

static void keep_for_late(struct cg_feed *feed, struct cg_news *held) {
    struct copy *copy = must_copy(feed, held->answer);
    if (copy == NULL) {
        lose_late(feed, held);
    } else if (count_late(feed, held) == 0) { /* any more */
        free_copy(feed, copy);
    } else {
        put_in_place(feed, &copy->news, held);
    }
}

void cg_feed_release(struct cg_feed *feed, struct cg_news *held) {
    if (held->number == 0) return;
    if (count_late(feed, held) > 0) keep_for_late(feed, held);
    unlink(feed, held);
}

/* Those who take no more than what there was when they stopped would never see what comes in its place. */
static bool is_the_last_for_some(const struct cg_feed *feed, const struct cg_news *news) {
    const struct cg_reader *reader = feed->readers;
    while (reader != NULL && (is_reading(reader) || !has_yet_to_take(reader, news))) reader = reader->next;
    return reader != NULL;
}

void cg_feed_supersede(struct cg_feed *feed, struct cg_news *held) {
    struct cg_reader *reader;
    if (held->number == 0) return;
    if (is_the_last_for_some(feed, held)) {
        cg_feed_release(feed, held);
        return;
    }
    DL_FOREACH(feed->readers, reader) {
        if (reader->untold == held) reader->untold = held->next;
    }
    unlink(feed, held);
}
