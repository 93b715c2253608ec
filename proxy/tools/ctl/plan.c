/* The hard thing is false drift: what the gateway adds when it shows an item, the order of keys, a number written
 * otherwise, and what its own settings file says must not look like differences, or a second run would change
 * something. */
#include "tools/ctl/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const cg_ctl_sections[] = {"clients", "mappings", "reactions", NULL};

/* What the gateway shows beside what was set. */
static const char *const shown[] = {"source",  "state",      "reason",   "revision",
                                    "changed", "changed_by", "warnings", "effective"};

/* Of a document, what is no section of items. */
static const char *const others[] = {"version", "settings", "security_groups", "$schema"};

struct planning {
    struct cg_ctl_plan *plan;
    json_t *list;    /* of changes */
    json_t *indices; /* of the section's items, by name, where it is a list; NULL: it is none */
    char *error;
    bool failed; /* for want of memory */
};

static int fail(struct planning *planning, const char *section, const char *name, const char *sentence) {
    (void)snprintf(planning->error, CG_CTL_ERROR_MAX, "%s%s%.64s: %s", section, name[0] == '\0' ? "" : "/", name,
                   sentence);
    return CG_E_BAD_REQUEST;
}

/* ---- Items ---- */

/* As it was set, a new reference. */
static json_t *as_set(const json_t *item) {
    json_t *document = json_deep_copy(item);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) (void)json_object_del(document, shown[i]);
    (void)json_object_del(document, "name"); /* it is in the path */
    return document;
}

/* Numbers are equal by value: 2 and 2.0 are one timeout. */
static bool is_same(const json_t *one, const json_t *other) {
    const char *key;
    json_t *value;
    if (json_is_number(one) && json_is_number(other)) return json_number_value(one) == json_number_value(other);
    if (json_is_array(one) && json_is_array(other)) {
        bool same = json_array_size(one) == json_array_size(other);
        for (size_t i = 0; same && i < json_array_size(one); i++)
            same = is_same(json_array_get(one, i), json_array_get(other, i));
        return same;
    }
    if (!json_is_object(one) || !json_is_object(other)) return json_equal(one, other);
    if (json_object_size(one) != json_object_size(other)) return false;
    json_object_foreach((json_t *)one, key, value) {
        const json_t *there = json_object_get(other, key);
        if (there == NULL || !is_same(value, there)) return false;
    }
    return true;
}

static bool is_of_file(const json_t *item) {
    const char *source = json_string_value(json_object_get(item, "source"));
    return source != NULL && strcmp(source, "file") == 0;
}

static void note_difference(struct planning *planning, const char *section, const char *name, const json_t *before,
                            const json_t *after) {
    json_t *entry =
        json_pack("{s:s, s:s, s:O?, s:O?}", "kind", section, "name", name, "before", before, "after", after);
    if (entry != NULL && before == NULL) (void)json_object_set_new(entry, "before", json_null());
    if (entry != NULL && after == NULL) (void)json_object_set_new(entry, "after", json_null());
    if (json_array_append_new(planning->plan->difference, entry) != 0) planning->failed = true;
}

static bool note_place(struct planning *planning, const char *section, const char *name) {
    json_t *index = json_object_get(planning->indices, name);
    char place[160];
    if (index != NULL) {
        (void)snprintf(place, sizeof place, "/%s/%" JSON_INTEGER_FORMAT, section, json_integer_value(index));
    } else {
        (void)snprintf(place, sizeof place, "/%s%s%.64s", section, name[0] == '\0' ? "" : "/", name);
    }
    return json_array_append_new(planning->plan->places, json_string(place)) == 0;
}

/* `item`: as it is there, for its revision; NULL: it is not. */
static void add_change(struct planning *planning, const char *method, const char *section, const char *name,
                       const json_t *item, const json_t *body) {
    char path[160], etag[32];
    const json_t *revision = json_object_get(item, "revision");
    (void)snprintf(path, sizeof path, "%s%s%s", section, name[0] == '\0' ? "" : "/", name);
    (void)snprintf(etag, sizeof etag, "\"%" JSON_INTEGER_FORMAT "\"", json_integer_value(revision));
    json_t *change = json_pack("{s:s, s:s}", "method", method, "path", path);
    bool good = change != NULL && (body == NULL || json_object_set(change, "body", (json_t *)body) == 0) &&
                (revision == NULL || json_object_set_new(change, "if_match", json_string(etag)) == 0);
    if (!good) planning->failed = true;
    if (json_array_append_new(planning->list, change) != 0 || !note_place(planning, section, name))
        planning->failed = true;
}

