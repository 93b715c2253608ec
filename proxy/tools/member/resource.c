/* The members' resources. The hard thing: a representation is first made whole, whatever it is, and then ETag, Accept
 * and Block2 work on it the same way for all; so a resource is one row of a table and one function that renders it. */
#include "tools/member/resource.h"

#include <stdio.h>

#include "base/text.h"
#include "tools/member/links.h"

enum {
    FORMAT_TEXT = 0,
    FORMAT_LINK = 40,
    FORMAT_JSON = 50,
    BLOCK_SZX_MAX = 6, /* 1024 bytes; 7 is reserved over UDP (RFC 7959 §2.2) */
};

struct site {
    const struct cg_member_options *options;
    uint32_t member;
    const struct cg_light *light;
    struct cg_buf *out;
};

typedef void render_fn(const struct site *site);

/* One resource: how it is rendered and what /.well-known/core says of it. */
struct resource {
    const char *path;
    render_fn *render; /* NULL: served elsewhere (firmware.h) */
    uint16_t format;
    bool observable;
    bool writable;
    uint32_t delay_ms;
    const char *rt; /* NULL: none */
    bool is_sized;  /* --big-size is its size */
};

static void render_status(const struct site *site) {
    struct cg_addr addr = cg_member_address(site->options, site->member);
    char text[CG_ADDR_TEXT_MAX];
    (void)cg_addr_emit(&addr, text);
    cg_buf_printf(site->out, "{\"member\":%u,\"address\":\"%s\",\"status\":\"ok\"}", (unsigned)site->member + 1, text);
}

static void render_light(const struct site *site) { cg_buf_put(site->out, site->light->text, site->light->len); }

/* Every member's is different, and so is every line, so that a block in the wrong place shows. */
static void render_big(const struct site *site) {
    static const char dots[] = "..........................................";
    for (unsigned line = 0; line < site->options->big_size / CG_MEMBER_BIG_LINE; line++) {
        size_t end = site->out->len + CG_MEMBER_BIG_LINE;
        cg_buf_printf(site->out, "member %5u line %2u ", (unsigned)site->member + 1, line);
        cg_buf_printf(site->out, "%.*s\n", (int)(end - site->out->len - 1), dots);
    }
}

static void render_slow(const struct site *site) {
    cg_buf_printf(site->out, "member %u took its time", (unsigned)site->member + 1);
}

static const struct resource resources[] = {
    {.path = "status", .render = render_status, .format = FORMAT_JSON, .rt = "status"},
    {.path = "light",
     .render = render_light,
     .format = FORMAT_TEXT,
     .observable = true,
     .writable = true,
     .rt = "light"},
    {.path = "big", .render = render_big, .format = FORMAT_TEXT, .is_sized = true},
    {.path = "firmware", .format = FORMAT_JSON},
    {.path = "slow", .render = render_slow, .format = FORMAT_TEXT, .delay_ms = CG_SLOW_MS},
};

enum { RESOURCES_LEN = sizeof resources / sizeof *resources };

void cg_light_init(struct cg_light *light) { *light = (struct cg_light){.len = 3, .text = "off"}; }

/* --- the request --- */

/* Appends a path segment; one that cannot be part of any path here makes the path one that matches nothing. */
static void put_segment(struct cg_resource_request *request, struct cg_slice segment, bool first) {
    static const char nowhere[] = "//";
    size_t len = strlen(request->path);
    bool usable = len + segment.len + 2 <= sizeof request->path;
    for (size_t i = 0; i < segment.len; i++) usable = usable && segment.data[i] != '/' && segment.data[i] != '\0';
    if (!usable) {
        memcpy(request->path, nowhere, sizeof nowhere);
        return;
    }
    if (!first) request->path[len++] = '/';
    if (segment.len > 0) memcpy(request->path + len, segment.data, segment.len);
    request->path[len + segment.len] = '\0';
}

/* A uint option that may come once and has a greatest length; false when it is to be treated as unknown. */
static bool take_uint(struct cg_slice value, size_t max_len, bool *has, uint32_t *number) {
    if (*has || value.len > max_len) return false;
    *has = true;
    *number = cg_uint_parse(value);
    return true;
}

static bool take_no_response(struct cg_resource_request *request, struct cg_slice value) {
    uint32_t bits;
    if (!take_uint(value, 1, &request->has_no_response, &bits)) return false;
    request->no_response = (uint8_t)bits;
    return true;
}

