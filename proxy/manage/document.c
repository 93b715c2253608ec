/* Export and import. Items are JSON in one form already, so an export only puts them together; an import is a change
 * like any other, with an edit for each item. The hard thing is what a document cannot have: secrets. What there is of
 * them stays with the items' names. */
#include "manage/document.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "settings/json_load.h"

enum { VERSION = 1 };

enum form { FORM_OBJECT, FORM_LIST };

/* In the order in which they stand. */
static const struct section {
    const char *key;
    enum cg_item_kind kind;
    enum form form;
} sections[] = {
    {"clients", CG_ITEM_CLIENT, FORM_OBJECT},
    {"mappings", CG_ITEM_MAPPING, FORM_LIST},
    {"reactions", CG_ITEM_REACTION, FORM_LIST},
    {"security_groups", CG_ITEM_SECURITY_GROUP, FORM_OBJECT},
};

enum { SECTIONS = sizeof sections / sizeof *sections };

/* ---- Out ---- */

static void put_item(struct cg_buf *to, enum form form, const struct cg_item *item) {
    struct cg_slice document = item->document;
    if (form == FORM_OBJECT) {
        cg_buf_put_json(to, cg_slice_str(item->name));
        cg_buf_put_u8(to, ':');
        cg_buf_put_slice(to, document);
        return;
    }
    cg_buf_put_str(to, "{\"name\":");
    cg_buf_put_json(to, cg_slice_str(item->name));
    if (document.len > 2) cg_buf_put_u8(to, ',');
    cg_buf_put(to, document.data + 1, document.len - 1);
}

static void put_section(struct cg_buf *to, const struct section *section, struct cg_item *const *items) {
    bool is_list = section->form == FORM_LIST;
    cg_buf_printf(to, "\"%s\":%c", section->key, is_list ? '[' : '{');
    for (bool is_first = true; *items != NULL; items++) {
        if ((*items)->kind != section->kind) continue;
        if (!is_first) cg_buf_put_u8(to, ',');
        is_first = false;
        put_item(to, section->form, *items);
    }
    cg_buf_put_str(to, is_list ? "]," : "},");
}

void cg_document_put(struct cg_buf *to, const struct cg_manage *manage) {
    size_t count;
    const struct cg_item *settings = cg_manage_find(manage, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME);
    struct cg_item **items = cg_manage_items(manage, &count);
    if (items == NULL) {
        to->failed = true;
        return;
    }
    cg_buf_put_u8(to, '{');
    for (size_t i = 0; i < SECTIONS; i++) put_section(to, &sections[i], items);
    cg_buf_put_str(to, "\"settings\":");
    cg_buf_put_slice(to, settings == NULL ? cg_slice_str("{}") : settings->document);
    cg_buf_printf(to, ",\"version\":%d}", VERSION);
    free(items);
}

/* ---- In ---- */

struct import {
    struct cg_change *change;
    const struct cg_manage *manage;
    const struct section *section;
    char pointer[CG_NAME_MAX + 32]; /* of the item that is looked at */
};

static int mistake(struct import *import, const char *pointer, const char *text) {
    cg_mistakes_add(&import->change->mistakes, pointer, "%s", text);
    return CG_OK; /* others are looked for, too */
}

static int keys_are_here(struct import *import, const json_t *group, const char *key) {
    const json_t *value = json_object_get(group, key);
    const char *name = json_string_value(value);
    if (value == NULL || json_is_null(value)) return CG_OK;
    if (name != NULL && cg_manage_find(import->manage, CG_ITEM_KEYS, name) != NULL) return CG_OK;
    return mistake(import, import->pointer, "its keys are not here, and no document has them: import the keys first");
}

static int put(struct import *import, const char *name, json_t *item) {
    enum cg_item_kind kind = import->section->kind;
    const struct cg_item *now = cg_manage_find(import->manage, kind, name);
    if (strlen(name) > CG_NAME_MAX) return mistake(import, import->pointer, "its name is too long");
    if (!json_is_object(item)) return mistake(import, import->pointer, "must be an object");
    if (kind == CG_ITEM_SECURITY_GROUP) {
        keys_are_here(import, item, "keys");
        keys_are_here(import, item, "next");
    }
    return cg_change_put(import->change, kind, name, item, now == NULL ? CG_SLICE_NONE : now->sealed);
}

static bool is_put(const struct import *import, const char *name) {
    const struct cg_item *will = cg_change_find(import->change, import->section->kind, name);
    return will != NULL && will != cg_manage_find(import->manage, import->section->kind, name);
}

static int put_listed(struct import *import, json_t *item) {
    const char *name = json_string_value(json_object_get(item, "name"));
    if (name == NULL) return mistake(import, import->pointer, "must be an object with a name");
    if (is_put(import, name)) return mistake(import, import->pointer, "is the second of that name");
    json_t *unnamed = cg_json_copy(item);
    int err = unnamed != NULL && json_object_del(unnamed, "name") == 0 ? put(import, name, unnamed)
                                                                       : cg_problem_no_memory(&import->change->problem);
    json_decref(unnamed);
    return err;
}

