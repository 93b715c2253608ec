/* The effective settings as JSON. The hard thing: reading it back must give the same snapshot, so every key is written,
 * numbers so that no digit is lost. */
#include "settings/reader.h"

#include <stdio.h>
#include <stdlib.h>

struct out {
    struct cg_buf *buf;
    unsigned depth;
    bool fresh; /* nothing in this object or array yet */
};

static void out_new_line(struct out *out) {
    cg_buf_put_u8(out->buf, '\n');
    for (unsigned i = 0; i < out->depth; i++) cg_buf_put_str(out->buf, "  ");
}

/* What comes before a value: comma, new line, indentation, key (NULL in arrays). */
static void out_lead(struct out *out, const char *key) {
    if (!out->fresh) cg_buf_put_u8(out->buf, ',');
    if (out->depth > 0) out_new_line(out);
    if (key != NULL) {
        cg_buf_put_json(out->buf, cg_slice_str(key));
        cg_buf_put_str(out->buf, ": ");
    }
    out->fresh = false;
}

static void out_open(struct out *out, const char *key, char bracket) {
    out_lead(out, key);
    cg_buf_put_u8(out->buf, (uint8_t)bracket);
    out->depth++;
    out->fresh = true;
}

static void out_close(struct out *out, char bracket) {
    out->depth--;
    if (!out->fresh) out_new_line(out);
    cg_buf_put_u8(out->buf, (uint8_t)bracket);
    out->fresh = false;
}

static void out_text(struct out *out, const char *key, const char *text) {
    out_lead(out, key);
    if (text == NULL) {
        cg_buf_put_str(out->buf, "null");
    } else {
        cg_buf_put_json(out->buf, cg_slice_str(text));
    }
}

static void out_integer(struct out *out, const char *key, uint64_t number) {
    out_lead(out, key);
    cg_buf_put_decimal(out->buf, number);
}

static void out_bool(struct out *out, const char *key, bool value) {
    out_lead(out, key);
    cg_buf_put_str(out->buf, value ? "true" : "false");
}

/* The shortest decimal that reads back as the same number, without exponent where that can be. */
static void shortest(char text[32], double number) {
    for (int decimals = 0; decimals <= 17; decimals++) {
        snprintf(text, 32, "%.*f", decimals, number);
        if (strtod(text, NULL) == number) return;
    }
    snprintf(text, 32, "%.17g", number);
}

static void out_number(struct out *out, const char *key, double number) {
    char text[32];
    shortest(text, number);
    out_lead(out, key);
    cg_buf_put_str(out->buf, text);
}

static void out_hash(struct out *out, const char *key, const uint8_t hash[32]) {
    out_lead(out, key);
    cg_buf_put_u8(out->buf, '"');
    cg_buf_put_hex(out->buf, cg_slice_of(hash, 32));
    cg_buf_put_u8(out->buf, '"');
}

static void out_methods(struct out *out, uint32_t methods) {
    const char *between = "";
    out_lead(out, "methods");
    cg_buf_put_u8(out->buf, '[');
    for (unsigned code = CG_GET; code <= CG_IPATCH; code++) {
        if ((methods & CG_METHOD_BIT(code)) == 0) continue;
        cg_buf_printf(out->buf, "%s\"%s\"", between, cg_method_name(code));
        between = ", ";
    }
    cg_buf_put_u8(out->buf, ']');
}

static void print_listen(struct out *out, const struct cg_listen *listen) {
    char addr[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&listen->addr, addr);
    out_open(out, NULL, '{');
    out_text(out, "address", addr);
    out_bool(out, "insecure", listen->insecure);
    out_close(out, '}');
}

static void print_tls(struct out *out, const struct cg_tls_settings *tls) {
    if (tls->certificate == NULL) {
        out_text(out, "tls", NULL);
        return;
    }
    out_open(out, "tls", '{');
    out_text(out, "certificate", tls->certificate);
    out_text(out, "key", tls->key);
    if (tls->client_ca != NULL) out_text(out, "client_ca", tls->client_ca);
    out_close(out, '}');
}

/* Leaves the object open: `strict` follows in one of the two. */
static void print_front(struct out *out, const char *name, const struct cg_http_settings *settings) {
    out_open(out, name, '{');
    out_open(out, "listen", '[');
    for (size_t i = 0; i < settings->listen_count; i++) print_listen(out, &settings->listen[i]);
    out_close(out, ']');
    out_open(out, "hosts", '[');
    for (size_t i = 0; i < settings->host_count; i++) out_text(out, NULL, settings->hosts[i]);
    out_close(out, ']');
    print_tls(out, &settings->tls);
}

