/* Reports. The hard thing: many may come at once, and many may wait for the end of a window, so what is handed on in a
 * turn is a slice; and what comes meanwhile goes behind it, window or not, since the order is what counts. */
#include "jobs/reports.h"

#include "base/container.h"
#include "legs/engine.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    HANDED_A_TURN = 64,
    NEXT_TURN_US = 1000,
};

struct record {
    struct record *next;
    struct cg_handed handed;
    size_t size; /* bytes that it takes */
    uint8_t bytes[];
};

/* That wait for the end of their window, oldest first. */
struct waiting {
    struct record *first, *last;
    size_t bytes;
};

/* That were handed on: a ring, by index. */
struct kept {
    struct record *ring[CG_REPORTS_KEPT];
    uint64_t first, next; /* indices; the same: none is kept */
    size_t bytes;
};

struct cg_reports {
    struct cg_alert_hearer hearer;
    struct cg_gateway *gateway;
    struct waiting waiting;
    struct kept kept;
    struct cg_timer timer;                 /* the end of the window, or the next slice */
    struct cg_reports_reader *readers;     /* utlist */
    struct cg_reports_reader *next_reader; /* while they are told: who is next */
    uint64_t dropped, missed;
};

/* Records. */

static uint8_t *copy(uint8_t *to, const void *from, size_t len) {
    if (len > 0) memcpy(to, from, len);
    return to + len;
}

static const char *copy_text(uint8_t **at, const char *text) {
    const char *kept = (const char *)*at;
    *at = copy(*at, text, strlen(text) + 1);
    return kept;
}

static struct cg_slice copy_slice(uint8_t **at, struct cg_slice slice) {
    const struct cg_slice kept = cg_slice_of(*at, slice.len);
    *at = copy(*at, slice.data, slice.len);
    return kept;
}

/* NULL: no memory. */
static struct record *new_record(const struct cg_alert *alert) {
    size_t len = strlen(alert->group) + strlen(alert->member) + 2 + alert->kid.len + alert->path.len +
                 alert->query.len + alert->payload.len;
    struct record *record = malloc(sizeof *record + len);
    if (record == NULL) return NULL;
    uint8_t *at = record->bytes;
    *record = (struct record){.handed.alert = *alert, .size = sizeof *record + len};
    struct cg_alert *own = &record->handed.alert;
    own->group = copy_text(&at, alert->group);
    own->member = copy_text(&at, alert->member);
    own->kid = copy_slice(&at, alert->kid);
    own->path = copy_slice(&at, alert->path);
    own->query = copy_slice(&at, alert->query);
    own->payload = copy_slice(&at, alert->payload);
    return record;
}

/* Those that wait. */

static struct record *take_first(struct waiting *waiting) {
    struct record *record = waiting->first;
    waiting->first = record->next;
    if (waiting->first == NULL) waiting->last = NULL;
    waiting->bytes -= record->size;
    return record;
}

static void append(struct waiting *waiting, struct record *record) {
    record->next = NULL;
    if (waiting->last != NULL) {
        waiting->last->next = record;
    } else {
        waiting->first = record;
    }
    waiting->last = record;
    waiting->bytes += record->size;
}

/* The oldest go where there is no room, counted: a window is for what is new. */
static void wait(struct cg_reports *reports, struct record *record) {
    append(&reports->waiting, record);
    while (reports->waiting.bytes > CG_REPORTS_MEMORY) {
        free(take_first(&reports->waiting));
        reports->dropped++;
    }
}

/* Those that are kept. */

static struct record **place_of(struct kept *kept, uint64_t index) { return &kept->ring[index % CG_REPORTS_KEPT]; }

static void drop_oldest(struct kept *kept) {
    struct record **place = place_of(kept, kept->first++);
    kept->bytes -= (*place)->size;
    free(*place);
    *place = NULL;
}

static void keep(struct kept *kept, struct record *record) {
    if (kept->next - kept->first == CG_REPORTS_KEPT) drop_oldest(kept);
    record->handed.index = kept->next;
    *place_of(kept, kept->next++) = record;
    kept->bytes += record->size;
    while (kept->bytes > CG_REPORTS_MEMORY && kept->next - kept->first > 1) drop_oldest(kept);
}

