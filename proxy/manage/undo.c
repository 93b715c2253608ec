/* Undo. What a revision left must be there as it left it, or something later rests on it: that is found by documents,
 * and by names that refer to what it made. The hard thing is saying what rests on it, and taking that back, too: then
 * history is gone through, once, from that revision on; whatever touches what was touched, or refers to what was made,
 * belongs to it. */
#include "manage/undo.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "manage/change.h"
#include "manage/past.h"
#include "manage/references.h"

enum { HISTORY_MAX = 20000 /* revisions that are gone through */ };

/* ---- What rests on a revision ---- */

struct mark {
    enum cg_item_kind kind;
    char name[CG_NAME_MAX + 1];
    bool was_made; /* it was not there before: others may refer to it since */
};

/* The revision and those that rest on it. */
struct following {
    struct cg_undo *undo;
    struct cg_lookup marks; /* items that they touched */
    struct cg_arena arena;
    uint64_t *numbers; /* ascending, the revision itself first */
    size_t count, room;
};

static uint32_t hash_of(enum cg_item_kind kind, const char *name) {
    uint8_t byte = (uint8_t)kind;
    return cg_fnv(cg_fnv(CG_FNV_START, &byte, 1), name, strlen(name));
}

static struct mark *find_mark(const struct following *following, enum cg_item_kind kind, const char *name) {
    struct mark *mark;
    uint32_t hash = hash_of(kind, name);
    for (uint32_t at = hash; (mark = cg_lookup_next(&following->marks, hash, &at)) != NULL;) {
        if (mark->kind == kind && strcmp(mark->name, name) == 0) return mark;
    }
    return NULL;
}

static bool add_mark(struct following *following, const struct cg_past_change *change) {
    struct mark *mark = find_mark(following, change->kind, change->name);
    if (mark == NULL) {
        mark = cg_arena_zalloc(&following->arena, sizeof *mark);
        if (mark == NULL || !cg_lookup_add(&following->marks, hash_of(change->kind, change->name), mark)) return false;
        mark->kind = change->kind;
        snprintf(mark->name, sizeof mark->name, "%s", change->name);
    }
    mark->was_made = mark->was_made || change->before.len == 0;
    return true;
}

static bool add_number(struct following *following, uint64_t number) {
    if (following->count == following->room) {
        size_t room = following->room == 0 ? 16 : 2 * following->room;
        uint64_t *numbers = realloc(following->numbers, room * sizeof *numbers);
        if (numbers == NULL) return false;
        following->numbers = numbers;
        following->room = room;
    }
    following->numbers[following->count++] = number;
    return true;
}

static bool add_past(struct following *following, const struct cg_past *past) {
    bool fits = add_number(following, past->number);
    for (size_t i = 0; fits && i < past->count; i++) fits = add_mark(following, &past->changes[i]);
    return fits;
}

/* Where memory does not do to look, what refers keeps what it may refer to. */
static bool begins_to_refer(const struct cg_past_change *change, const struct mark *mark) {
    return cg_references_look(change->kind, change->after, mark->kind, mark->name) != CG_REFERENCE_NONE &&
           cg_references_look(change->kind, change->before, mark->kind, mark->name) != CG_REFERENCE_MADE;
}

static bool refers(const struct following *following, const struct cg_past_change *change) {
    if (cg_past_is_secret(change->kind)) return false; /* a token goes with its client */
    for (size_t i = 0; following->marks.slots != NULL && i <= following->marks.mask; i++) {
        const struct mark *mark = following->marks.slots[i].item;
        if (mark != NULL && mark->was_made && begins_to_refer(change, mark)) return true;
    }
    return false;
}

static bool rests(const struct following *following, const struct cg_past *past) {
    for (size_t i = 0; i < past->count; i++) {
        const struct cg_past_change *change = &past->changes[i];
        if (find_mark(following, change->kind, change->name) != NULL || refers(following, change)) return true;
    }
    return false;
}

static json_t *items_of(const struct cg_past *past) {
    json_t *items = json_array();
    for (size_t i = 0; i < past->count; i++) {
        (void)json_array_append_new(
            items, json_sprintf("%s/%s", cg_item_collections[past->changes[i].kind], past->changes[i].name));
    }
    return items;
}

