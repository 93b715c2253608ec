/* Why: what the program puts together from settings and key files, from values. The hard thing is the order of its
 * beginning and end: the protector before the loop, the pool and the store on the loop, all of them outliving casts. */
#include "common/protected_side.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container.h"
#include "base/check.h"
#include "builtin.h"
#include "common/figures.h"
#include "settings/settings.h"
#include "store/sqlite.h"

static const struct cg_sender_id own_numbers = {.bytes = {1}};

_Noreturn static void end_program(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static void on_signal(void *ctx, int number) {
    (void)ctx;
    (void)number;
    end_program("stopped");
}

/* Makes no reply: the exchange ends with the last answer, and nothing else is counted. */
static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct bench_ask *ask = CG_CONTAINER(sink, struct bench_ask, sink);
    (void)ending;
    if (how == CG_SINK_LEFT) return;
    if (problem->err < 0) end_program(problem->detail);
    const struct castgate_summary *summary = &view->summary;
    uint32_t wanted = ask->side->mappings[ask->mapping].finish.count;
    if (summary->answered != wanted || summary->rejected > 0 || summary->failed > 0) end_program("answers were lost");
    ask->end_ns = bench_wall_ns();
    uv_stop(&ask->side->loop.uv); /* or it would sleep before whoever runs it looks */
    if (ask->ended != NULL) ask->ended(ask);
}

static const struct cg_sink_ops sink_ops = {.end = on_end};

/* Beginning */

/* The loop's way out, with a look at the clock. */
static int emit_and_note(void *ctx, const struct cg_route *route, struct cg_slice datagram,
                         struct cg_problem *problem) {
    struct bench_protected_side *side = CG_CONTAINER((struct cg_loop *)ctx, struct bench_protected_side, loop);
    int err = side->emit(ctx, route, datagram, problem);
    side->emitted_ns = bench_wall_ns();
    return err;
}

static void fill_config(struct bench_protected_side *side, const struct bench_members *members,
                        const struct bench_peer *peer) {
    static const char *const paths[BENCH_MAPPINGS] = {"/protected", "/plain", "/few"};
    const uint16_t ports[BENCH_MAPPINGS] = {members->group_port, members->group_port, peer->group_port};
    side->config = cg_settings_defaults();
    CG_CHECK(side->config != NULL);
    side->config->group.receive_buffer = BENCH_RECEIVE_BUFFER;
    side->grant = (struct cg_grant){.methods = CG_METHODS_SAFE};
    for (int i = 0; i < BENCH_MAPPINGS; i++) {
        side->targets[i] = (struct cg_target){.uri = "coap://" BENCH_GROUP "/", .interface = "lo", .hops = 1};
        CG_CHECK(cg_addr_parse(&side->targets[i].group, cg_slice_str(BENCH_GROUP), ports[i]) == CG_OK);
        side->mappings[i] = (struct cg_mapping){.name = paths[i] + 1,
                                                .path = paths[i],
                                                .targets = &side->targets[i],
                                                .target_count = 1,
                                                .protector = cg_protector_none(),
                                                .methods = CG_METHODS_ALL,
                                                .has_timeout = true,
                                                .timeout_us = 60 * 1000000,
                                                .max_timeout_us = 60 * 1000000,
                                                .finish = {.rule = CG_FINISH_COUNT},
                                                .max_answers = UINT16_MAX,
                                                .grants = &side->grant,
                                                .grant_count = 1};
    }
    side->mappings[BENCH_PROTECTED].security = CG_SECURITY_GROUP;
    side->mappings[BENCH_PROTECTED].protector = cg_group_oscore_protector(side->group);
    side->config->mappings = side->mappings;
    side->config->mapping_count = BENCH_MAPPINGS;
    CG_CHECK(cg_config_index(side->config) == CG_OK);
}

