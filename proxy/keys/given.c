/* Sender IDs that were given. The hard thing: two keys with one name under one Gid repeat nonces, so that an ID is free
 * again only when the Gid is another. */
#include "keys/given.h"

#include "base/check.h"
#include "base/text.h"
#include "keys/document.h"

#include <stdio.h>

/* The n-th Sender ID in the order in which they are given: 11 to ff, then two bytes, or 00 to 10 where one is all there
 * may be. False: none left. */
bool cg_given_nth(uint32_t n, size_t max_len, char id[CG_ID_HEX_MAX]) {
    enum { FIRST = 0x11, SINGLE = 0x100 - FIRST };
    uint32_t rest = n - SINGLE;
    if (n < SINGLE) {
        (void)snprintf(id, CG_ID_HEX_MAX, "%02x", (unsigned)(FIRST + n));
    } else if (max_len >= 2) {
        (void)snprintf(id, CG_ID_HEX_MAX, "%04x", (unsigned)(rest & 0xffff));
        return rest <= 0xffff;
    } else {
        (void)snprintf(id, CG_ID_HEX_MAX, "%02x", (unsigned)(rest & 0xff));
        return rest < FIRST;
    }
    return true;
}

bool cg_given_note(json_t *used, const char *id) {
    char lower[CG_ID_HEX_MAX];
    size_t len = strlen(id);
    CG_CHECK(len < sizeof lower);
    for (size_t i = 0; i <= len; i++) lower[i] = cg_ascii_lower(id[i]);
    return cg_keys_set(used, lower, json_true());
}

/* The Sender IDs of all who are in the group. */
static bool note_present(json_t *ids, const json_t *document) {
    json_t *member;
    size_t i;
    if (!cg_given_note(ids, cg_keys_text(json_object_get(document, "gateway"), "sender_id"))) return false;
    json_array_foreach(json_object_get(document, "members"), i, member) {
        if (!cg_given_note(ids, cg_keys_text(member, "sender_id"))) return false;
    }
    return true;
}

json_t *cg_given_read(const json_t *document) {
    json_t *given = json_object(), *id;
    size_t i;
    bool ok = given != NULL && note_present(given, document);
    json_array_foreach(json_object_get(document, "given_ids"), i, id) {
        ok = ok && cg_given_note(given, json_string_value(id));
    }
    if (ok) return given;
    json_decref(given);
    return NULL;
}

bool cg_given_keep(json_t *document, const json_t *given) {
    json_t *list = json_array(), *value;
    const char *id;
    json_object_foreach((json_t *)given, id, value) {
        if (json_array_append_new(list, json_string(id)) != 0) {
            json_decref(list);
            return false;
        }
    }
    return cg_keys_set(document, "given_ids", list);
}

bool cg_given_forget(json_t *document) {
    (void)json_object_del(document, "given_ids");
    json_t *given = cg_given_read(document);
    bool ok = given != NULL && cg_given_keep(document, given);
    json_decref(given);
    return ok;
}
