/* Copies, because the store's rows are gone with the next one. */
#include "manage/past.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

enum { CHANGES_FIRST = 8 };

bool cg_past_is_secret(enum cg_item_kind kind) { return kind == CG_ITEM_TOKEN || kind == CG_ITEM_KEYS; }

static bool make_room(struct cg_past *past) {
    if (past->count < past->room) return true;
    size_t room = past->room == 0 ? CHANGES_FIRST : 2 * past->room;
    struct cg_past_change *changes = realloc(past->changes, room * sizeof *changes);
    if (changes == NULL) return false;
    past->changes = changes;
    past->room = room;
    return true;
}

static bool copy(struct cg_past *past, struct cg_slice from, struct cg_slice *to) {
    *to = cg_arena_copy(&past->texts, from);
    return to->data != NULL || from.len == 0;
}

static const char *copy_text(struct cg_past *past, const char *text) {
    return (const char *)cg_arena_copy(&past->texts, cg_slice_of(text, strlen(text) + 1)).data;
}

static bool hear(void *ctx, const struct cg_revision *revision) {
    struct cg_past *past = ctx;
    past->undo = revision->undo;
    past->operation = copy_text(past, revision->deed.operation);
    past->target = copy_text(past, revision->deed.target);
    past->detail = copy_text(past, revision->deed.detail);
    return past->operation != NULL && past->target != NULL && past->detail != NULL;
}

static bool hear_change(void *ctx, const struct cg_revision_change *change) {
    struct cg_past *past = ctx;
    if (!make_room(past)) return false;
    struct cg_past_change *kept = &past->changes[past->count];
    kept->kind = change->kind;
    snprintf(kept->name, sizeof kept->name, "%s", change->name);
    if (!copy(past, change->before, &kept->before) || !copy(past, change->after, &kept->after)) return false;
    past->count++;
    return true;
}

int cg_past_read(struct cg_past *past, struct cg_items_file *file, uint64_t number, struct cg_problem *problem) {
    *past = (struct cg_past){.number = number};
    cg_arena_init(&past->texts, SIZE_MAX, NULL);
    int err = cg_items_revision(file, number, hear, hear_change, past, problem);
    if (err < 0) cg_past_fini(past);
    return err;
}

void cg_past_fini(struct cg_past *past) {
    free(past->changes);
    cg_arena_fini(&past->texts);
    *past = (struct cg_past){0};
}

const struct cg_past_change *cg_past_find(const struct cg_past *past, enum cg_item_kind kind, const char *name) {
    for (size_t i = 0; i < past->count; i++) {
        if (past->changes[i].kind == kind && strcmp(past->changes[i].name, name) == 0) return &past->changes[i];
    }
    return NULL;
}
