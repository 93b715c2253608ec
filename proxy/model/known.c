/* Known members. The hard thing is what silence means, which nobody can see at the time: a group request was lost, or
 * the member was not there. So silence only counts when the member's next answer shows that it was there: at once by
 * unicast, or to the next group request. Times and shares forget: some sixty answers ago weighs little. */
#include "model/known.h"

#include "model/who.h"

#include <stdlib.h>
#include <utlist.h>

enum {
    TIME_WEIGHT = 4, /* of an answer among the times, which decay by quarters */
    TIMES_FULL = 64 * TIME_WEIGHT,
    TIMES_ENOUGH = 8 * TIME_WEIGHT,
    OUTLIERS = 32, /* one in so many answers may be later than what is waited for */
    PATIENCE_FLOOR_US = 50000,
    CASTS_MAX = 255,
    CASTS_WEIGHED = 32, /* a share's latest part is 1 in so many */
    OUT_OF_REACH = 3,
};

/* Compared as bytes, so made of zeros. */
struct who_key {
    uint8_t is_identity;
    uint8_t len;
    uint8_t bytes[CG_KNOWN_IDENTITY_MAX];
};

struct known_mapping {
    char name[CG_NAME_MAX + 1];
    size_t entries;
    UT_hash_handle hh;
};

struct link {
    struct known_who *who;
    struct known_mapping *mapping; /* NULL: of the entry `elsewhere` */
};

struct cg_known {
    UT_hash_handle hh; /* by link */
    struct link link;
    struct cg_known *previous, *next; /* the one that was silent longest first */
    struct cg_known *previous_changed, *next_changed;
    int64_t last_us;
    uint64_t request;  /* the last that it answered; 0: none of this run */
    uint32_t time_sum; /* of `times` */
    uint16_t times[CG_KNOWN_TIMES];
    float lost;
    uint8_t casts, missed;
    uint8_t silences; /* since its last answer */
    bool changed;
};

struct known_who {
    UT_hash_handle hh; /* by key */
    struct who_key key;
    struct cg_known elsewhere; /* what a mapping that it has never answered knows of it */
    size_t entries;
    char name[CG_ADDR_TEXT_MAX];
    uint8_t kid_len, addr_count;
    uint8_t kid[CG_KNOWN_KID_MAX];
    struct cg_addr addrs[CG_KNOWN_ADDRS];
};

struct cg_knowns {
    uint64_t keep_us;
    size_t most, count;
    struct known_who *whos;         /* uthash head */
    struct known_mapping *mappings; /* uthash head */
    struct cg_known *by_link;       /* uthash head */
    struct cg_known *rows;          /* utlist, by their last answers */
    struct cg_known *changed;       /* utlist */
    struct cg_known_walk *walks;    /* utlist */
};

struct cg_knowns *cg_knowns_new(uint64_t keep_us, size_t most) {
    struct cg_knowns *knowns = calloc(1, sizeof *knowns);
    if (knowns == NULL) return NULL;
    knowns->keep_us = keep_us;
    knowns->most = most;
    return knowns;
}

size_t cg_knowns_count(const struct cg_knowns *knowns) { return knowns->count; }

/* Who */

static struct cg_addr without_zone(const struct cg_addr *addr) {
    struct cg_addr anywhere = *addr;
    anywhere.scope = 0;
    return anywhere;
}

static struct who_key key_of(struct cg_slice identity, const struct cg_addr *addr) {
    struct who_key key = {.is_identity = identity.len > 0, .len = (uint8_t)identity.len};
    const struct cg_addr anywhere = without_zone(addr);
    if (key.is_identity) {
        memcpy(key.bytes, identity.data, identity.len);
    } else {
        static_assert(sizeof anywhere <= sizeof key.bytes, "an address is a key");
        key.len = sizeof anywhere;
        memcpy(key.bytes, &anywhere, sizeof anywhere);
    }
    return key;
}

static struct known_who *find_who(const struct cg_knowns *knowns, const struct who_key *key) {
    struct known_who *who;
    HASH_FIND(hh, knowns->whos, key, sizeof *key, who);
    return who;
}