static void print_coap(struct out *out, const struct cg_config *config) {
    const struct cg_option_numbers *options = &config->options;
    out_open(out, "coap", '{');
    out_open(out, "listen", '[');
    for (size_t i = 0; i < config->coap_listen_count; i++) out_text(out, NULL, config->coap_listen[i]);
    out_close(out, ']');
    out_open(out, "options", '{');
    out_integer(out, "multicast_timeout", options->multicast_timeout);
    out_integer(out, "reply_from", options->reply_from);
    out_integer(out, "group_etag", options->group_etag);
    out_close(out, '}');
    out_close(out, '}');
}

static void print_prefix(struct out *out, const struct cg_prefix *prefix) {
    char text[CG_PREFIX_TEXT_MAX];
    cg_prefix_emit(prefix, text);
    out_text(out, NULL, text);
}

static void print_group(struct out *out, const struct cg_group_settings *group) {
    char ip[CG_ADDR_TEXT_MAX];
    cg_addr_emit_ip(&group->address, ip);
    out_open(out, "group", '{');
    out_text(out, "interface", group->interface);
    out_text(out, "address", group->address.family == CG_FAMILY_NONE ? NULL : ip);
    out_integer(out, "port", group->port);
    out_integer(out, "hops", group->hops);
    out_integer(out, "receive_buffer", group->receive_buffer);
    out_integer(out, "nstart", group->nstart);
    out_integer(out, "probing_rate", group->probing_rate);
    out_integer(out, "probing_burst", group->probing_burst);
    out_integer(out, "frame_size", group->frame_size);
    out_open(out, "prefixes", '[');
    for (size_t i = 0; i < group->prefix_count; i++) print_prefix(out, &group->prefixes[i]);
    out_close(out, ']');
    out_close(out, '}');
}

static void print_limits(struct out *out, const struct cg_limits *limits) {
    out_open(out, "limits", '{');
    out_integer(out, "exchanges", limits->exchanges);
    out_integer(out, "exchanges_per_client", limits->exchanges_per_client);
    out_integer(out, "exchange_memory", limits->exchange_memory);
    out_integer(out, "total_memory", limits->total_memory);
    out_integer(out, "request_body", limits->request_body);
    out_integer(out, "answer", limits->answer);
    out_integer(out, "stream_queue", limits->stream_queue);
    out_close(out, '}');
}

static void print_plugins(struct out *out, const struct cg_config *config) {
    out_open(out, "plugins", '{');
    out_text(out, "folder", config->plugin_folder);
    out_open(out, "load", '[');
    for (size_t i = 0; i < config->plugin_count; i++) out_text(out, NULL, config->plugins[i]);
    out_close(out, ']');
    out_close(out, '}');
}

static void print_client(struct out *out, const struct cg_client *client) {
    out_open(out, client->name, '{');
    if (client->has_token) out_hash(out, "token_sha256", client->token_sha256);
    if (client->has_certificate) out_hash(out, "certificate_sha256", client->certificate_sha256);
    out_close(out, '}');
}

static void print_targets(struct out *out, const struct cg_mapping *mapping) {
    out_open(out, "targets", '[');
    for (size_t i = 0; i < mapping->target_count; i++) {
        out_open(out, NULL, '{');
        out_text(out, "group", mapping->targets[i].uri);
        out_text(out, "interface", mapping->targets[i].interface);
        out_close(out, '}');
    }
    out_close(out, ']');
    out_integer(out, "hops", mapping->targets[0].hops); /* the same for all */
}

static void print_finish(struct out *out, const struct cg_finish *finish) {
    char text[48] = "deadline", number[32];
    switch (finish->rule) {
    case CG_FINISH_DEADLINE: break;
    case CG_FINISH_ALL: strcpy(text, "all"); break;
    case CG_FINISH_QUORUM:
        shortest(number, finish->quorum); /* has few decimals: members.c */
        snprintf(text, sizeof text, "quorum:%s", number);
        break;
    case CG_FINISH_COUNT: snprintf(text, sizeof text, "count:%u", (unsigned)finish->count); break;
    }
    out_text(out, "finish", text);
}

static void print_members(struct out *out, const struct cg_mapping *mapping) {
    char addr[CG_ADDR_TEXT_MAX];
    out_text(out, "membership", mapping->complete ? "complete" : "open");
    if (mapping->security == CG_SECURITY_GROUP) return; /* its group's peers */
    out_open(out, "members", '[');
    for (size_t i = 0; i < mapping->member_count; i++) {
        const struct cg_member *member = &mapping->members[i];
        cg_addr_emit(&member->addr, addr);
        if (strcmp(addr, member->name) == 0) {
            out_text(out, NULL, addr);
            continue;
        }
        out_open(out, NULL, '{');
        out_text(out, "name", member->name);
        out_text(out, "address", addr);
        out_close(out, '}');
    }
    out_close(out, ']');
}

