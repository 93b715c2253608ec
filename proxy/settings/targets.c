/* The groups that a mapping's requests go to. The hard thing: whatever is not plain CoAP over UDP to a multicast
 * address must be refused here, before anything is ever sent (R2, R34, R43), unless a next hop is asked for it
 * (next_hop.c); names are looked up later (io/names.c). */
#include "settings/draft.h"
#include "settings/rows.h"

enum { ROUND_TRIP_S = 1 };

/* As Uri-Host has it (RFC 7252 §6.4 step 5); the URI is in normal form, so it is in lower case. */
struct cg_slice cg_keep_host(struct cg_reader *reader, struct cg_slice host) {
    struct cg_buf name;
    cg_buf_init(&name, 0);
    if (cg_uri_decode(host, &name) < 0) reader->out_of_memory = true; /* it has been decoded before */
    const char *kept = cg_keep_text(reader, cg_buf_slice(&name));
    cg_buf_fini(&name);
    return kept == NULL ? CG_SLICE_NONE : cg_slice_str(kept);
}

/* The normal form of the URI, kept and parsed again so that the views point into it. */
static void keep_uri(struct cg_reader *reader, const struct cg_uri *uri, struct cg_target *target) {
    struct cg_buf text;
    struct cg_uri kept;
    cg_buf_init(&text, 0);
    cg_uri_emit_normal(&text, uri);
    target->uri = target->group_uri = text.failed ? NULL : cg_keep_text(reader, cg_buf_slice(&text));
    cg_buf_fini(&text);
    if (target->uri == NULL || cg_uri_parse(&kept, cg_slice_str(target->uri), NULL) < 0) {
        reader->out_of_memory = true;
        return;
    }
    target->group = kept.addr;
    target->path = kept.path;
    target->query = kept.query;
    if (kept.addr.family == CG_FAMILY_NONE) target->host = cg_keep_host(reader, kept.host);
}

bool cg_host_is_sound(struct cg_slice host) {
    struct cg_buf name;
    cg_buf_init(&name, 0);
    int err = cg_uri_decode(host, &name);
    cg_buf_fini(&name);
    return err != CG_E_BAD_URI;
}

static void read_group(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct cg_target *target) {
    struct cg_uri uri;
    struct cg_opts opts;
    const char *why = NULL, *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    if (cg_uri_parse(&uri, cg_slice_str(text), &why) < 0 || cg_uri_check_group(&uri, &why) < 0) {
        cg_mistake_at(reader, at, "%s", why);
    } else if (uri.addr.family == CG_FAMILY_NONE && !cg_host_is_sound(uri.host)) {
        cg_mistake_at(reader, at, "the host is longer than 255 bytes or no UTF-8");
    } else if (uri.zone.len > 0) {
        cg_mistake_at(reader, at, "write the zone as \"interface\": \"%.*s\"", (int)uri.zone.len,
                      (const char *)uri.zone.data);
    } else if (cg_uri_decompose(&opts, &reader->scratch, uri.path, CG_SLICE_NONE, uri.query, CG_SLICE_NONE) < 0) {
        cg_mistake_at(reader, at,
                      "the path has a \".\" or \"..\" segment, or a part that is no UTF-8 or above 255 bytes");
    } else {
        keep_uri(reader, &uri, target);
    }
}

static void read_target(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                        struct cg_target *target) {
    struct cg_at group_at, hop_at, credentials_at;
    if (!cg_read_object(reader, at, &cg_target_rows, json, target)) return;
    const json_t *group = cg_read_member(at, json, "group", &group_at);
    const json_t *next_hop = cg_read_member(at, json, "next_hop", &hop_at);
    if (group != NULL) read_group(reader, &group_at, group, target);
    if (next_hop != NULL) cg_read_next_hop(reader, &hop_at, next_hop, target);
    const json_t *credentials = cg_read_member(at, json, "credentials", &credentials_at);
    if (credentials != NULL) cg_read_hop_credentials(reader, &credentials_at, credentials, target);
    if (group == NULL && next_hop == NULL) cg_mistake_missing(reader, at, "group", "needs \"group\" or \"next_hop\"");
}

/* The same group over the same interface would be asked twice for one reply. */
static void check_unique(struct cg_reader *reader, const struct cg_at *at, const struct cg_target *target,
                         struct cg_seen **seen) {
    struct cg_buf key;
    if (target->uri == NULL) return;
    cg_buf_init(&key, 0);
    cg_buf_put(&key, &target->group, sizeof target->group);
    cg_buf_put_slice(&key, target->host);
    cg_buf_put_u8(&key, 0);
    if (target->next_hop.uri != NULL) {
        cg_buf_put_str(&key, target->next_hop.uri);
    } else if (target->interface != NULL) {
        cg_buf_put_str(&key, target->interface);
    }
    if (key.failed) reader->out_of_memory = true;
    const char *first = cg_seen_before(reader, seen, cg_buf_slice(&key), at);
    if (first != NULL)
        cg_mistake_at(reader, at, "is the same group %s as %s",
                      target->next_hop.uri != NULL ? "by the same next hop" : "on the same interface", first);
    cg_buf_fini(&key);
}

static struct cg_target blank(const struct cg_draft *draft) {
    return (struct cg_target){
        .interface = draft->interface, .hops = draft->hops, .next_hop.round_trip_s = ROUND_TRIP_S};
}

static void read_list(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct cg_draft *draft) {
    struct cg_mapping *mapping = &draft->mapping;
    struct cg_seen *seen = NULL;
    if (!cg_read_is_array(reader, at, json, cg_row_of(&cg_mapping_rows, "targets")->max)) return;
    if (json_array_size(json) == 0) cg_mistake_at(reader, at, "names no group");
    mapping->targets = cg_keep_array(reader, json_array_size(json), sizeof *mapping->targets);
    if (mapping->targets == NULL) return;
    mapping->target_count = json_array_size(json);
    for (size_t i = 0; i < mapping->target_count; i++) {
        struct cg_at child = {.up = at, .index = i};
        mapping->targets[i] = blank(draft);
        read_target(reader, &child, json_array_get(json, i), &mapping->targets[i]);
        check_unique(reader, &child, &mapping->targets[i], &seen);
    }
    cg_seen_clear(&seen);
}

void cg_read_targets(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_mapping *mapping = &draft->mapping;
    struct cg_at group_at, at;
    const json_t *group = cg_read_member(draft->at, draft->json, "group", &group_at);
    const json_t *targets = cg_read_member(draft->at, draft->json, "targets", &at);
    if (group == NULL && targets == NULL && !cg_is_mistaken(reader, draft->at, "targets"))
        cg_mistake_missing(reader, draft->at, "group", "a mapping needs \"group\" or \"targets\"");
    if (group != NULL && targets != NULL) cg_mistake_at(reader, &at, "\"group\" or \"targets\", not both");
    if (targets != NULL) read_list(reader, &at, targets, draft);
    if (group == NULL) return;
    mapping->targets = cg_keep_array(reader, 1, sizeof *mapping->targets);
    if (mapping->targets == NULL) return;
    mapping->target_count = 1;
    mapping->targets[0] = blank(draft);
    read_group(reader, &group_at, group, &mapping->targets[0]);
}
