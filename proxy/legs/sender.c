/* Hands out sequence numbers, each once. The hard thing is what happens at the seams between blocks: those who come
 * while none is left wait in a queue and are served by callbacks that may take, cancel or let go of the sender
 * themselves; and a failure of the store goes to those who waited for that very attempt, so that whoever comes later
 * causes a new one. */
#include "legs/sender.h"

#include <stdlib.h>

#include "base/check.h"

enum { TYPICAL_NUMBER = 1 << 20 };

struct range {
    uint64_t next, end;
};

struct cg_sender {
    struct cg_sender_id id;
    struct cg_senders *senders;
    uint32_t refs; /* holders, those who wait, and the job while it is on its way */
    bool asking;   /* the job is on its way */
    bool distrusted;
    bool low;               /* and said so */
    bool outdated;          /* what the job brings was not meant for the name that the sender has now */
    struct range now, then; /* durable and not handed out; `then` is used up after `now` */
    uint64_t floor;         /* no number below may ever come from the store again */
    uint64_t attempt;       /* counts the jobs */
    struct cg_sender_wait *first, *last;
    struct cg_store_job job;
    UT_hash_handle hh;
};

void cg_senders_init(struct cg_senders *senders, struct cg_store *store) {
    *senders = (struct cg_senders){.store = store};
}

void cg_senders_fini(struct cg_senders *senders) { CG_CHECK(senders->table == NULL); }

/* The same key by another former name, whose counter the store has yet to take into account: numbers that came without
 * it may have been used under it. */
static struct cg_sender *rename_former(struct cg_sender *sender, const struct cg_sender_id *id) {
    if (memcmp(sender->id.former, id->former, sizeof id->former) != 0) {
        sender->id = *id;
        sender->now = sender->then = (struct range){0};
        sender->outdated = sender->asking;
    }
    return cg_sender_ref(sender);
}

struct cg_sender *cg_senders_get(struct cg_senders *senders, const struct cg_sender_id *id) {
    struct cg_sender *sender;
    HASH_FIND(hh, senders->table, id->bytes, sizeof id->bytes, sender);
    if (sender != NULL) return rename_former(sender, id);
    sender = calloc(1, sizeof *sender);
    if (sender == NULL) return NULL;
    sender->id = *id;
    sender->senders = senders;
    sender->refs = 1;
    HASH_ADD(hh, senders->table, id.bytes, sizeof sender->id.bytes, sender);
    if (CG_HASH_HAS(hh, sender)) return sender;
    free(sender);
    return NULL;
}

struct cg_sender *cg_sender_ref(struct cg_sender *sender) {
    sender->refs++;
    return sender;
}

void cg_sender_unref(struct cg_sender *sender) {
    if (sender == NULL) return;
    CG_CHECK(sender->refs > 0);
    if (--sender->refs > 0) return;
    HASH_DELETE(hh, sender->senders->table, sender);
    free(sender);
}

uint64_t cg_sender_peek(const struct cg_sender *sender) {
    if (sender->now.next < sender->now.end) return sender->now.next;
    return sender->then.next < sender->then.end ? sender->then.next : TYPICAL_NUMBER;
}

/* The queue */

static void enqueue(struct cg_sender *sender, struct cg_sender_wait *wait) {
    wait->sender = cg_sender_ref(sender);
    wait->attempt = sender->attempt;
    wait->previous = sender->last;
    wait->next = NULL;
    *(sender->last != NULL ? &sender->last->next : &sender->first) = wait;
    sender->last = wait;
}

static void dequeue(struct cg_sender_wait *wait) {
    struct cg_sender *sender = wait->sender;
    *(wait->previous != NULL ? &wait->previous->next : &sender->first) = wait->next;
    *(wait->next != NULL ? &wait->next->previous : &sender->last) = wait->previous;
    wait->sender = NULL;
    wait->previous = wait->next = NULL;
    cg_sender_unref(sender);
}

void cg_sender_cancel(struct cg_sender_wait *wait) {
    if (wait->sender != NULL) dequeue(wait);
}

/* Blocks */

static uint64_t left(const struct cg_sender *sender) {
    return sender->now.end - sender->now.next + sender->then.end - sender->then.next;
}

static uint64_t next_number(struct cg_sender *sender) {
    if (sender->now.next == sender->now.end) {
        sender->now = sender->then;
        sender->then = (struct range){0};
    }
    CG_CHECK(sender->now.next < sender->now.end);
    return sender->now.next++;
}

static void on_reserved(struct cg_store_job *job);

static void ask(struct cg_sender *sender) {
    if (sender->asking) return;
    sender->asking = true;
    sender->attempt++;
    sender->job = (struct cg_store_job){.operation = CG_STORE_RESERVE,
                                        .sender = sender->id,
                                        .count = CG_SENDER_BLOCK,
                                        .done = on_reserved,
                                        .ctx = cg_sender_ref(sender)};
    struct cg_store *store = sender->senders->store;
    store->ops->submit(store, &sender->job);
}

