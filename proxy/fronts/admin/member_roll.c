/* The hard thing: there is no list of members in the order of their names, and what belongs to one is all over the
 * settings and what was heard; so a roll keeps the first so many names behind its beginning, and goes through
 * everything once, in slices: what is pushed out of it on the way cannot come back. */
#include "fronts/admin/member_roll.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/calendar.h"
#include "base/text.h"
#include "fronts/admin/member_edit.h"
#include "io/loop.h"
#include "legs/protector.h"
#include "model/mapping.h"

enum {
    LOOKS_A_TURN = 2000, /* at members */
    LISTED_MAX = 64,     /* mappings of one member */
};

/* ---- Its rows ---- */

static void free_row(struct cg_member_row *row) {
    cg_buf_fini(&row->mappings);
    cg_buf_fini(&row->groups);
    cg_buf_fini(&row->warmths);
    cg_buf_fini(&row->heard);
    free(row);
}

static struct cg_member_row *new_row(const char *name) {
    struct cg_member_row *row = calloc(1, sizeof *row);
    if (row == NULL) return NULL;
    snprintf(row->name, sizeof row->name, "%s", name);
    row->last_us = INT64_MIN;
    cg_buf_init(&row->mappings, 0);
    cg_buf_init(&row->groups, 0);
    cg_buf_init(&row->warmths, 0);
    cg_buf_init(&row->heard, 0);
    return row;
}