static bool tell(struct following *following, const struct cg_past *past) {
    struct cg_undo *undo = following->undo;
    if (undo->depends == NULL) undo->depends = json_array();
    json_t *row = json_pack("{s:I, s:s, s:s, s:o}", "revision", (json_int_t)past->number, "operation", past->operation,
                            "target", past->target, "items", items_of(past));
    return json_array_append_new(undo->depends, row) == 0;
}

/* `past`: the revision itself. Gone revisions end it: nothing older is taken back than what there is. */
static int follow(struct following *following, const struct cg_past *first, const struct cg_manage *manage,
                  struct cg_problem *problem) {
    uint64_t last = cg_manage_revision(manage);
    if (last - first->number > HISTORY_MAX)
        return cg_problem_set(problem, CG_E_CONFLICT, "revision %llu is followed by more than %d others",
                              (unsigned long long)first->number, HISTORY_MAX);
    bool fits = add_past(following, first);
    for (uint64_t number = first->number + 1; fits && number <= last; number++) {
        struct cg_past past;
        int err = cg_past_read(&past, cg_manage_file(manage), number, problem);
        if (err < 0) return err;
        if (rests(following, &past)) fits = add_past(following, &past) && tell(following, &past);
        cg_past_fini(&past);
    }
    return fits ? CG_OK : cg_problem_no_memory(problem);
}

static void following_init(struct following *following, struct cg_undo *undo) {
    *following = (struct following){.undo = undo};
    cg_arena_init(&following->arena, SIZE_MAX, NULL);
}

static void following_fini(struct following *following) {
    cg_lookup_fini(&following->marks);
    cg_arena_fini(&following->arena);
    free(following->numbers);
}

/* ---- Taking back ---- */

static struct cg_slice document_of(const struct cg_item *item) { return item == NULL ? CG_SLICE_NONE : item->document; }

/* Secrets are in no history: what is there of them stays. */
static int put_back(struct cg_change *change, const struct cg_past_change *past) {
    const struct cg_item *now = cg_change_find(change, past->kind, past->name);
    if (past->before.len == 0) return cg_change_remove(change, past->kind, past->name);
    struct cg_item *item = cg_item_new(past->kind, past->name, past->before, now == NULL ? CG_SLICE_NONE : now->sealed);
    if (item == NULL) return cg_problem_no_memory(&change->problem);
    return cg_change_set(change->own, past->kind, past->name, item);
}

static bool is_as_it_left_it(const struct cg_change *change, const struct cg_past_change *past) {
    return cg_slice_equal(document_of(cg_change_find(change, past->kind, past->name)), past->after);
}

/* CG_E_CONFLICT without words: something is not as it left it. */
static int take_back(struct cg_change *change, const struct cg_past *past) {
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < past->count; i++) {
        const struct cg_past_change *one = &past->changes[i];
        if (cg_past_is_secret(one->kind)) continue;
        err = is_as_it_left_it(change, one) ? put_back(change, one) : CG_E_CONFLICT;
    }
    return err;
}

/* What it was when that revision had been made: what the next one to touch it found. */
static bool referred_then(uint64_t revision, const struct cg_manage *manage, const struct cg_item *item,
                          const struct cg_past_change *to) {
    for (uint64_t number = revision + 1; number <= cg_manage_revision(manage); number++) {
        struct cg_past past;
        struct cg_problem unused;
        if (cg_past_read(&past, cg_manage_file(manage), number, &unused) < 0) return false;
        const struct cg_past_change *change = cg_past_find(&past, item->kind, item->name);
        bool has =
            change != NULL && cg_references_look(item->kind, change->before, to->kind, to->name) == CG_REFERENCE_MADE;
        cg_past_fini(&past);
        if (change != NULL) return has;
    }
    return true; /* it is untouched */
}

static bool is_needed_by(uint64_t revision, const struct cg_change *change, const struct cg_manage *manage,
                         enum cg_item_kind from, const struct cg_past_change *gone) {
    const struct cg_item *item = cg_manage_next(manage, from, "");
    for (; item != NULL; item = cg_manage_next(manage, from, item->name)) {
        const struct cg_item *will = cg_change_find(change, from, item->name);
        bool refers_now =
            will != NULL && cg_references_look(from, will->document, gone->kind, gone->name) != CG_REFERENCE_NONE;
        if (refers_now && !referred_then(revision, manage, item, gone)) return true;
    }
    return false;
}