static void open_store(struct bench_protected_side *side) {
    struct cg_problem problem;
    struct cg_store_failure failure;
    snprintf(side->folder, sizeof side->folder, "/tmp/castgate-bench-XXXXXX");
    CG_CHECK(mkdtemp(side->folder) != NULL);
    if (cg_sqlite_init_state(side->folder, &problem) < 0) end_program(problem.detail);
    struct cg_store_backend *backend = cg_sqlite_new(side->folder, NULL);
    CG_CHECK(backend != NULL && backend->ops->claim(backend, &own_numbers, &failure) == CG_OK);
    side->store = cg_store_thread_open(&side->loop.uv, backend, &cg_store_watch, &problem);
    if (side->store == NULL) end_program(problem.detail);
    side->senders.store = cg_store_thread_store(side->store);
}

void bench_side_init(struct bench_protected_side *side, const struct bench_group_keys *keys,
                     const struct bench_members *members, const struct bench_peer *peer) {
    struct cg_problem problem = {0};
    *side = (struct bench_protected_side){.keys = keys};
    side->services = (struct cg_group_services){.senders = &side->senders, .crypto = &side->pool.crypto};
    side->group = cg_group_oscore_new(&side->services);
    CG_CHECK(side->group != NULL);
    fill_config(side, members, peer);
    if (cg_loop_init(&side->loop, side->config, on_signal, side, &problem) < 0) end_program(problem.detail);
    side->emit = side->loop.port.emit;
    side->loop.port.emit = emit_and_note;
    cg_crypto_pool_init(&side->pool, &side->loop.uv, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
    cg_senders_init(&side->senders, NULL);
    open_store(side);
    side->services.engine = cg_gateway_engine(side->loop.gateway);
    bench_side_set_members(side, keys->count);
}

void bench_side_set_members(struct bench_protected_side *side, uint32_t count) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params sender;
    struct cg_group_peer *peers = calloc(count, sizeof *peers);
    const char *why = "no memory";
    CG_CHECK(peers != NULL && count <= side->keys->count);
    bench_group_keys_params(side->keys, &side->keys->gateway, &params, &sender);
    for (uint32_t i = 0; i < count; i++) {
        const struct bench_identity *member = &side->keys->members[i];
        peers[i] = (struct cg_group_peer){.kid = cg_slice_of(member->kid, member->kid_len),
                                          .cred = cg_slice_of(member->cred, member->cred_len)};
    }
    struct cg_group_keys keys = {
        .digest = {++side->epoch}, .params = &params, .sender = own_numbers, .peers = peers, .peer_count = count};
    if (cg_group_oscore_stage(side->group, &keys, NULL, &why) < 0) end_program(why);
    cg_group_oscore_commit(side->group);
    free(peers);
}

/* End */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void bench_side_fini(struct bench_protected_side *side) {
    cg_store_thread_close(side->store, NULL, NULL);
    cg_crypto_pool_close(&side->pool);
    cg_loop_fini(&side->loop);
    cg_group_oscore_free(side->group);
    cg_crypto_pool_fini(&side->pool);
    cg_senders_fini(&side->senders);
    cg_config_unref(side->config);
    CG_CHECK(nftw(side->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

/* Exchanges */

void bench_side_ask(struct bench_protected_side *side, struct bench_ask *ask, enum bench_mapping mapping,
                    uint32_t answers) {
    struct cg_problem problem;
    struct cg_ticket ticket;
    struct cg_gateway *gateway = side->loop.gateway;
    ask->side = side;
    ask->mapping = mapping;
    ask->end_ns = 0;
    side->mappings[mapping].finish.count = answers;
    if (cg_gateway_new_exchange(gateway, &ticket, &problem) < 0) end_program(problem.detail);
    struct cg_request *request = cg_gateway_request(gateway, ticket);
    request->method = CG_GET;
    request->may_be_anonymous = true;
    request->path = cg_slice_str(side->mappings[mapping].path);
    ask->sink.ops = &sink_ops;
    ask->start_ns = bench_wall_ns();
    cg_gateway_start(gateway, ticket, &ask->sink, cg_loop_now_us());
}