static int plan_item(struct planning *planning, const char *section, const char *name, const json_t *wanted,
                     const json_t *item) {
    if (!json_is_object(wanted)) return fail(planning, section, name, "must be an object");
    json_t *after = as_set(wanted), *before = item == NULL ? NULL : as_set(item);
    int err = after == NULL || (item != NULL && before == NULL) ? CG_E_NO_MEMORY : CG_OK;
    if (err == CG_OK && (before == NULL || !is_same(before, after))) {
        if (item != NULL && is_of_file(item)) {
            err = fail(planning, section, name, "is in the gateway's settings file: change it there");
        } else {
            note_difference(planning, section, name, before, after);
            add_change(planning, "PUT", section, name, item, after);
        }
    }
    json_decref(after);
    json_decref(before);
    return err;
}

static int plan_leaving(struct planning *planning, const char *section, const json_t *wanted, const json_t *there) {
    const char *name;
    json_t *item;
    json_object_foreach((json_t *)there, name, item) {
        if (json_object_get(wanted, name) != NULL || is_of_file(item)) continue;
        json_t *before = as_set(item);
        if (before == NULL) return CG_E_NO_MEMORY;
        note_difference(planning, section, name, before, NULL);
        add_change(planning, "DELETE", section, name, item, NULL);
        json_decref(before);
    }
    return CG_OK;
}

/* ---- Sections ---- */

static void drop_names(struct planning *planning, json_t *named) {
    json_decref(named);
    json_decref(planning->indices);
    planning->indices = NULL;
}

/* A list of items with names as an object by name, or the object itself: a new reference. NULL: see *err. */
static json_t *by_name(struct planning *planning, const char *section, const json_t *items, int *err) {
    size_t i;
    json_t *item;
    planning->indices = NULL;
    if (json_is_object(items)) return json_incref((json_t *)items);
    json_t *named = json_object();
    planning->indices = json_object();
    *err = named == NULL || planning->indices == NULL ? CG_E_NO_MEMORY : CG_OK;
    if (!json_is_array(items)) *err = fail(planning, section, "", "must be a list of items, or an object by name");
    if (*err == CG_OK) json_array_foreach((json_t *)items, i, item) {
            const char *name = json_string_value(json_object_get(item, "name"));
            if (name == NULL) {
                *err = fail(planning, section, "", "each item of the list needs a \"name\"");
            } else if (json_object_get(named, name) != NULL) {
                *err = fail(planning, section, name, "is there twice");
            } else if (json_object_set(named, name, item) != 0 ||
                       json_object_set_new(planning->indices, name, json_integer((json_int_t)i)) != 0) {
                *err = CG_E_NO_MEMORY;
            }
            if (*err < 0) break;
        }
    if (*err == CG_OK) return named;
    drop_names(planning, named);
    return NULL;
}

static int plan_section(struct planning *planning, const char *section, const json_t *wanted, const json_t *there,
                        enum cg_ctl_rest rest) {
    int err = CG_OK;
    const char *name;
    json_t *value, *named = by_name(planning, section, wanted, &err);
    if (named == NULL) return err;
    json_object_foreach(named, name, value) {
        err = plan_item(planning, section, name, value, json_object_get(there, name));
        if (err < 0) break;
    }
    if (err == CG_OK && rest == CG_CTL_REST_GOES) err = plan_leaving(planning, section, named, there);
    drop_names(planning, named);
    return err;
}

/* ---- Settings ---- */

/* What of `after` a merge patch (RFC 7396) has to say about `before`; a new reference. */
static json_t *merge_patch(const json_t *before, const json_t *after, enum cg_ctl_rest rest) {
    const char *key;
    json_t *value, *patch = json_object();
    json_object_foreach((json_t *)after, key, value) {
        const json_t *was = json_object_get(before, key);
        if (was != NULL && is_same(was, value)) continue;
        json_t *part = json_is_object(value) ? merge_patch(was, value, rest) : json_incref(value);
        if (json_is_object(value) && was != NULL && json_object_size(part) == 0) {
            json_decref(part);
        } else {
            (void)json_object_set_new(patch, key, part);
        }
    }
    if (rest == CG_CTL_REST_GOES) json_object_foreach((json_t *)before, key, value) {
            if (json_object_get(after, key) == NULL) (void)json_object_set_new(patch, key, json_null());
        }
    return patch;
}

static int plan_settings(struct planning *planning, const json_t *wanted, const json_t *there, enum cg_ctl_rest rest) {
    if (!json_is_object(wanted)) return fail(planning, "settings", "", "must be an object");
    json_t *patch = merge_patch(there, wanted, rest);
    if (patch == NULL) return CG_E_NO_MEMORY;
    if (json_object_size(patch) > 0) {
        note_difference(planning, "settings", "settings", there, wanted);
        add_change(planning, "PATCH", "settings", "", NULL, patch);
    }
    json_decref(patch);
    return CG_OK;
}

