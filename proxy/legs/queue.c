/* The queue of a group. The hard thing: a turn must cost the same however many wait, so each client has a line, and the
 * lines themselves stand in a line. */
#include "legs/queue.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static struct cg_line *find(const struct cg_queue *queue, const char *client) {
    struct cg_line *line;
    HASH_FIND_STR(queue->by_client, client, line);
    return line;
}

/* Among the lines, last of those of its kind: reactions are few. */
static void stand(struct cg_queue *queue, struct cg_line *line) {
    struct cg_line *before = NULL;
    if (!line->is_urgent) {
        DL_APPEND2(queue->lines, line, previous, next);
        return;
    }
    for (struct cg_line *at = queue->lines; at != NULL && at->is_urgent; at = at->next) before = at;
    if (before != NULL) {
        DL_APPEND_ELEM2(queue->lines, before, line, previous, next);
    } else {
        DL_PREPEND2(queue->lines, line, previous, next);
    }
}

static struct cg_line *open_line(struct cg_queue *queue, const char *client) {
    struct cg_line *line = calloc(1, sizeof *line);
    if (line == NULL) return NULL;
    strncpy(line->client, client, sizeof line->client - 1);
    HASH_ADD_STR(queue->by_client, client, line);
    if (!CG_HASH_HAS(hh, line)) {
        free(line);
        return NULL;
    }
    line->is_urgent = cg_slice_starts(cg_slice_str(client), CG_REACTION_PREFIX);
    stand(queue, line);
    return line;
}

static void close_line(struct cg_queue *queue, struct cg_line *line) {
    HASH_DEL(queue->by_client, line);
    DL_DELETE2(queue->lines, line, previous, next);
    free(line);
}

static struct cg_line *line_of(struct cg_queue *queue, const char *client) {
    if (client == NULL) return &queue->ours;
    struct cg_line *line = find(queue, client);
    return line != NULL ? line : open_line(queue, client);
}

bool cg_queue_enter(struct cg_queue *queue, struct cg_place *place, const char *client) {
    struct cg_line *line = line_of(queue, client);
    if (line == NULL) return false;
    place->line = line;
    DL_APPEND2(line->places, place, previous, next);
    line->count++;
    queue->count++;
    return true;
}

struct cg_place *cg_queue_first(const struct cg_queue *queue) {
    return queue->lines != NULL ? queue->lines->places : queue->ours.places;
}

void cg_queue_leave(struct cg_queue *queue, struct cg_place *place) {
    struct cg_line *line = place->line;
    DL_DELETE2(line->places, place, previous, next);
    place->line = NULL;
    line->count--;
    queue->count--;
    if (line->count == 0 && line != &queue->ours) close_line(queue, line);
}

void cg_queue_serve(struct cg_queue *queue, struct cg_place *place) {
    struct cg_line *line = place->line;
    if (line != &queue->ours) {
        DL_DELETE2(queue->lines, line, previous, next);
        stand(queue, line);
    }
    cg_queue_leave(queue, place);
}

uint32_t cg_queue_of(const struct cg_queue *queue, const char *client) {
    const struct cg_line *line = client == NULL ? &queue->ours : find(queue, client);
    return line == NULL ? 0 : line->count;
}

static uint32_t urgent_ahead(const struct cg_queue *queue) {
    uint32_t count = 0;
    for (const struct cg_line *at = queue->lines; at != NULL && at->is_urgent; at = at->next) count += at->count;
    return count;
}

uint32_t cg_queue_ahead(const struct cg_queue *queue, const char *client) {
    if (client == NULL) return queue->count;
    if (cg_slice_starts(cg_slice_str(client), CG_REACTION_PREFIX)) return urgent_ahead(queue);
    uint64_t turns = cg_queue_of(queue, client) + 1, clients = HASH_COUNT(queue->by_client);
    uint32_t of_clients = queue->count - queue->ours.count;
    return turns * clients < of_clients ? (uint32_t)(turns * clients) : of_clients;
}