static bool put_slice(struct cg_slice *list, size_t *len, size_t max, struct cg_slice value) {
    if (*len == max) return false;
    list[(*len)++] = value;
    return true;
}

/* Elective, so what is too long is ignored; it may be repeated (RFC 9175 §3.2.1). */
static bool take_tag(struct cg_resource_request *request, struct cg_slice value) {
    if (request->tag.len == 0 && value.len <= 8) request->tag = value;
    return true;
}

/* False: the option is not understood. */
static bool take_option(struct cg_resource_request *request, const struct cg_opt *opt, bool *has_path) {
    switch (opt->number) {
    case CG_OPT_URI_HOST: return opt->value.len >= 1 && opt->value.len <= 255;
    case CG_OPT_URI_PORT: return opt->value.len <= 2;
    case CG_OPT_URI_PATH:
        if (opt->value.len > 255) return false;
        put_segment(request, opt->value, !*has_path);
        return *has_path = true;
    case CG_OPT_URI_QUERY:
        return put_slice(request->queries, &request->queries_len, CG_RESOURCE_QUERIES_MAX, opt->value);
    case CG_OPT_ETAG: return put_slice(request->etags, &request->etags_len, CG_RESOURCE_ETAGS_MAX, opt->value);
    case CG_OPT_OBSERVE: return take_uint(opt->value, 3, &request->has_observe, &request->observe);
    case CG_OPT_ACCEPT: return take_uint(opt->value, 2, &request->has_accept, &request->accept);
    case CG_OPT_CONTENT_FORMAT: return take_uint(opt->value, 2, &request->has_format, &request->format);
    case CG_OPT_BLOCK2: return take_uint(opt->value, 3, &request->has_block2, &request->block2);
    case CG_OPT_BLOCK1: return take_uint(opt->value, 3, &request->has_block1, &request->block1);
    case CG_OPT_REQUEST_TAG: return take_tag(request, opt->value);
    case CG_OPT_NO_RESPONSE: return take_no_response(request, opt->value);
    default: return false;
    }
}

int cg_resource_parse(struct cg_resource_request *request, const struct cg_msg *msg) {
    *request = (struct cg_resource_request){.code = msg->code, .payload = msg->payload};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool has_path = false, unknown = false;
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number == CG_OPT_PROXY_URI || opt.number == CG_OPT_PROXY_SCHEME) return CG_E_PROXYING;
        if (!take_option(request, &opt, &has_path) && cg_opt_is_critical(opt.number)) unknown = true;
    }
    return unknown ? CG_E_BAD_OPTION : CG_OK;
}

/* --- the response --- */

void cg_resource_refuse(struct cg_resource_response *response, uint8_t code, const char *diagnostic) {
    *response = (struct cg_resource_response){.code = code, .payload = cg_slice_str(diagnostic)};
}

static void put_etag(struct cg_resource_response *response, struct cg_slice representation) {
    uint32_t hash = cg_fnv(CG_FNV_START, representation.data, representation.len);
    response->has_etag = true;
    for (int i = 0; i < 4; i++) response->etag[i] = (uint8_t)(hash >> (24 - 8 * i));
}

/* The representation as a 2.05, whole. */
static void put_content(struct cg_resource_response *response, const struct cg_member_options *options, uint16_t format,
                        struct cg_slice representation) {
    *response = (struct cg_resource_response){.code = CG_CODE(2, 5),
                                              .has_format = true,
                                              .format = format,
                                              .has_max_age = options->has_max_age,
                                              .max_age = options->max_age,
                                              .payload = representation};
    put_etag(response, representation);
}

/* 2.03 instead, when the client says that it has this one (RFC 7252 §5.10.6.2). */
static bool validate(struct cg_resource_response *response, const struct cg_resource_request *request) {
    for (size_t i = 0; i < request->etags_len; i++) {
        if (!cg_slice_equal(request->etags[i], cg_slice_of(response->etag, sizeof response->etag))) continue;
        response->code = CG_CODE(2, 3);
        response->has_format = false;
        response->payload = CG_SLICE_NONE;
        return true;
    }
    return false;
}

/* Cuts the asked-for block out, or the first one where nothing was asked and one message would not do (RFC 7959
 * §2.4). */