/* The store may give less than was asked for: then no more than two ranges at a time. */
static bool has_room(const struct cg_sender *sender) {
    return sender->now.next == sender->now.end || sender->then.next == sender->then.end;
}

static void ask_in_time(struct cg_sender *sender) {
    if (left(sender) <= CG_SENDER_BLOCK / 2 && has_room(sender)) ask(sender);
}

static bool is_new(const struct cg_sender *sender, const struct cg_store_range *range) {
    return range->first >= sender->floor && range->count > 0 && range->count <= CG_SENDER_BLOCK &&
           range->first <= CG_SENDER_NUMBERS - range->count;
}

static void add_range(struct cg_sender *sender, const struct cg_store_range *range) {
    struct range added = {.next = range->first, .end = range->first + range->count};
    sender->floor = added.end;
    if (sender->now.next == sender->now.end) {
        sender->now = sender->then;
        sender->then = (struct range){0};
    }
    struct range *place = sender->now.next == sender->now.end ? &sender->now : &sender->then;
    CG_CHECK(place->next == place->end); /* asked for only where there is room: there is never a third */
    *place = added;
}

static void note_low(struct cg_sender *sender) {
    if (sender->low || sender->floor < CG_SENDER_LOW) return;
    sender->low = true;
    if (sender->senders->low != NULL) sender->senders->low(sender->senders->ctx, &sender->id);
}

static void serve(struct cg_sender *sender) {
    if (sender->first == NULL) return;
    while (sender->first != NULL && left(sender) > 0) {
        struct cg_sender_wait *wait = sender->first;
        dequeue(wait);
        wait->ready(wait, CG_OK, next_number(sender), NULL);
    }
    ask_in_time(sender);
}

static void refuse(struct cg_sender *sender, uint64_t attempt, const struct cg_problem *problem) {
    while (sender->first != NULL && sender->first->attempt <= attempt) {
        struct cg_sender_wait *wait = sender->first;
        dequeue(wait);
        wait->ready(wait, problem->err, 0, problem);
    }
}

static int distrust(struct cg_problem *problem) {
    return cg_problem_set(
        problem, CG_E_KEY_REFUSED,
        "the store gave sequence numbers that it had given before; it was set back. Nothing more is sent "
        "with this key: " CG_STORE_WAYS_OUT);
}

static void on_refused(struct cg_sender *sender, const struct cg_store_failure *failure) {
    /* What is left of a block is durable and good while the store is merely out of reach, but not after a verdict on
     * the row. */
    if (failure->refusal == CG_STORE_SPENT || failure->refusal == CG_STORE_UNCLAIMED)
        sender->now = sender->then = (struct range){0};
    refuse(sender, sender->attempt, &failure->problem);
}

static void on_set_back(struct cg_sender *sender) {
    struct cg_problem problem;
    distrust(&problem);
    sender->distrusted = true;
    sender->now = sender->then = (struct range){0};
    refuse(sender, sender->attempt, &problem);
}

/* The range is let go of, and asked for anew under the present name for those who wait. */
static void on_outdated(struct cg_sender *sender, const struct cg_store_range *range) {
    sender->outdated = false;
    if (range->first + range->count > sender->floor) sender->floor = range->first + range->count;
    if (sender->first != NULL) ask(sender);
}

static void on_reserved(struct cg_store_job *job) {
    struct cg_sender *sender = job->ctx;
    sender->asking = false;
    if (sender->outdated) {
        struct cg_store_range range = job->err == CG_OK ? job->range : (struct cg_store_range){0};
        on_outdated(sender, &range);
    } else if (job->err != CG_OK) {
        struct cg_store_failure failure = job->failure; /* who is refused may ask again, which uses the job again */
        on_refused(sender, &failure);
    } else if (is_new(sender, &job->range)) {
        add_range(sender, &job->range);
        note_low(sender);
        serve(sender);
    } else {
        on_set_back(sender);
    }
    cg_sender_unref(sender);
}

uint64_t cg_senders_used(const struct cg_senders *senders, const struct cg_sender_id *id) {
    const struct cg_sender *sender;
    HASH_FIND(hh, senders->table, id->bytes, sizeof id->bytes, sender);
    return sender == NULL || sender->floor == 0 ? 0 : sender->floor - left(sender);
}

int cg_sender_take(struct cg_sender *sender, struct cg_sender_wait *wait, uint64_t *number,
                   struct cg_problem *problem) {
    CG_CHECK(wait->sender == NULL);
    if (sender->distrusted) return distrust(problem);
    if (left(sender) == 0) {
        ask(sender);
        enqueue(sender, wait);
        return CG_PENDING;
    }
    *number = next_number(sender);
    ask_in_time(sender);
    return CG_OK;
}
