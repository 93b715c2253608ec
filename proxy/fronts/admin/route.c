/* Paths against the table. The hard thing is what a path may hide: each part is decoded by itself, once, and what a
 * part may be is checked then, so that no resource sees a slash, a NUL or a dot segment in a name. */
#include "fronts/admin/route.h"

#include <string.h>

#include "base/text.h"
#include "fronts/admin/resources.h"

static const struct cg_admin_routes *const tables[] = {
#define RESOURCE(name) &cg_routes_##name,
#include "fronts/admin/resources.def"
#undef RESOURCE
};

const struct cg_admin_route *cg_admin_route_at(size_t index) {
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (index < tables[i]->count) return &tables[i]->list[index];
        index -= tables[i]->count;
    }
    return NULL;
}

const struct cg_admin_schema *cg_admin_schema_at(size_t index) {
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (index < tables[i]->schema_count) return &tables[i]->schemas[index];
        index -= tables[i]->schema_count;
    }
    return NULL;
}

/* ---- Parts of a path ---- */

/* What is before the next slash; false: there is nothing more. */
static bool next_part(struct cg_slice *rest, struct cg_slice *part) {
    if (rest->len == 0 || rest->data[0] != '/') return false;
    *rest = cg_slice_of(rest->data + 1, rest->len - 1);
    const uint8_t *slash = rest->len == 0 ? NULL : memchr(rest->data, '/', rest->len);
    *part = cg_slice_of(rest->data, slash == NULL ? rest->len : (size_t)(slash - rest->data));
    *rest = cg_slice_of(rest->data + part->len, rest->len - part->len);
    return true;
}

/* False: too long, or not percent-encoded text. */
static bool decode(char to[CG_ADMIN_PART_MAX + 1], struct cg_slice part) {
    size_t len = 0;
    for (size_t i = 0; i < part.len; i++) {
        uint8_t byte = part.data[i];
        if (byte == '%') {
            if (part.len - i < 3) return false;
            int high = cg_hex_digit(part.data[i + 1]), low = cg_hex_digit(part.data[i + 2]);
            if (high < 0 || low < 0) return false;
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (byte == '\0' || len == CG_ADMIN_PART_MAX) return false;
        to[len++] = (char)byte;
    }
    to[len] = '\0';
    return true;
}

static bool is_variable(struct cg_slice part) { return part.len > 0 && part.data[0] == '{'; }

static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char more[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-abcdefghijklmnopqrstuvwxyz0123456789";

bool cg_admin_is_name(const char *text) {
    size_t len = strlen(text);
    return len <= CG_NAME_MAX && strspn(text, lower) > 0 && strspn(text, more + 26) == len;
}

static bool may_be(struct cg_slice variable, const char *text) {
    size_t len = strlen(text);
    if (len == 0) return false;
    if (cg_slice_is(variable, "{n}")) return text[0] != '0' && len <= 19 && strspn(text, "0123456789") == len;
    if (cg_slice_is(variable, "{id}")) return text[0] != '.' && strspn(text, more) == len;
    if (cg_slice_is(variable, "{member}")) return cg_utf8_valid(cg_slice_str(text)) && strpbrk(text, "/\\") == NULL;
    return cg_admin_is_name(text);
}

enum fit { NO_FIT, FITS, BAD_PART };

/* Whether the path is the route's. */
static enum fit fits(struct cg_admin_match *match, const struct cg_admin_route *route, struct cg_slice path) {
    struct cg_slice pattern = cg_slice_str(route->path), want, part;
    enum fit fit = FITS;
    size_t variables = 0;
    while (next_part(&pattern, &want)) {
        if (!next_part(&path, &part)) return NO_FIT;
        if (!is_variable(want)) {
            if (!cg_slice_equal(want, part)) return NO_FIT;
            continue;
        }
        char *text = match->parts[variables++];
        if (!decode(text, part) || !may_be(want, text)) fit = BAD_PART;
    }
    match->route = route;
    return path.len == 0 ? fit : NO_FIT;
}

/* ---- The table ---- */

static uint32_t bit_of(const char *method) {
    static const struct {
        const char *name;
        uint32_t bit;
    } rows[] = {{"GET", CG_METHOD_BIT(CG_GET)},
                {"POST", CG_METHOD_BIT(CG_POST)},
                {"PUT", CG_METHOD_BIT(CG_PUT)},
                {"PATCH", CG_METHOD_BIT(CG_PATCH)},
                {"DELETE", CG_METHOD_BIT(CG_DELETE)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(method, rows[i].name) == 0) return rows[i].bit;
    }
    return 0;
}

uint32_t cg_admin_route_methods(struct cg_slice path) {
    const struct cg_admin_route *route;
    struct cg_admin_match match;
    uint32_t methods = 0;
    for (size_t i = 0; (route = cg_admin_route_at(i)) != NULL; i++) {
        if (fits(&match, route, path) != NO_FIT) methods |= bit_of(route->method);
    }
    return methods;
}

static bool is_method(const struct cg_admin_route *route, struct cg_slice method) {
    return cg_slice_is(method, route->method) || (cg_slice_is(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

static int refuse_method(struct cg_slice path, struct cg_problem *problem) {
    problem->allow = cg_admin_route_methods(path);
    if (problem->allow == 0)
        return cg_problem_set(problem, CG_E_NOT_FOUND,
                              "there is nothing here; " CG_ADMIN_ROOT "/openapi.json tells what there is");
    return cg_problem_set(problem, CG_E_METHOD, "this is not done here; Allow says what is");
}

int cg_admin_route_find(struct cg_admin_match *match, struct cg_slice method, struct cg_slice path,
                        struct cg_problem *problem) {
    const struct cg_admin_route *route;
    for (size_t i = 0; (route = cg_admin_route_at(i)) != NULL; i++) {
        if (!is_method(route, method)) continue;
        enum fit fit = fits(match, route, path);
        if (fit == FITS) return CG_OK;
        if (fit == BAD_PART)
            return cg_problem_set(problem, CG_E_BAD_URI,
                                  "the path has something that is no name here: names match [a-z0-9][a-z0-9._-]{0,63}");
    }
    match->route = NULL;
    return refuse_method(path, problem);
}

bool cg_admin_route_takes_query(const struct cg_admin_route *route, struct cg_slice name) {
    struct cg_slice rest = cg_slice_str(route->queries == NULL ? "" : route->queries);
    while (rest.len > 0) {
        const uint8_t *space = memchr(rest.data, ' ', rest.len);
        size_t len = space == NULL ? rest.len : (size_t)(space - rest.data);
        if (cg_slice_equal(cg_slice_of(rest.data, len), name)) return true;
        len += len < rest.len;
        rest = cg_slice_of(rest.data + len, rest.len - len);
    }
    return false;
}