static void cut_block(struct cg_resource_response *response, const struct cg_resource_request *request) {
    uint32_t szx = request->has_block2 ? request->block2 & 7 : BLOCK_SZX_MAX;
    uint32_t number = request->block2 >> 4;
    size_t whole = response->payload.len, size = (size_t)16 << szx, from = number * size;
    if (!request->has_block2 && whole <= size) return;
    if (szx > BLOCK_SZX_MAX || (from >= whole && number > 0)) {
        cg_resource_refuse(response, CG_CODE(4, 0), "no such block");
        return;
    }
    bool more = whole - from > size;
    response->has_block2 = true;
    response->block2 = number << 4 | (uint32_t)more << 3 | szx;
    response->has_size2 = number == 0;
    response->size2 = (uint32_t)whole;
    response->payload = cg_slice_of(response->payload.data + from, more ? size : whole - from);
}

/* --- /.well-known/core (RFC 6690) --- */

static bool matches(struct cg_slice pattern, struct cg_slice value) {
    bool prefix = pattern.len > 0 && pattern.data[pattern.len - 1] == '*';
    if (prefix) pattern.len--;
    if (prefix && value.len > pattern.len) value.len = pattern.len;
    return cg_slice_equal(pattern, value);
}

/* The value may be several, separated by spaces; one that matches is enough. */
static bool matches_any(struct cg_slice pattern, const char *values) {
    for (;;) {
        size_t len = strcspn(values, " ");
        if (matches(pattern, cg_slice_of(values, len))) return true;
        if (values[len] == '\0') return false;
        values += len + 1;
    }
}

struct link {
    struct cg_slice path;
    const struct resource *resource;
    const char *sz; /* NULL: none */
};

/* One query "name=value" or "name" on one link. */
static bool passes(struct link link, struct cg_slice query) {
    const uint8_t *equals = query.len == 0 ? NULL : memchr(query.data, '=', query.len);
    struct cg_slice name = equals == NULL ? query : cg_slice_of(query.data, (size_t)(equals - query.data));
    struct cg_slice pattern = cg_slice_str("*");
    if (equals != NULL) pattern = cg_slice_of(equals + 1, query.len - name.len - 1);
    if (cg_slice_is(name, "href")) {
        if (pattern.len > 0 && pattern.data[0] == '/') {
            pattern = cg_slice_of(pattern.data + 1, pattern.len - 1);
            return matches(pattern, link.path);
        }
        return cg_slice_is(pattern, "*");
    }
    const struct resource *resource = link.resource;
    if (cg_slice_is(name, "rt")) return resource->rt != NULL && matches_any(pattern, resource->rt);
    if (cg_slice_is(name, "sz")) return link.sz != NULL && matches_any(pattern, link.sz);
    if (cg_slice_is(name, "obs")) return resource->observable && equals == NULL;
    if (cg_slice_is(name, "ct")) return matches_any(pattern, resource->format == FORMAT_JSON ? "50" : "0");
    return false;
}

static void put_link(struct cg_buf *out, struct link link, const struct cg_resource_request *request) {
    for (size_t i = 0; i < request->queries_len; i++)
        if (!passes(link, request->queries[i])) return;
    cg_buf_put_str(out, out->len > 0 ? ",</" : "</");
    cg_buf_put_slice(out, link.path);
    cg_buf_printf(out, ">;ct=%u", (unsigned)link.resource->format);
    if (link.resource->rt != NULL) cg_buf_printf(out, ";rt=\"%s\"", link.resource->rt);
    if (link.sz != NULL) cg_buf_printf(out, ";sz=%s", link.sz);
    if (link.resource->observable) cg_buf_put_str(out, ";obs");
}

/* The text of a --resource; NULL: there is none with this path. */
static const char *find_text(const struct cg_member_options *options, const char *path) {
    for (size_t i = 0; i < options->resources_len; i++)
        if (cg_slice_is(options->resources[i].path, path)) return options->resources[i].text;
    return NULL;
}

static void put_links(const struct site *site, const struct cg_resource_request *request) {
    static const struct resource text = {.format = FORMAT_TEXT};
    const struct cg_member_options *options = site->options;
    char sz[11];
    (void)snprintf(sz, sizeof sz, "%u", (unsigned)options->big_size);
    for (size_t i = 0; i < RESOURCES_LEN; i++) {
        const struct resource *resource = &resources[i];
        const struct link link = {cg_slice_str(resource->path), resource, resource->is_sized ? sz : NULL};
        if (find_text(options, resource->path) == NULL) put_link(site->out, link, request);
    }
    for (size_t i = 0; i < options->resources_len; i++)
        put_link(site->out, (struct link){options->resources[i].path, &text, NULL}, request);
    cg_member_links_put(site->out, options, request);
}

