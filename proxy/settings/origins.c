/* Whom the HTTP side believes: pages of other origins, and proxies in front. The hard thing: an origin is compared as a
 * text, so it is kept exactly as browsers send it (RFC 6454 §6.2: lower case, no default port, no path). */
#include "base/text.h"
#include "settings/rows.h"

static size_t scheme_len(const char *text) {
    size_t len = 0;
    while ((text[len] >= 'a' && text[len] <= 'z') || (text[len] >= 'A' && text[len] <= 'Z') ||
           (len > 0 && text[len] != '\0' && strchr("0123456789+-.", text[len]) != NULL))
        len++;
    return strncmp(text + len, "://", 3) == 0 ? len : 0;
}

static const char *default_port_of(struct cg_slice scheme) {
    if (cg_slice_is(scheme, "http")) return ":80";
    return cg_slice_is(scheme, "https") ? ":443" : "";
}

static void drop_default_port(struct cg_buf *origin, size_t scheme) {
    struct cg_slice port = cg_slice_str(default_port_of(cg_slice_of(origin->data, scheme)));
    if (port.len == 0 || origin->len < port.len) return;
    if (cg_slice_equal(cg_slice_of(origin->data + origin->len - port.len, port.len), port)) origin->len -= port.len;
}

/* False: it is none. */
static bool put_origin(struct cg_buf *to, const char *text) {
    size_t scheme = scheme_len(text);
    for (size_t i = 0; i < scheme; i++) cg_buf_put_u8(to, (uint8_t)cg_ascii_lower(text[i]));
    cg_buf_put_str(to, "://");
    if (scheme == 0 || !cg_put_host(to, text + scheme + 3)) return false;
    if (!to->failed) drop_default_port(to, scheme);
    return true;
}

static void refuse_origin(struct cg_reader *reader, const struct cg_at *at, const char *text) {
    if (strchr(text, '*') != NULL) {
        cg_mistake_at(reader, at,
                      "must name one origin: with \"*\" every page that somebody opens could send requests here");
    } else if (strcmp(text, "null") == 0) {
        cg_mistake_at(reader, at, "must name an origin: \"null\" is what any page can make its browser say");
    } else {
        cg_mistake_at(reader, at,
                      "must be an origin such as \"https://dashboard.example\" or \"http://192.0.2.7:8123\": scheme, "
                      "host and, unless it is the scheme's own, port, without path or final slash");
    }
}

static void read_origin(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                        void *target) {
    (void)row;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    struct cg_buf origin;
    cg_buf_init(&origin, 0);
    if (!put_origin(&origin, text)) {
        refuse_origin(reader, at, text);
    } else {
        if (origin.failed) reader->out_of_memory = true;
        *(const char **)target = cg_keep_text(reader, cg_buf_slice(&origin));
    }
    cg_buf_fini(&origin);
}

const struct cg_kind cg_kind_origin = {.read = read_origin, .print = cg_print_text, .json = "'type': 'string'"};

static void read_proxy(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                       void *target) {
    (void)row;
    struct cg_prefix *prefix = target;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    if (cg_prefix_parse(prefix, cg_slice_str(text)) < 0 || cg_addr_is_multicast(&prefix->addr)) {
        cg_mistake_at(reader, at,
                      "must be a proxy's address or a range of them, such as \"127.0.0.1\" or \"10.0.3.0/24\", with no "
                      "bit set beyond its length");
    } else if (prefix->bits == 0) {
        cg_mistake_at(reader, at, "is everybody: then anybody could say to be anybody; name the proxies");
    }
}

static void print_proxy(struct cg_out *out, const struct cg_row *row, const void *target) {
    cg_kind_prefix.print(out, row, target);
}

const struct cg_kind cg_kind_proxy = {.read = read_proxy, .print = print_proxy, .json = "'type': 'string'"};