static int put_list(struct import *import, const json_t *list) {
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < json_array_size(list); i++) {
        snprintf(import->pointer, sizeof import->pointer, "/%s/%zu", import->section->key, i);
        err = put_listed(import, json_array_get(list, i));
    }
    return err;
}

static int put_object(struct import *import, json_t *object) {
    const char *name;
    json_t *item;
    int err = CG_OK;
    json_object_foreach(object, name, item) {
        snprintf(import->pointer, sizeof import->pointer, "/%s/%.*s", import->section->key, CG_NAME_MAX, name);
        err = put(import, name, item);
        if (err < 0) return err;
    }
    return err;
}

static int read_section(struct import *import, json_t *value) {
    char pointer[32];
    snprintf(pointer, sizeof pointer, "/%s", import->section->key);
    if (value == NULL) return CG_OK;
    if (import->section->form == FORM_LIST)
        return json_is_array(value) ? put_list(import, value) : mistake(import, pointer, "must be a list");
    return json_is_object(value) ? put_object(import, value) : mistake(import, pointer, "must be an object");
}

static int remove_others(struct import *import) {
    enum cg_item_kind kind = import->section->kind;
    const struct cg_item *item = cg_manage_next(import->manage, kind, "");
    int err = CG_OK;
    for (; err == CG_OK && item != NULL; item = cg_manage_next(import->manage, kind, item->name)) {
        if (!is_put(import, item->name)) err = cg_change_remove(import->change, kind, item->name);
    }
    return err;
}

static int read_settings(struct import *import, json_t *settings) {
    if (settings != NULL && !json_is_object(settings)) return mistake(import, "/settings", "must be an object");
    return json_object_size(settings) == 0
               ? cg_change_remove(import->change, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME)
               : cg_change_put(import->change, CG_ITEM_SETTINGS, CG_ITEM_SETTINGS_NAME, settings, CG_SLICE_NONE);
}

static bool is_known(const char *key) {
    for (size_t i = 0; i < SECTIONS; i++) {
        if (strcmp(key, sections[i].key) == 0) return true;
    }
    return strcmp(key, "settings") == 0 || strcmp(key, "version") == 0;
}

static void check_keys(struct import *import, json_t *document) {
    const char *key;
    json_t *value;
    json_object_foreach(document, key, value) {
        snprintf(import->pointer, sizeof import->pointer, "/%.*s", CG_NAME_MAX, key);
        if (!is_known(key)) mistake(import, import->pointer, "is no key of such a document");
    }
    if (json_integer_value(json_object_get(document, "version")) != VERSION)
        mistake(import, "/version", "must be 1, the version that this castgate knows");
}

int cg_document_plan(const json_t *document, struct cg_change *change, const struct cg_manage *manage) {
    struct import import = {.change = change, .manage = manage};
    int err = CG_OK;
    if (!json_is_object(document)) mistake(&import, "", "must be an object");
    check_keys(&import, (json_t *)document);
    for (size_t i = 0; err == CG_OK && i < SECTIONS; i++) {
        import.section = &sections[i];
        err = read_section(&import, json_object_get(document, sections[i].key));
        if (err == CG_OK) err = remove_others(&import);
    }
    if (err == CG_OK) err = read_settings(&import, json_object_get(document, "settings"));
    if (err < 0 || change->mistakes.count == 0) return err;
    return cg_problem_set(&change->problem, CG_E_INVALID, "the document has mistakes");
}

/* ---- Where mistakes are ---- */

static const struct section *section_of(struct cg_slice collection) {
    enum cg_item_kind kind;
    if (!cg_item_kind_of(collection, &kind)) return NULL;
    for (size_t i = 0; i < SECTIONS; i++) {
        if (sections[i].kind == kind) return &sections[i];
    }
    return NULL;
}

/* The next part of a pointer, without its slash. */
static struct cg_slice take_part(const char **pointer) {
    if (**pointer != '/') return CG_SLICE_NONE;
    const char *begin = *pointer + 1;
    *pointer = begin + strcspn(begin, "/");
    return cg_slice_of(begin, (size_t)(*pointer - begin));
}

static void put_place(struct cg_buf *to, const json_t *list, struct cg_slice name) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *other = json_string_value(json_object_get(json_array_get(list, i), "name"));
        if (other == NULL || !cg_slice_is(name, other)) continue;
        cg_buf_put_decimal(to, i);
        return;
    }
    cg_buf_put_slice(to, name);
}

void cg_document_place(const json_t *document, const char *pointer, struct cg_buf *to) {
    const char *rest = pointer;
    const struct section *section = section_of(take_part(&rest));
    struct cg_slice name = take_part(&rest);
    if (section == NULL || name.len == 0) {
        cg_buf_put_str(to, pointer);
        return;
    }
    cg_buf_printf(to, "/%s/", section->key);
    if (section->form == FORM_LIST) {
        put_place(to, json_object_get(document, section->key), name);
    } else {
        cg_buf_put_slice(to, name);
    }
    cg_buf_put_str(to, rest);
}
