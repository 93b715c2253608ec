/* The hard thing: it must say what will happen without making it happen. So the requests are shaped by the code that
 * shapes them for a round, and measured by the protector that would seal them.
 *
 * 6LoWPAN frames are an estimate, since whoever forwards into such a network compresses as it can. Counted is with what
 * RFC 4944 §4 leaves of a frame of 127 bytes when 25 go to the link's header and 21 to its security (81), with headers
 * compressed as for a multicast from another network (RFC 6282: 3 bytes of IPHC and context, hop limit, 8 of the
 * source, 6 of the group, 7 of UDP). What does not fit into one frame goes in fragments, whose heads have 4 and 5
 * bytes, and which all but the last carry multiples of 8 of the uncompressed packet (RFC 4944 §5.3). */
#include "recorder/preview.h"

#include <inttypes.h>
#include <stdio.h>

#include "exchange/gateway.h"
#include "legs/ask.h"
#include "legs/engine.h"
#include "model/access.h"
#include "model/route.h"
#include "model/stand_in.h"
#include "rounds/shape.h"
#include "wire/transmission.h"

enum {
    ARENA_MAX = 1 << 20,
    FRAME_ROOM = 127 - 25 - 21,
    HEADERS = 40 + 8,               /* IPv6 and UDP, uncompressed */
    COMPRESSED = 3 + 1 + 8 + 6 + 7, /* the same */
    FIRST_HEAD = 4,
    FURTHER_HEAD = 5, /* of fragments */
};

uint32_t cg_frames_6lowpan(size_t bytes) {
    if (COMPRESSED + bytes <= FRAME_ROOM) return 1;
    const size_t first = (HEADERS + FRAME_ROOM - FIRST_HEAD - COMPRESSED) / 8 * 8, all = HEADERS + bytes;
    const size_t further = (FRAME_ROOM - FURTHER_HEAD) / 8 * 8;
    return all <= first ? 1 : (uint32_t)(1 + (all - first + further - 1) / further);
}

static const char *interface_of(const struct cg_config *config, const struct cg_target *target) {
    return target->interface != NULL ? target->interface : config->group.interface;
}

static void find_budget(const struct cg_engine *engine, const char *interface, struct cg_preview_target *to) {
    const struct cg_group_settings *settings = &engine->config->group;
    const uint32_t link = cg_send_link(engine, interface, &to->group);
    for (size_t i = 0; link != 0 && i < settings->send_budget_count; i++) {
        const struct cg_send_budget_settings *budget = &settings->send_budgets[i];
        if (cg_send_link(engine, budget->interface, &to->group) != link) continue;
        to->budget_requests = budget->requests;
        to->budget_seconds = budget->seconds;
        return;
    }
}

static int preview_target(struct cg_engine *engine, const struct cg_wish *wish, const struct cg_target *target,
                          const struct cg_leg_request *request, struct cg_preview_target *to,
                          struct cg_problem *problem) {
    const char *interface = interface_of(wish->config, target);
    const struct cg_sealing sealing = {
        .mapping = wish->mapping,
        .target = target,
        .type = CG_NON,
        .method = request->method,
        .is_for_one = request->is_for_one,
        .token.len = CG_TOKEN_MAX,
        .options = request->options,
        .payload = request->payload,
        .client = request->client,
        .origin = request->origin,
        .identity = wish->member == NULL ? CG_SLICE_NONE : wish->member->identity,
    };
    size_t size = 0;
    int err = cg_protector_measure(wish->mapping->protector, &sealing, &size, problem);
    if (err < 0) return err;
    to->group = wish->member != NULL ? wish->member->addr : cg_target_group(target);
    snprintf(to->interface, sizeof to->interface, "%s", interface == NULL ? "" : interface);
    to->bytes = (uint32_t)size;
    to->frames = cg_frames_6lowpan(size);
    find_budget(engine, interface, to);
    return CG_OK;
}

/* A second group request, and each member by unicast as often as RFC 7252 §4.2 has it. */
static uint32_t count_at_most(const struct cg_wish *wish, const struct cg_preview *preview) {
    const struct cg_mapping *mapping = wish->mapping;
    const uint32_t each = CG_MAX_RETRANSMIT + 1;
    if (preview->by_unicast) return preview->datagrams * each;
    if (!mapping->repair_unicast || !wish->expects_answers || !cg_may_repeat(mapping, wish->request->method))
        return preview->datagrams;
    return 2 * preview->datagrams + preview->expected * each;
}

static void count(const struct cg_wish *wish, struct cg_preview *preview) {
    const struct cg_mapping *mapping = wish->mapping;
    preview->expected = wish->member != NULL ? 1 : (uint32_t)mapping->member_count;
    preview->by_unicast = wish->member != NULL || cg_shape_is_large(mapping, wish->request->payload);
    preview->datagrams = preview->by_unicast ? preview->expected : (uint32_t)preview->target_count;
    preview->at_most = count_at_most(wish, preview);
    preview->frame_size = wish->config->group.frame_size;
}