/* --- requests to responses --- */

static void put_light(struct cg_resource_response *response, const struct cg_resource_request *request,
                      struct cg_light *light) {
    if (request->has_format && request->format != FORMAT_TEXT) {
        cg_resource_refuse(response, CG_CODE(4, 15), "text/plain only");
    } else if (request->payload.len > CG_LIGHT_MAX) {
        cg_resource_refuse(response, CG_CODE(4, 13), "64 bytes at most");
    } else if (!cg_utf8_valid(request->payload)) {
        cg_resource_refuse(response, CG_CODE(4, 0), "not UTF-8");
    } else {
        struct cg_slice old = cg_slice_of(light->text, light->len);
        *response =
            (struct cg_resource_response){.code = CG_CODE(2, 4), .changed = !cg_slice_equal(old, request->payload)};
        light->len = (uint8_t)request->payload.len;
        if (light->len > 0) memcpy(light->text, request->payload.data, light->len);
    }
}

/* Accept, ETag and Block2 on a whole representation. */
static void get(struct cg_resource_response *response, const struct cg_resource_request *request,
                const struct cg_member_options *options, uint16_t format, struct cg_slice representation) {
    if (request->has_accept && request->accept != format) {
        cg_resource_refuse(response, CG_CODE(4, 6), "not in this format");
        return;
    }
    put_content(response, options, format, representation);
    if (!validate(response, request)) cut_block(response, request);
}

static void serve_builtin(struct cg_resource_response *response, const struct cg_resource_request *request,
                          const struct resource *resource, const struct site *site, struct cg_light *light) {
    if (request->code == CG_GET) {
        resource->render(site);
        get(response, request, site->options, resource->format, cg_buf_slice(site->out));
        response->observable = resource->observable && response->code < CG_CODE(4, 0);
    } else if (request->code == CG_PUT && resource->writable) {
        put_light(response, request, light);
    } else {
        cg_resource_refuse(response, CG_CODE(4, 5), "");
    }
    response->delay_ms = resource->delay_ms;
}

static void serve_links(struct cg_resource_response *response, const struct cg_resource_request *request,
                        const struct site *site) {
    if (request->code != CG_GET) {
        cg_resource_refuse(response, CG_CODE(4, 5), "");
        return;
    }
    bool is_look_up = cg_member_links_look_up(site->out, site->options, request);
    if (!is_look_up) put_links(site, request);
    get(response, request, site->options, FORMAT_LINK, cg_buf_slice(site->out));
    response->nothing = site->out->len == 0;
}

void cg_resource_serve(struct cg_resource_response *response, const struct cg_resource_request *request,
                       const struct cg_member_options *options, uint32_t member, struct cg_light *light,
                       struct cg_buf *scratch) {
    cg_buf_clear(scratch);
    struct site site = {.options = options, .member = member, .light = light, .out = scratch};
    const char *text = find_text(options, request->path);
    if (request->has_block1) {
        cg_resource_refuse(response, CG_CODE(4, 2), "no blocks here");
        return;
    }
    if (text != NULL) {
        if (request->code == CG_GET)
            get(response, request, options, FORMAT_TEXT, cg_slice_str(text));
        else
            cg_resource_refuse(response, CG_CODE(4, 5), "");
        return;
    }
    for (size_t i = 0; i < RESOURCES_LEN; i++) {
        if (resources[i].render == NULL || strcmp(request->path, resources[i].path) != 0) continue;
        serve_builtin(response, request, &resources[i], &site, light);
        return;
    }
    bool is_look_up = options->is_directory && cg_member_links_is_look_up(request->path);
    if (is_look_up || strcmp(request->path, ".well-known/core") == 0)
        serve_links(response, request, &site);
    else
        cg_resource_refuse(response, CG_CODE(4, 4), "");
}

void cg_resource_light(struct cg_resource_response *response, const struct cg_member_options *options,
                       const struct cg_light *light) {
    put_content(response, options, FORMAT_TEXT, cg_slice_of(light->text, light->len));
    response->observable = true;
}
