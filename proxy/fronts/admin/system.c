/* What runs here and with what: the version, since when, and what others know of the machine. */
#include <inttypes.h>
#include <time.h>

#include "base/calendar.h"
#include "base/text.h"
#include "fronts/admin/private.h"
#include "fronts/admin/resources.h"
#include "io/loop.h"

static void put_time(struct cg_buf *to, const char *key, int64_t at_s) {
    char text[CG_CALENDAR_MAX];
    cg_calendar_emit_s(text, at_s);
    cg_buf_printf(to, ",\"%s\":\"%s\"", key, text);
}

/* Of the settings file's keys only which they are: GET settings has their values, with those of all others. */
static void put_file_keys(struct cg_buf *to, const struct cg_config *config) {
    cg_buf_put_str(to, ",\"settings_file_sets\":[");
    for (size_t i = 0; i < config->file_key_count; i++) {
        if (i > 0) cg_buf_put_u8(to, ',');
        cg_buf_put_json(to, cg_slice_str(config->file_keys[i]));
    }
    cg_buf_put_u8(to, ']');
}

static void serve_system(struct cg_admin_call *call) {
    const struct cg_admin *admin = call->admin;
    const int64_t now_s = (int64_t)time(NULL);
    const int64_t uptime_s = (int64_t)((cg_loop_now_us() - admin->started_us) / 1000000);
    struct cg_buf body;
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, "{\"version\":\"" CASTGATE_VERSION "\"");
    put_time(&body, "clock", now_s);
    put_time(&body, "started", now_s - uptime_s);
    cg_buf_printf(&body, ",\"uptime\":%" PRIi64, uptime_s);
    put_file_keys(&body, cg_admin_config(call));
    if (admin->source.put_system != NULL) {
        cg_buf_put_u8(&body, ',');
        admin->source.put_system(admin->source.ctx, call->who.role, &body);
    }
    cg_buf_put_str(&body, "}\n");
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &body);
}

#define COUNT       "{'type': 'integer', 'minimum': 0}"
#define MAYBE_COUNT "{'type': ['integer', 'null'], 'minimum': 0}"
#define TIME        "{'type': 'string', 'format': 'date-time'}"
#define TEXT        "{'type': 'string'}"
#define MAYBE_TEXT  "{'type': ['string', 'null']}"
#define FLAG        "{'type': 'boolean'}"
#define TEXTS       "{'type': 'array', 'items': {'type': 'string'}}"
#define OBJECT      "{'type': 'object', 'additionalProperties': false, 'properties': {"

static const struct cg_admin_schema schemas[] = {
    {"SystemListener",
     OBJECT "'front': " TEXT ", 'at': " TEXT ", 'serves': " FLAG ", 'encrypted': " FLAG ", 'insecure': " FLAG "}}"},
    {"SystemWay",
     OBJECT "'interface': " MAYBE_TEXT ", 'mappings': " COUNT ", 'usable': " FLAG ", 'reason': " MAYBE_TEXT "}}"},
    {"SystemInterface",
     OBJECT "'name': " TEXT ", 'up': " FLAG ", 'multicast': " FLAG ", 'loopback': " FLAG ", 'addresses': " TEXTS "}}"},
    {"SystemBuffer",
     OBJECT "'wanted': " COUNT ", 'ipv4': " MAYBE_COUNT ", 'ipv6': " MAYBE_COUNT ", 'kernel_drops': " COUNT "}}"},
    {"SystemStore",
     OBJECT "'usable': " FLAG ", 'reason': " MAYBE_TEXT ", 'folder': " MAYBE_TEXT ", 'free_bytes': " MAYBE_COUNT "}}"},
    {"System", OBJECT "'version': " TEXT ", 'clock': " TIME ", 'started': " TIME ", 'uptime': " COUNT ", 'ready': " FLAG
                      ", 'reasons': " TEXTS ", 'settings_file': " MAYBE_TEXT ", 'settings_file_sets': " TEXTS
                      ", 'listeners': {'type': 'array', 'items': {'$ref': '#/components/schemas/SystemListener'}}"
                      ", 'sends_by': {'type': 'array', 'items': {'$ref': '#/components/schemas/SystemWay'}}"
                      ", 'interfaces': {'type': 'array', 'items': {'$ref': '#/components/schemas/SystemInterface'}}"
                      ", 'receive_buffer': {'$ref': '#/components/schemas/SystemBuffer'}"
                      ", 'store': {'$ref': '#/components/schemas/SystemStore'}},"
                      "'required': ['version', 'clock', 'started', 'uptime', 'settings_file_sets'], 'description': "
                      "'Times in seconds, buffers in bytes. Paths are for admins. What settings_file_sets names (JSON "
                      "pointers) is changed in that file; GET settings has its values.'}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/system",
     .role = CG_ROLE_VIEWER,
     .serve = serve_system,
     .id = "system.get",
     .says = "What runs here, with what: version, listeners, interfaces, buffers, the store, and what keeps it from "
             "being ready.",
     .answer = "System",
     .status = 200},
};

const struct cg_admin_routes cg_routes_system = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