/* The first place whose name is not below that one. */
static size_t place_of(const struct cg_member_roll *roll, const char *name) {
    size_t low = 0, high = roll->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(roll->rows[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct cg_member_row *insert(struct cg_member_roll *roll, size_t place, const char *name) {
    struct cg_member_row *row = new_row(name);
    if (row == NULL) {
        roll->failed = true;
        return NULL;
    }
    if (roll->count == roll->limit + 1) free_row(roll->rows[--roll->count]);
    memmove(&roll->rows[place + 1], &roll->rows[place], (roll->count - place) * sizeof(struct cg_member_row *));
    roll->rows[place] = row;
    roll->count++;
    return row;
}

/* NULL: it does not belong here. One more is kept than is wanted, so that it is known whether there are more. */
static struct cg_member_row *row_of(struct cg_member_roll *roll, const char *name) {
    if (roll->is_alone && strcmp(name, roll->name) != 0) return NULL;
    if (strcmp(name, roll->after) <= 0) return NULL;
    size_t place = place_of(roll, name);
    if (place < roll->count && strcmp(roll->rows[place]->name, name) == 0) return roll->rows[place];
    return place == roll->limit + 1 ? NULL : insert(roll, place, name);
}

static void add_name(struct cg_buf *to, unsigned *count, const char *name) {
    if (*count >= LISTED_MAX) return;
    if ((*count)++ > 0) cg_buf_put_u8(to, ',');
    cg_buf_put_json(to, cg_slice_str(name));
}

static struct cg_member_row *add_configured(struct cg_member_roll *roll, const struct cg_member *member) {
    struct cg_member_row *row = row_of(roll, member->name);
    if (row == NULL) return NULL;
    row->is_configured = true;
    if (member->addr.family != CG_FAMILY_NONE && row->address[0] == '\0') cg_addr_emit(&member->addr, row->address);
    return row;
}

/* ---- What there is, in slices ---- */

/* NULL: it is not among those of keys in use. */
static const char *warmth_of(const struct cg_mapping *mapping, const struct cg_member *member) {
    struct cg_protector *protector = mapping->protector;
    if (protector->ops->standing == NULL) return NULL;
    if (protector->ops->standing(protector, member->identity) == CG_STANDING_NONE) return NULL;
    return cg_protector_is_cold(protector, member->identity) ? "cold" : "warm";
}

/* Who answers a mapping that hides it would be told by this, too. */
static void note_warmth(struct cg_member_row *row, const struct cg_mapping *mapping, const struct cg_member *member) {
    const char *warmth = mapping->anonymise ? NULL : warmth_of(mapping, member);
    if (warmth == NULL || row->warmth_count >= LISTED_MAX) return;
    if (row->warmth_count++ > 0) cg_buf_put_u8(&row->warmths, ',');
    cg_buf_put_json(&row->warmths, cg_slice_str(mapping->name));
    cg_buf_printf(&row->warmths, ":\"%s\"", warmth);
}

static void note_expected(struct cg_member_roll *roll, const struct cg_mapping *mapping,
                          const struct cg_member *member) {
    struct cg_member_row *row = member == NULL ? NULL : add_configured(roll, member);
    if (row == NULL) return;
    row->tags += roll->is_alone ? cg_member_tag("mappings", mapping->name, member) : 0;
    add_name(&row->mappings, &row->mapping_count, mapping->name);
    note_warmth(row, mapping, member);
}

/* Where there are very many in a list, one of them is not looked for. */
static void note_one_of_group(struct cg_member_roll *roll, const struct cg_security_keys *group) {
    const struct cg_member *member = cg_members_named(&group->members, cg_slice_str(roll->name));
    struct cg_member_row *row = member == NULL ? NULL : add_configured(roll, member);
    if (row == NULL) return;
    row->tags += cg_member_tag("security-groups", group->name, member);
    add_name(&row->groups, &row->group_count, group->name);
}

static bool look_at_group(struct cg_member_roll *roll, size_t *looks) {
    if (roll->at == roll->config->security_group_count) return false;
    const struct cg_security_keys *group = &roll->config->security_groups[roll->at];
    if (roll->is_alone) {
        note_one_of_group(roll, group);
        roll->at++;
        --*looks;
        return true;
    }
    for (; roll->member<group->members.count && * looks> 0; roll->member++, --*looks) {
        struct cg_member_row *row = add_configured(roll, &group->members.list[roll->member]);
        if (row != NULL) add_name(&row->groups, &row->group_count, group->name);
    }
    if (roll->member == group->members.count) roll->at++, roll->member = 0;
    return true;
}

static bool look_at_mapping(struct cg_member_roll *roll, size_t *looks) {
    if (roll->at == roll->config->mapping_count) return false;
    const struct cg_mapping *mapping = cg_config_mapping(roll->config, (uint32_t)roll->at);
    size_t count = mapping == NULL || roll->is_alone ? 0 : mapping->member_count;
    if (roll->is_alone && mapping != NULL)
        note_expected(roll, mapping, cg_mapping_member(mapping, cg_slice_str(roll->name)));
    for (; roll->member<count && * looks> 0; roll->member++, --*looks)
        note_expected(roll, mapping, &mapping->members[roll->member]);
    if (roll->member == count) roll->at++, roll->member = 0;
    if (*looks > 0) --*looks;
    return true;
}

static void put_heard(struct cg_member_row *row, const struct cg_known *known, const struct cg_known_record *record) {
    struct cg_buf *to = &row->heard;
    if (row->heard_count >= LISTED_MAX) return;
    if (row->heard_count++ > 0) cg_buf_put_u8(to, ',');
    cg_buf_put_str(to, "{\"mapping\":");
    cg_buf_put_json(to, cg_slice_str(record->mapping));
    cg_buf_put_u8(to, ',');
    cg_known_put_where(to, record);
    cg_buf_printf(to, ",\"median_ms\":%" PRIu64 ",\"p99_ms\":%" PRIu64 ",\"loss\":%.3f,\"requests\":%u",
                  cg_known_median_us(known) / 1000, cg_known_p99_us(known) / 1000, (double)record->lost, record->casts);
    cg_buf_printf(to, ",\"out_of_reach\":%s}", cg_known_is_out_of_reach(known) ? "true" : "false");
}

/* What a mapping hides of its members, or one that is gone has hidden, is hidden here, too. */
static bool is_hidden(const struct cg_member_roll *roll, const char *mapping_name) {
    const struct cg_mapping *mapping = cg_mapping_by_name(roll->config, mapping_name);
    return mapping == NULL || mapping->anonymise;
}

static bool look_at_known(struct cg_member_roll *roll, size_t *looks) {
    struct cg_known_record record;
    char name[CG_ADDR_TEXT_MAX];
    const struct cg_known *known = cg_known_walk_next(&roll->walk);
    if (known == NULL) return false;
    *looks -= *looks > 8 ? 8 : *looks; /* it costs more than one in the settings */
    cg_known_record(known, &record);
    if (is_hidden(roll, record.mapping)) return true;
    cg_known_shown(&record, name);
    struct cg_member_row *row = row_of(roll, name);
    if (row == NULL) return true;
    put_heard(row, known, &record);
    if (record.last_us > row->last_us) row->last_us = record.last_us;
    return true;
}

/* False: that was all. */
bool cg_member_roll_look(struct cg_member_roll *roll) {
    static bool (*const looks_at[])(struct cg_member_roll * page, size_t * looks) = {look_at_group, look_at_mapping,
                                                                                     look_at_known};
    for (size_t looks = LOOKS_A_TURN; looks > 0 && !roll->failed;) {
        if (looks_at[roll->phase](roll, &looks)) continue;
        if (roll->phase == CG_MEMBER_IN_KNOWNS) return false;
        roll->phase++;
        roll->at = roll->member = 0;
    }
    return !roll->failed;
}

/* ---- Their documents ---- */

static void put_text(struct cg_buf *to, const char *key, const char *text) {
    cg_buf_printf(to, ",\"%s\":", key);
    if (text[0] == '\0') {
        cg_buf_put_str(to, "null");
    } else {
        cg_buf_put_json(to, cg_slice_str(text));
    }
}

static void put_list(struct cg_buf *to, const char *key, const struct cg_buf *items) {
    cg_buf_printf(to, ",\"%s\":[", key);
    cg_buf_put_slice(to, cg_buf_slice(items));
    cg_buf_put_u8(to, ']');
    to->failed |= items->failed;
}

static void put_object(struct cg_buf *to, const char *key, const struct cg_buf *items) {
    cg_buf_printf(to, ",\"%s\":{", key);
    cg_buf_put_slice(to, cg_buf_slice(items));
    cg_buf_put_u8(to, '}');
    to->failed |= items->failed;
}

void cg_member_row_put(struct cg_buf *to, const struct cg_member_row *row) {
    char seen[CG_CALENDAR_MAX] = "";
    if (row->last_us != INT64_MIN)
        cg_calendar_emit_s(seen, (int64_t)time(NULL) - ((int64_t)cg_loop_now_us() - row->last_us) / 1000000);
    cg_buf_put_str(to, "{\"name\":");
    cg_buf_put_json(to, cg_slice_str(row->name));
    cg_buf_printf(to, ",\"configured\":%s", row->is_configured ? "true" : "false");
    put_text(to, "address", row->address);
    put_text(to, "last_seen", seen);
    put_list(to, "security_groups", &row->groups);
    put_list(to, "mappings", &row->mappings);
    put_object(to, "warmth", &row->warmths);
    put_list(to, "heard", &row->heard);
    cg_buf_put_u8(to, '}');
}

/* ---- Beginning and end ---- */

void cg_member_roll_begin(struct cg_member_roll *roll, struct cg_gateway *gateway) {
    roll->config = cg_config_ref(cg_gateway_config(gateway));
    roll->knowns = cg_gateway_knowns(gateway);
    cg_known_walk_begin(roll->knowns, &roll->walk);
}

void cg_member_roll_end(struct cg_member_roll *roll) {
    cg_known_walk_end(roll->knowns, &roll->walk);
    for (size_t i = 0; i < roll->count; i++) free_row(roll->rows[i]);
    cg_config_unref(roll->config);
}

const struct cg_member_row *cg_member_roll_one(struct cg_member_roll *roll, enum cg_member_need need) {
    if (roll->count > 0) return roll->rows[0];
    return need == CG_MEMBER_ANYWAY ? insert(roll, 0, roll->name) : NULL;
}