/* One that has no entry yet goes again by drop_who. NULL: no memory. */
static struct known_who *get_who(struct cg_knowns *knowns, const struct who_key *key) {
    struct known_who *who = find_who(knowns, key);
    if (who != NULL) return who;
    who = calloc(1, sizeof *who);
    if (who == NULL) return NULL;
    who->key = *key;
    who->elsewhere.link.who = who;
    HASH_ADD(hh, knowns->whos, key, sizeof who->key, who);
    if (CG_HASH_HAS(hh, who)) return who;
    free(who);
    return NULL;
}

static void drop_who(struct cg_knowns *knowns, struct known_who *who) {
    if (who->entries > 0) return;
    HASH_DEL(knowns->whos, who);
    free(who);
}

/* Mappings, by name: the settings' items come and go. */

static struct known_mapping *find_mapping(const struct cg_knowns *knowns, const char *name) {
    struct known_mapping *mapping;
    HASH_FIND_STR(knowns->mappings, name, mapping);
    return mapping;
}

static struct known_mapping *get_mapping(struct cg_knowns *knowns, const char *name) {
    struct known_mapping *mapping = find_mapping(knowns, name);
    const size_t len = strlen(name);
    if (mapping != NULL || len > CG_NAME_MAX) return mapping;
    mapping = calloc(1, sizeof *mapping);
    if (mapping == NULL) return NULL;
    memcpy(mapping->name, name, len + 1);
    HASH_ADD_STR(knowns->mappings, name, mapping);
    if (CG_HASH_HAS(hh, mapping)) return mapping;
    free(mapping);
    return NULL;
}

static void drop_mapping(struct cg_knowns *knowns, struct known_mapping *mapping) {
    if (mapping->entries > 0) return;
    HASH_DEL(knowns->mappings, mapping);
    free(mapping);
}

/* Entries */

static struct cg_known *find_entry(const struct cg_knowns *knowns, struct known_who *who,
                                   struct known_mapping *mapping) {
    const struct link link = {.who = who, .mapping = mapping};
    struct cg_known *known;
    HASH_FIND(hh, knowns->by_link, &link, sizeof link, known);
    return known;
}

/* NULL: no memory. */
static struct cg_known *add_entry(struct cg_knowns *knowns, struct known_who *who, struct known_mapping *mapping) {
    struct cg_known *known = calloc(1, sizeof *known);
    if (known == NULL) return NULL;
    known->link = (struct link){.who = who, .mapping = mapping};
    HASH_ADD(hh, knowns->by_link, link, sizeof known->link, known);
    if (!CG_HASH_HAS(hh, known)) {
        free(known);
        return NULL;
    }
    who->entries++;
    mapping->entries++;
    knowns->count++;
    return known;
}

static void mark_changed(struct cg_knowns *knowns, struct cg_known *known) {
    if (known->changed) return;
    known->changed = true;
    DL_APPEND2(knowns->changed, known, previous_changed, next_changed);
}

static void unmark_changed(struct cg_knowns *knowns, struct cg_known *known) {
    if (!known->changed) return;
    known->changed = false;
    DL_DELETE2(knowns->changed, known, previous_changed, next_changed);
}

static void walk_past(struct cg_knowns *knowns, const struct cg_known *known) {
    struct cg_known_walk *walk;
    DL_FOREACH(knowns->walks, walk) {
        if (walk->at == known) walk->at = known->hh.next;
    }
}

static void forget(struct cg_knowns *knowns, struct cg_known *known) {
    const struct link link = known->link;
    walk_past(knowns, known);
    unmark_changed(knowns, known);
    DL_DELETE2(knowns->rows, known, previous, next);
    HASH_DEL(knowns->by_link, known);
    free(known);
    link.who->entries--;
    link.mapping->entries--;
    knowns->count--;
    drop_who(knowns, link.who);
    drop_mapping(knowns, link.mapping);
}

void cg_known_forget(struct cg_knowns *knowns, const struct cg_known *known) {
    const struct link link = known->link;
    forget(knowns, find_entry(knowns, link.who, link.mapping));
}

void cg_knowns_free(struct cg_knowns *knowns) {
    if (knowns == NULL) return;
    while (knowns->rows != NULL) forget(knowns, knowns->rows);
    free(knowns);
}

/* Answer times. Buckets are half an octave wide, from a millisecond to twelve minutes. */

uint64_t cg_known_time_us(unsigned bucket) {
    const uint64_t octave_us = UINT64_C(1000) << bucket / 2;
    return bucket % 2 == 0 ? octave_us : octave_us * 1414 / 1000;
}