static int preview_all(struct cg_engine *engine, const struct cg_wish *wish, struct cg_arena *arena,
                       struct cg_preview *preview, struct cg_problem *problem) {
    const struct cg_mapping *mapping = wish->mapping;
    struct cg_leg_request *requests = cg_arena_zalloc(arena, mapping->target_count * sizeof *requests);
    if (requests == NULL) return cg_problem_no_memory(problem);
    int err = cg_shape_requests(wish, arena, requests);
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
    if (err < 0) return cg_problem_set(problem, err, "the path does not go together with the group's URI");
    const size_t targets = wish->member != NULL ? 1 : mapping->target_count;
    for (size_t i = 0; err == CG_OK && i < targets && i < CG_PREVIEW_TARGETS; i++) {
        err = preview_target(engine, wish, &mapping->targets[i], &requests[i], &preview->targets[i], problem);
        preview->target_count++;
    }
    return err;
}

int cg_preview_make(struct cg_gateway *gateway, const struct cg_wish *wish, struct cg_preview *preview,
                    struct cg_problem *problem) {
    struct cg_arena arena;
    *preview = (struct cg_preview){0};
    cg_arena_init(&arena, ARENA_MAX, NULL);
    int err = preview_all(cg_gateway_engine(gateway), wish, &arena, preview, problem);
    cg_arena_fini(&arena);
    if (err == CG_OK) count(wish, preview);
    return err;
}

/* Whom the path means; as ADMIT has it. */
static int find_member(struct cg_wish *wish, struct cg_problem *problem) {
    struct cg_slice name;
    if (!cg_stand_in_split(&wish->rest, &name)) return CG_OK;
    if (wish->mapping->stand_in == CG_STAND_IN_MEMBERS) wish->member = cg_stand_in_find(wish->mapping, name);
    if (wish->member != NULL) return CG_OK;
    return cg_problem_set(problem, CG_E_NOT_FOUND, "mapping %s has no such member to be reached alone",
                          wish->mapping->name);
}

int cg_preview_request(struct cg_gateway *gateway, struct cg_config *config, const struct cg_request *request,
                       struct cg_preview *preview, struct cg_problem *problem) {
    struct cg_wish wish = {
        .config = config, .request = request, .expects_answers = !request->has_timeout || request->timeout_s > 0};
    int err = cg_route(config, request, &wish.mapping, &wish.rest, problem);
    if (err == CG_OK) err = cg_access_check(wish.mapping, request, problem);
    if (err == CG_OK) err = find_member(&wish, problem);
    return err == CG_OK ? cg_preview_make(gateway, &wish, preview, problem) : err;
}

/* ---- As JSON ---- */

static void put_budget(struct cg_buf *to, const struct cg_preview_target *target) {
    if (target->budget_requests == 0) {
        cg_buf_put_str(to, "null");
        return;
    }
    cg_buf_printf(to, "{\"share\":%.6g,\"requests\":%" PRIu32 ",\"seconds\":%" PRIu32 "}",
                  1.0 / target->budget_requests, target->budget_requests, target->budget_seconds);
}

static void put_target(struct cg_buf *to, const struct cg_preview_target *target) {
    char text[CG_ADDR_TEXT_MAX] = "";
    if (target->group.family != CG_FAMILY_NONE) cg_addr_emit(&target->group, text);
    cg_buf_put_str(to, "{\"to\":");
    cg_buf_put_json(to, cg_slice_str(text));
    cg_buf_put_str(to, ",\"interface\":");
    if (target->interface[0] == 0) {
        cg_buf_put_str(to, "null");
    } else {
        cg_buf_put_json(to, cg_slice_str(target->interface));
    }
    cg_buf_printf(to, ",\"bytes\":%" PRIu32 ",\"frames_6lowpan\":%" PRIu32 ",\"send_budget\":", target->bytes,
                  target->frames);
    put_budget(to, target);
    cg_buf_put_u8(to, '}');
}

static bool is_above_frame(const struct cg_preview *preview) {
    for (size_t i = 0; i < preview->target_count; i++) {
        if (preview->frame_size > 0 && preview->targets[i].bytes > preview->frame_size) return true;
    }
    return false;
}

void cg_preview_put_json(struct cg_buf *to, const struct cg_preview *preview) {
    uint64_t bytes = 0, frames = 0;
    for (size_t i = 0; i < preview->target_count; i++) {
        bytes += preview->targets[i].bytes;
        frames += preview->targets[i].frames;
    }
    cg_buf_printf(to,
                  "{\"datagrams\":%" PRIu32 ",\"at_most\":%" PRIu32 ",\"by_unicast\":%s,\"expected\":%" PRIu32
                  ",\"bytes\":%" PRIu64 ",\"frames_6lowpan\":%" PRIu64 ",\"above_frame_size\":%s,\"targets\":[",
                  preview->datagrams, preview->at_most, preview->by_unicast ? "true" : "false", preview->expected,
                  bytes, frames, is_above_frame(preview) ? "true" : "false");
    for (size_t i = 0; i < preview->target_count; i++) {
        if (i > 0) cg_buf_put_u8(to, ',');
        put_target(to, &preview->targets[i]);
    }
    cg_buf_put_str(to, "]}");
}