const struct cg_handed *cg_reports_after(const struct cg_reports *reports, uint64_t index) {
    const struct kept *kept = &reports->kept;
    const uint64_t wanted = index + 1 > kept->first ? index + 1 : kept->first;
    return wanted < kept->next ? &kept->ring[wanted % CG_REPORTS_KEPT]->handed : NULL;
}

uint64_t cg_reports_handed(const struct cg_reports *reports) { return reports->kept.next - 1; }

/* Handing on. */

static void hand_on(struct cg_reports *reports, struct record *record) {
    keep(&reports->kept, record);
    for (struct cg_reports_reader *reader = reports->readers; reader != NULL; reader = reports->next_reader) {
        reports->next_reader = reader->next;
        reader->hear(reader, &record->handed);
    }
}

static uint64_t window_us(const struct cg_reports *reports) {
    return (uint64_t)cg_gateway_config(reports->gateway)->alerts.window * 1000000;
}

static void set_timer(struct cg_reports *reports, uint64_t us) {
    struct cg_engine *engine = cg_gateway_engine(reports->gateway);
    cg_engine_set_timer(engine, &reports->timer, cg_engine_now(engine) + us);
}

static void on_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_reports *reports = CG_CONTAINER(timer, struct cg_reports, timer);
    (void)engine;
    for (unsigned i = 0; i < HANDED_A_TURN && reports->waiting.first != NULL; i++)
        hand_on(reports, take_first(&reports->waiting));
    if (reports->waiting.first != NULL) set_timer(reports, NEXT_TURN_US);
}

static void hear(struct cg_alert_hearer *hearer, const struct cg_alert *alert) {
    struct cg_reports *reports = CG_CONTAINER(hearer, struct cg_reports, hearer);
    struct record *record = new_record(alert);
    const bool is_first = reports->waiting.first == NULL;
    if (record == NULL) {
        reports->dropped++;
    } else if (is_first && window_us(reports) == 0) {
        hand_on(reports, record);
    } else {
        wait(reports, record);
        if (is_first) set_timer(reports, window_us(reports));
    }
}

void cg_reports_look(struct cg_reports *reports) {
    if (reports->waiting.first == NULL) return;
    const uint64_t opened_us = reports->waiting.first->handed.alert.arrival_us;
    cg_engine_set_timer(cg_gateway_engine(reports->gateway), &reports->timer, opened_us + window_us(reports));
}

/* Readers. */

void cg_reports_follow(struct cg_reports *reports, struct cg_reports_reader *reader) {
    DL_APPEND2(reports->readers, reader, previous, next);
}

void cg_reports_leave(struct cg_reports *reports, struct cg_reports_reader *reader) {
    if (reports->next_reader == reader) reports->next_reader = reader->next;
    DL_DELETE2(reports->readers, reader, previous, next);
}

void cg_reports_missed(struct cg_reports *reports, uint64_t count) { reports->missed += count; }

static void put_counter(struct cg_buf *to, const char *name, const char *help, uint64_t value) {
    cg_buf_printf(to, "# HELP castgate_%s %s\n# TYPE castgate_%s counter\ncastgate_%s %llu\n", name, help, name, name,
                  (unsigned long long)value);
}

void cg_reports_metrics(const struct cg_reports *reports, struct cg_buf *to) {
    put_counter(to, "reports_total", "Reports of members that were handed on.", cg_reports_handed(reports));
    put_counter(to, "reports_dropped_total", "Reports that had no room while they waited for their window's end.",
                reports->dropped);
    put_counter(to, "reports_missed_total", "Reports that were handed on and that a reader was too slow to take.",
                reports->missed);
}

/* Life. */

struct cg_reports *cg_reports_new(struct cg_gateway *gateway) {
    struct cg_reports *reports = calloc(1, sizeof *reports);
    if (reports == NULL) return NULL;
    reports->gateway = gateway;
    reports->hearer.hear = hear;
    reports->timer.due = on_due;
    reports->kept.first = reports->kept.next = 1;
    return reports;
}

struct cg_alert_hearer *cg_reports_hearer(struct cg_reports *reports) {
    return &reports->hearer;
}

void cg_reports_free(struct cg_reports *reports) {
    if (reports == NULL) return;
    cg_engine_clear_timer(cg_gateway_engine(reports->gateway), &reports->timer);
    while (reports->waiting.first != NULL) free(take_first(&reports->waiting));
    while (reports->kept.first < reports->kept.next) drop_oldest(&reports->kept);
    free(reports);
}