static unsigned bucket_of(uint64_t us) {
    unsigned bucket = 0;
    while (bucket + 1 < CG_KNOWN_TIMES && cg_known_time_us(bucket) < us) bucket++;
    return bucket;
}

static void age_times(struct cg_known *known) {
    for (unsigned i = 0; i < CG_KNOWN_TIMES; i++) {
        const uint16_t part = (uint16_t)((known->times[i] + 3) / 4);
        known->times[i] = (uint16_t)(known->times[i] - part);
        known->time_sum -= part;
    }
}

static void note_time(struct cg_known *known, uint64_t us) {
    if (known->time_sum >= TIMES_FULL) age_times(known);
    known->times[bucket_of(us)] += TIME_WEIGHT;
    known->time_sum += TIME_WEIGHT;
}

/* The upper end of the bucket below which all are but that part of them. */
static uint64_t time_above(const struct cg_known *known, uint32_t part) {
    uint32_t above = 0;
    unsigned bucket = CG_KNOWN_TIMES - 1;
    while (bucket > 0 && above + known->times[bucket] <= part) above += known->times[bucket--];
    return cg_known_time_us(bucket);
}

/* A quarter more, and what a busy host or link may add at any time. */
uint64_t cg_known_patience_us(const struct cg_known *known) {
    if (known->time_sum < TIMES_ENOUGH) return 0;
    return time_above(known, known->time_sum / OUTLIERS) * 5 / 4 + PATIENCE_FLOOR_US;
}

void cg_known_put_where(struct cg_buf *to, const struct cg_known_record *record) {
    char text[CG_ADDR_TEXT_MAX];
    cg_buf_put_str(to, "\"kid\":\"");
    cg_buf_put_hex(to, cg_slice_of(record->kid, record->kid_len));
    cg_buf_put_str(to, "\",\"addresses\":[");
    for (unsigned i = 0; i < record->addr_count; i++) {
        cg_addr_emit(&record->addrs[i], text);
        cg_buf_printf(to, "%s\"%s\"", i > 0 ? "," : "", text);
    }
    cg_buf_put_u8(to, ']');
}

uint64_t cg_known_median_us(const struct cg_known *known) {
    return known->time_sum == 0 ? 0 : time_above(known, known->time_sum / 2);
}

uint64_t cg_known_p99_us(const struct cg_known *known) {
    return known->time_sum == 0 ? 0 : time_above(known, known->time_sum / 100);
}

/* What gets there */

static void note_cast(struct cg_known *known, float lost) {
    if (known->casts < CASTS_MAX) known->casts++;
    const unsigned weight = known->casts < CASTS_WEIGHED ? known->casts : CASTS_WEIGHED;
    known->lost += (lost - known->lost) / (float)weight;
}

/* Just one silence before it: after several in a row it was not there, as far as anybody can tell. What is later than
 * ever may be the answer to the very request that it seemed to be silent to. */
static bool was_loss(const struct cg_known *known, uint64_t after_us) {
    return known->silences == 1 && after_us < cg_known_patience_us(known);
}

static void note_heard(struct cg_known *known, uint64_t after_us) {
    if (was_loss(known, after_us)) note_cast(known, 1);
    note_cast(known, 0);
    note_time(known, after_us);
    known->missed = 0;
}

static void note_reached(struct cg_known *known) {
    if (known->silences == 0) return;
    note_cast(known, 1);
    if (known->missed < UINT8_MAX) known->missed++;
}

static void note_way(struct cg_known *known, const struct cg_known_answer *answer) {
    if (answer->via == CASTGATE_VIA_MULTICAST) {
        note_heard(known, answer->after_us);
    } else {
        note_reached(known);
    }
    known->silences = 0;
    known->request = answer->request;
}

/* Answers */

static void note_addr(struct known_who *who, const struct cg_addr *from) {
    unsigned at = 0;
    while (at < who->addr_count && !cg_addr_equal(&who->addrs[at], from)) at++;
    if (at == who->addr_count && who->addr_count < CG_KNOWN_ADDRS) who->addr_count++;
    if (at == CG_KNOWN_ADDRS) at--; /* the oldest goes */
    memmove(&who->addrs[1], &who->addrs[0], at * sizeof who->addrs[0]);
    who->addrs[0] = *from;
}