static void print_grants(struct out *out, const struct cg_mapping *mapping) {
    out_open(out, "clients", '[');
    for (size_t i = 0; i < mapping->grant_count; i++) {
        const struct cg_grant *grant = &mapping->grants[i];
        out_open(out, NULL, '{');
        out_text(out, "name", grant->client == NULL ? "anonymous" : grant->client->name);
        out_methods(out, grant->methods);
        out_close(out, '}');
    }
    out_close(out, ']');
}

/* What is not part of this version, at its only value. */
static void print_later(struct out *out) {
    out_bool(out, "cache", false);
    out_bool(out, "aggregate", false);
}

static void print_security(struct out *out, const struct cg_mapping *mapping) {
    switch (mapping->security) {
    case CG_SECURITY_NONE: out_text(out, "security", "none"); break;
    case CG_SECURITY_GROUP: out_text(out, "security", mapping->keys->name); break;
    case CG_SECURITY_RELAY:
        out_text(out, "security", "relay");
        out_text(out, "check_signature", mapping->check_signature);
        break;
    }
}

static void print_security_groups(struct out *out, const struct cg_config *config) {
    out_bool(out, "key_files_may_be_shared", config->key_files_may_be_shared);
    out_open(out, "security_groups", '{');
    for (size_t i = 0; i < config->security_group_count; i++) {
        const struct cg_security_keys *entry = &config->security_groups[i];
        out_open(out, entry->name, '{');
        out_text(out, "file", entry->file);
        if (entry->next_file != NULL) out_text(out, "next", entry->next_file);
        out_close(out, '}');
    }
    out_close(out, '}');
}

static void print_mapping(struct out *out, const struct cg_mapping *mapping) {
    out_open(out, NULL, '{');
    out_text(out, "name", mapping->name);
    out_text(out, "path", *mapping->path == '\0' ? "/" : mapping->path);
    out_text(out, "host", mapping->host);
    print_targets(out, mapping);
    print_security(out, mapping);
    out_methods(out, mapping->methods);
    out_bool(out, "unsafe_methods", mapping->unsafe_methods);
    out_number(out, "leisure", mapping->leisure);
    if (mapping->has_timeout) out_number(out, "timeout", (double)mapping->timeout_us / 1e6);
    out_number(out, "max_timeout", (double)mapping->max_timeout_us / 1e6);
    print_finish(out, &mapping->finish);
    print_members(out, mapping);
    out_open(out, "repair", '{');
    out_bool(out, "unicast", mapping->repair_unicast);
    out_close(out, '}');
    out_bool(out, "forward", mapping->forward);
    out_integer(out, "max_answers", mapping->max_answers);
    out_open(out, "budget", '{');
    out_integer(out, "requests_per_minute", mapping->requests_per_minute);
    out_close(out, '}');
    print_grants(out, mapping);
    out_bool(out, "anonymise", mapping->anonymise);
    out_text(out, "stand_in", mapping->anonymise ? "members" : "group");
    print_later(out);
    out_close(out, '}');
}

void cg_settings_print(struct cg_buf *to, const struct cg_config *config) {
    struct out out = {.buf = to, .fresh = true};
    out_open(&out, NULL, '{');
    print_front(&out, "http", &config->http);
    out_bool(&out, "strict", config->http.strict);
    out_bool(&out, "coap_payload", config->http.coap_payload);
    out_close(&out, '}');
    print_front(&out, "admin", &config->admin);
    out_close(&out, '}');
    print_coap(&out, config);
    out_text(&out, "state", config->state);
    out_integer(&out, "sequence_rate", config->sequence_rate);
    out_bool(&out, "require_clock", config->require_clock);
    print_group(&out, &config->group);
    print_limits(&out, &config->limits);
    print_plugins(&out, config);
    print_security_groups(&out, config);
    out_open(&out, "clients", '{');
    for (size_t i = 0; i < config->client_count; i++) print_client(&out, &config->clients[i]);
    out_close(&out, '}');
    out_open(&out, "mappings", '[');
    for (size_t i = 0; i < config->mapping_count; i++) print_mapping(&out, &config->mappings[i]);
    out_close(&out, ']');
    out_close(&out, '}');
    cg_buf_put_u8(to, '\n');
}