/* What it made and is to go, and something else refers to since. */
static bool is_needed(const struct cg_change *change, const struct cg_manage *manage, const struct cg_past *past) {
    for (size_t i = 0; i < past->count; i++) {
        const struct cg_past_change *gone = &past->changes[i];
        if (gone->before.len > 0 || cg_past_is_secret(gone->kind)) continue;
        for (unsigned from = 0; from < CG_ITEM_KIND_COUNT; from++) {
            if (cg_past_is_secret((enum cg_item_kind)from) || !cg_references_may((enum cg_item_kind)from, gone->kind))
                continue;
            if (is_needed_by(past->number, change, manage, (enum cg_item_kind)from, gone)) return true;
        }
    }
    return false;
}

static int refuse_never(const struct cg_past *past, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_CONFLICT, "revision %llu (%s %s) cannot be undone%s%s",
                          (unsigned long long)past->number, past->operation, past->target,
                          past->detail[0] == '\0' ? "" : ": ", past->detail);
}

static int refuse_alone(const struct cg_undo *undo, struct cg_problem *problem) {
    size_t count = json_array_size(undo->depends);
    if (count == 0)
        return cg_problem_set(problem, CG_E_CONFLICT, "nothing of revision %llu is left to be undone",
                              (unsigned long long)undo->number);
    return cg_problem_set(
        problem, CG_E_CONFLICT, "revision %llu cannot be undone alone: %zu later one%s on it (%llu the first)",
        (unsigned long long)undo->number, count, count == 1 ? " rests" : "s rest",
        (unsigned long long)json_integer_value(json_object_get(json_array_get(undo->depends, 0), "revision")));
}

static int undo_alone(struct cg_undo *undo, const struct cg_past *past, struct cg_change *change,
                      const struct cg_manage *manage) {
    struct following following;
    int err = take_back(change, past);
    if (err == CG_OK && is_needed(change, manage, past)) err = CG_E_CONFLICT;
    if (err != CG_E_CONFLICT) return err;
    following_init(&following, undo);
    err = follow(&following, past, manage, &change->problem);
    following_fini(&following);
    return err < 0 ? err : refuse_alone(undo, &change->problem);
}

static int take_back_number(uint64_t number, struct cg_change *change, const struct cg_manage *manage) {
    struct cg_past past;
    int err = cg_past_read(&past, cg_manage_file(manage), number, &change->problem);
    if (err < 0) return err;
    err = past.undo == CG_UNDO_NEVER ? refuse_never(&past, &change->problem) : take_back(change, &past);
    if (err == CG_E_CONFLICT && change->problem.err == 0)
        cg_problem_set(&change->problem, err, "what revision %llu left is not there any more",
                       (unsigned long long)number);
    cg_past_fini(&past);
    return err;
}

/* Each of them is undone by the revision that comes of this. The first is so by the change's own word. */
static void tell_store(struct following *following, struct cg_change_own *own) {
    own->undoes_too = following->numbers;
    own->undoes_too_count = following->count - 1;
    memmove(own->undoes_too, own->undoes_too + 1, own->undoes_too_count * sizeof *own->undoes_too);
    following->numbers = NULL;
}

static int undo_with_later(struct cg_undo *undo, const struct cg_past *past, struct cg_change *change,
                           const struct cg_manage *manage) {
    struct following following;
    following_init(&following, undo);
    int err = follow(&following, past, manage, &change->problem);
    for (size_t i = following.count; err == CG_OK && i-- > 0;) {
        err = take_back_number(following.numbers[i], change, manage);
    }
    if (err == CG_OK) tell_store(&following, change->own);
    following_fini(&following);
    return err;
}

int cg_undo_plan(struct cg_undo *undo, struct cg_change *change, const struct cg_manage *manage) {
    struct cg_past past;
    int err = cg_past_read(&past, cg_manage_file(manage), undo->number, &change->problem);
    if (err < 0) return err;
    change->own->is_exact = true;
    if (past.undo == CG_UNDO_NEVER) {
        err = refuse_never(&past, &change->problem);
    } else if (undo->extent == CG_UNDO_ALONE) {
        err = undo_alone(undo, &past, change, manage);
    } else {
        err = undo_with_later(undo, &past, change, manage);
    }
    cg_past_fini(&past);
    return err;
}