static void note_kid(struct known_who *who, struct cg_slice kid) {
    who->kid_len = kid.len <= CG_KNOWN_KID_MAX ? (uint8_t)kid.len : 0;
    if (who->kid_len > 0) memcpy(who->kid, kid.data, kid.len);
}

static void note_name(struct known_who *who, const struct cg_member *member) {
    const size_t len = member != NULL ? strnlen(member->name, sizeof who->name) : 0;
    if (len == 0 || len == sizeof who->name) return;
    memcpy(who->name, member->name, len + 1);
}

static void note(struct cg_knowns *knowns, struct cg_known *known, const struct cg_known_answer *answer,
                 uint64_t now_us) {
    struct known_who *who = known->link.who;
    if (known->previous != NULL) DL_DELETE2(knowns->rows, known, previous, next);
    DL_APPEND2(knowns->rows, known, previous, next);
    known->last_us = who->elsewhere.last_us = (int64_t)now_us;
    note_addr(who, &answer->from);
    note_kid(who, answer->kid);
    if (known->request != answer->request) note_way(known, answer);
    mark_changed(knowns, known);
}

static struct cg_known *get_entry(struct cg_knowns *knowns, const struct who_key *key, const char *mapping_name) {
    struct known_who *who = get_who(knowns, key);
    if (who == NULL) return NULL;
    struct known_mapping *mapping = get_mapping(knowns, mapping_name);
    struct cg_known *known = NULL;
    if (mapping != NULL) known = find_entry(knowns, who, mapping);
    if (mapping != NULL && known == NULL) known = add_entry(knowns, who, mapping);
    if (known != NULL) return known;
    if (mapping != NULL) drop_mapping(knowns, mapping);
    drop_who(knowns, who);
    return NULL;
}

void cg_known_note(struct cg_knowns *knowns, const struct cg_known_answer *answer, uint64_t now_us) {
    struct cg_who who;
    if (answer->identity.len > CG_KNOWN_IDENTITY_MAX) return;
    cg_who_decide(&who, answer->mapping, &answer->from, answer->identity);
    const struct who_key key = key_of(answer->identity, &who.addr);
    struct cg_known *known = get_entry(knowns, &key, answer->mapping->name);
    if (known == NULL) return;
    note_name(known->link.who, who.member);
    note(knowns, known, answer, now_us);
    if (knowns->count > knowns->most) forget(knowns, knowns->rows);
}

static struct known_who *who_of(const struct cg_knowns *knowns, const struct cg_member *member) {
    if (member->identity.len > CG_KNOWN_IDENTITY_MAX) return NULL;
    const struct who_key key = key_of(member->identity, &member->addr);
    return find_who(knowns, &key);
}

void cg_known_note_silence(struct cg_knowns *knowns, const struct cg_mapping *mapping, const struct cg_member *member) {
    struct known_who *who = who_of(knowns, member);
    if (who == NULL) return;
    struct cg_known *known = find_entry(knowns, who, find_mapping(knowns, mapping->name));
    if (known != NULL && known->silences < UINT8_MAX) known->silences++;
}

/* What is known */

const struct cg_known *cg_known_find(const struct cg_knowns *knowns, const struct cg_mapping *mapping,
                                     const struct cg_member *member) {
    struct known_who *who = who_of(knowns, member);
    if (who == NULL) return NULL;
    const struct cg_known *known = find_entry(knowns, who, find_mapping(knowns, mapping->name));
    return known != NULL ? known : &who->elsewhere;
}

bool cg_known_is_out_of_reach(const struct cg_known *known) { return known->missed >= OUT_OF_REACH; }

const struct cg_addr *cg_known_addr(const struct cg_known *known) { return &known->link.who->addrs[0]; }

bool cg_known_purge(struct cg_knowns *knowns, uint64_t now_us, size_t *rows) {
    const int64_t oldest_us = (int64_t)now_us - (int64_t)knowns->keep_us;
    while (knowns->rows != NULL && knowns->rows->last_us <= oldest_us) {
        if (*rows == 0) return true;
        forget(knowns, knowns->rows);
        --*rows;
    }
    return false;
}

/* As plain data */