/* Keys are made, and not written down: they are compared, and that is all. */
static int check_groups(struct planning *planning, const json_t *wanted, const json_t *there) {
    int err = CG_OK;
    const char *name;
    json_t *value, *named = by_name(planning, "security_groups", wanted, &err);
    if (named == NULL) return err;
    json_object_foreach(named, name, value) {
        if (json_object_get(there, name) != NULL) continue;
        err = fail(planning, "security_groups", name,
                   "is not there: castgatectl call POST security-groups makes or imports one");
        break;
    }
    drop_names(planning, named);
    return err;
}

/* ---- The whole ---- */

static bool is_known(const char *section) {
    for (size_t i = 0; cg_ctl_sections[i] != NULL; i++)
        if (strcmp(section, cg_ctl_sections[i]) == 0) return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(section, others[i]) == 0) return true;
    return false;
}

static int plan_all(struct planning *planning, const json_t *wanted, const json_t *there, enum cg_ctl_rest rest) {
    const char *section;
    json_t *value;
    int err = CG_OK;
    if (!json_is_object(wanted)) return fail(planning, "FILE", "", "must be a JSON object");
    json_object_foreach((json_t *)wanted, section, value) {
        if (is_known(section)) continue;
        return fail(planning, section, "",
                    "cannot be applied: settings, clients, mappings and reactions can (further settings stand in "
                    "\"settings\")");
    }
    for (size_t i = 0; err == CG_OK && cg_ctl_sections[i] != NULL; i++) {
        value = json_object_get(wanted, cg_ctl_sections[i]);
        if (value == NULL) continue;
        err = plan_section(planning, cg_ctl_sections[i], value, json_object_get(there, cg_ctl_sections[i]), rest);
    }
    value = json_object_get(wanted, "security_groups");
    if (err == CG_OK && value != NULL) err = check_groups(planning, value, json_object_get(there, "security_groups"));
    value = json_object_get(wanted, "settings");
    if (err == CG_OK && value != NULL) err = plan_settings(planning, value, json_object_get(there, "settings"), rest);
    return err == CG_OK && planning->failed ? CG_E_NO_MEMORY : err;
}

int cg_ctl_plan_make(struct cg_ctl_plan *plan, const json_t *wanted, const json_t *there, enum cg_ctl_rest rest,
                     char error[CG_CTL_ERROR_MAX]) {
    struct planning planning = {.plan = plan, .list = json_array(), .error = error};
    *plan = (struct cg_ctl_plan){
        .changes = json_pack("{s:O}", "changes", planning.list), .places = json_array(), .difference = json_array()};
    bool good = planning.list != NULL && plan->changes != NULL && plan->places != NULL && plan->difference != NULL;
    int err = good ? plan_all(&planning, wanted, there, rest) : CG_E_NO_MEMORY;
    json_decref(planning.list);
    if (err == CG_E_NO_MEMORY) (void)snprintf(error, CG_CTL_ERROR_MAX, "no memory");
    return err;
}

/* ---- What the gateway says of it ---- */

/* What begins with a pointer into the changes, with that into the document; NULL: it does not. */
static json_t *placed(const struct cg_ctl_plan *plan, const char *file, const char *text) {
    static const char list[] = "/changes/", body[] = "/body";
    if (text == NULL) return NULL;
    if (*text == '#') text++;
    if (strncmp(text, list, sizeof list - 1) != 0) return NULL;
    char *rest;
    const unsigned long index = strtoul(text + sizeof list - 1, &rest, 10);
    const char *place = json_string_value(json_array_get(plan->places, index));
    if (place == NULL) return NULL;
    if (strncmp(rest, body, sizeof body - 1) == 0) rest += sizeof body - 1;
    return json_sprintf("%s: %s%s", file, place + 1, rest);
}

static void place(const struct cg_ctl_plan *plan, const char *file, json_t *object, const char *key) {
    json_t *text = placed(plan, file, json_string_value(json_object_get(object, key)));
    if (text != NULL) (void)json_object_set_new(object, key, text);
}

void cg_ctl_plan_place_problem(const struct cg_ctl_plan *plan, const char *file, json_t *problem) {
    size_t i;
    json_t *error;
    json_array_foreach(json_object_get(problem, "errors"), i, error) place(plan, file, error, "pointer");
    place(plan, file, problem, "detail");
}

void cg_ctl_plan_fini(struct cg_ctl_plan *plan) {
    json_decref(plan->changes);
    json_decref(plan->places);
    json_decref(plan->difference);
    *plan = (struct cg_ctl_plan){0};
}