static void record_who(const struct known_who *who, struct cg_known_record *record) {
    if (who->key.is_identity) {
        record->identity_len = who->key.len;
        memcpy(record->identity, who->key.bytes, who->key.len);
    } else {
        memcpy(&record->addr, who->key.bytes, sizeof record->addr);
    }
    memcpy(record->name, who->name, sizeof record->name);
    record->kid_len = who->kid_len;
    memcpy(record->kid, who->kid, sizeof record->kid);
    record->addr_count = who->addr_count;
    memcpy(record->addrs, who->addrs, sizeof record->addrs);
}

void cg_known_record(const struct cg_known *known, struct cg_known_record *record) {
    *record = (struct cg_known_record){
        .last_us = known->last_us, .lost = known->lost, .casts = known->casts, .missed = known->missed};
    record_who(known->link.who, record);
    if (known->link.mapping != NULL) memcpy(record->mapping, known->link.mapping->name, sizeof record->mapping);
    memcpy(record->times, known->times, sizeof record->times);
}

/* What answered in this run knows better, but for former addresses. */
static void restore_who(struct known_who *who, const struct cg_known_record *record) {
    if (who->addr_count > 0 && who->elsewhere.last_us >= record->last_us) return;
    who->elsewhere.last_us = record->last_us;
    memcpy(who->name, record->name, sizeof who->name);
    who->kid_len = record->kid_len;
    memcpy(who->kid, record->kid, sizeof who->kid);
    who->addr_count = record->addr_count;
    memcpy(who->addrs, record->addrs, sizeof who->addrs);
}

static void restore_times(struct cg_known *known, const struct cg_known_record *record) {
    memcpy(known->times, record->times, sizeof known->times);
    known->time_sum = 0;
    for (unsigned i = 0; i < CG_KNOWN_TIMES; i++) known->time_sum += known->times[i];
}

/* Those of before are older than all of this run; of themselves, the latest comes first. */
static void restore_entry(struct cg_knowns *knowns, struct cg_known *known, const struct cg_known_record *record) {
    known->last_us = record->last_us;
    known->lost = record->lost;
    known->casts = record->casts;
    known->missed = record->missed;
    restore_times(known, record);
    DL_PREPEND2(knowns->rows, known, previous, next);
}

bool cg_known_restore(struct cg_knowns *knowns, const struct cg_known_record *record) {
    const struct cg_slice identity = cg_slice_of(record->identity, record->identity_len);
    const struct who_key key = key_of(identity, &record->addr);
    if (knowns->count >= knowns->most) return false;
    struct cg_known *known = get_entry(knowns, &key, record->mapping);
    if (known == NULL) return false;
    if (known->previous != NULL) return true; /* it is there already */
    restore_who(known->link.who, record);
    restore_entry(knowns, known, record);
    return true;
}

void cg_known_shown(const struct cg_known_record *record, char text[CG_ADDR_TEXT_MAX]) {
    if (record->name[0] == 0) {
        cg_addr_emit(&record->addrs[0], text);
    } else {
        memcpy(text, record->name, sizeof record->name);
    }
}

void cg_known_untake(struct cg_knowns *knowns, const struct cg_known_record *record) {
    const struct who_key key = key_of(cg_slice_of(record->identity, record->identity_len), &record->addr);
    struct known_who *who = find_who(knowns, &key);
    struct known_mapping *mapping = find_mapping(knowns, record->mapping);
    struct cg_known *known = who != NULL && mapping != NULL ? find_entry(knowns, who, mapping) : NULL;
    if (known != NULL) mark_changed(knowns, known);
}

const struct cg_known *cg_known_take_changed(struct cg_knowns *knowns) {
    struct cg_known *known = knowns->changed;
    if (known != NULL) unmark_changed(knowns, known);
    return known;
}

/* Ways through all */

void cg_known_walk_begin(struct cg_knowns *knowns, struct cg_known_walk *walk) {
    walk->at = knowns->by_link;
    DL_APPEND2(knowns->walks, walk, previous, next);
}

const struct cg_known *cg_known_walk_next(struct cg_known_walk *walk) {
    const struct cg_known *known = walk->at;
    if (known != NULL) walk->at = known->hh.next;
    return known;
}

void cg_known_walk_end(struct cg_knowns *knowns, struct cg_known_walk *walk) {
    DL_DELETE2(knowns->walks, walk, previous, next);
}
