/* What protection costs (Group OSCORE): answers verified, requests sealed, and what others feel meanwhile, each beside
 * the bare cryptographic function, or beside the same without protection. The hard thing is that answers under real
 * keys must be ready before anything is measured: secure_members.h seals them, then they wait in the socket's buffer.
 */
#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container.h"
#include "base/check.h"
#include "base/log.h"
#include "common/bare_verify.h"
#include "common/figures.h"
#include "common/protected_side.h"

enum {
    MANY = 10000,
    KNOWN = 1000, /* for what is done once a member */
    MANY_P256 = 2000,
    BYTES = 32,
    FEW = 3,
    ROUNDS = 15,
    PAIRWISE_ROUNDS = 31,
    EXCHANGES = 20, /* a round */
    SEAL_ROUNDS = 11,
    SEALS = 200, /* a round */
    SAMPLES_MAX = 200000,
    PROBE_PAUSE_MS = 2
};

#define SHARE_AIM    (1 / 0.85) /* 85 % of the library's own rate */
#define PAIRWISE_AIM 4.0        /* µs */

struct bench {
    struct bench_group_keys keys;
    struct bench_members members;
    struct bench_peer peer;
    struct bench_protected_side side;
    unsigned cores;
    bool quick;
};

static double process_ns(void) { return (double)bench_process_ns(getpid()); }

static size_t rounds_of(const struct bench *bench, size_t rounds) { return bench->quick ? rounds / 4 + 1 : rounds; }

/* Bursts */

struct burst {
    enum bench_mapping mapping;
    uint32_t answers;
    bool pairwise;
};

/* Sends the request; the answers wait in the socket's buffer then. */
static void fetch_answers(struct bench *bench, struct bench_ask *ask, const struct burst *burst) {
    struct bench_members_state *state = bench->members.state;
    uint32_t sent = state->sent;
    state->answers = burst->answers;
    state->bytes = BYTES;
    state->pairwise = burst->pairwise;
    state->hold = true;
    bench->side.emitted_ns = 0;
    *ask = (struct bench_ask){0};
    bench_side_ask(&bench->side, ask, burst->mapping, burst->answers);
    while (bench->side.emitted_ns == 0) uv_run(&bench->side.loop.uv, UV_RUN_NOWAIT);
    bench_members_let_send(&bench->members, sent + burst->answers);
}

/* From the first datagram to the reply; per answer. */
static struct bench_verified take_answers(struct bench *bench, const struct burst *burst) {
    struct bench_ask ask;
    fetch_answers(bench, &ask, burst);
    double start_cpu_ns = process_ns();
    uint64_t start_ns = bench_wall_ns();
    while (ask.end_ns == 0) uv_run(&bench->side.loop.uv, UV_RUN_ONCE);
    double wall_ns = (double)(ask.end_ns - start_ns), cpu_ns = process_ns() - start_cpu_ns;
    return (struct bench_verified){.wall_ns = wall_ns / burst->answers, .cpu_ns = cpu_ns / burst->answers};
}

/* Whole exchanges, whose members answer as they like: request, signature and all, over the answers. */
static double ask_again_and_again(struct bench *bench, uint32_t answers) {
    struct bench_members_state *state = bench->members.state;
    struct bench_ask ask = {0};
    state->answers = answers;
    state->bytes = BYTES;
    state->pairwise = false;
    state->hold = false;
    double start_ns = process_ns();
    for (int i = 0; i < EXCHANGES; i++) {
        bench_side_ask(&bench->side, &ask, BENCH_PROTECTED, answers);
        while (ask.end_ns == 0) uv_run(&bench->side.loop.uv, UV_RUN_ONCE);
    }
    return (process_ns() - start_ns) / EXCHANGES / answers;
}

/* Group mode, where waking up is what costs beside the signatures. */
static void compare_verifying_few(struct bench *bench, uint32_t answers, const char *algorithm, const char *library,
                                  double aim) {
    struct bench_rounds cpu = {0};
    struct bench_bare_verify bare;
    char figure[96], beside[64];
    ask_again_and_again(bench, answers);
    bench_bare_verify_init(&bare, &bench->keys, KNOWN, bench->members.state->signed_len);
    for (size_t i = 0; i < rounds_of(bench, ROUNDS); i++) {
        double library_ns = bench_bare_verify_round(&bare, 1).cpu_ns;
        bench_add_round(&cpu, ask_again_and_again(bench, answers) / 1000, library_ns / 1000);
    }
    snprintf(figure, sizeof figure, "%s, whole exchange of %u answers, CPU of all threads", algorithm, answers);
    snprintf(beside, sizeof beside, "%s verify", library);
    bench_put_rounds(&cpu,
                     (struct bench_row){.figure = figure, .unit = "µs CPU/answer", .beside = beside, .ratio_aim = aim});
    bench_bare_verify_fini(&bare);
}

/* Group mode: every answer's signature is verified. */
static void compare_verifying(struct bench *bench, uint32_t answers, const char *algorithm, const char *library) {
    struct burst burst = {.mapping = BENCH_PROTECTED, .answers = answers};
    struct bench_rounds wall = {0}, cpu = {0};
    struct bench_bare_verify bare;
    char figure[96], beside[64];
    take_answers(bench, &burst); /* once for nothing: keys are expanded, memory is touched */
    bench_bare_verify_init(&bare, &bench->keys, answers, bench->members.state->signed_len);
    for (size_t i = 0; i < rounds_of(bench, ROUNDS); i++) {
        struct bench_verified library_ns = bench_bare_verify_round(&bare, bench->cores);
        struct bench_verified gateway_ns = take_answers(bench, &burst);
        bench_add_round(&wall, gateway_ns.wall_ns / 1000, library_ns.wall_ns / 1000);
        bench_add_round(&cpu, gateway_ns.cpu_ns / 1000, library_ns.cpu_ns / 1000);
    }
    snprintf(figure, sizeof figure, "%s answers verified on all cores, %u at once", algorithm, answers);
    snprintf(beside, sizeof beside, "%s verify, all cores", library);
    bench_put_rounds(
        &wall, (struct bench_row){.figure = figure, .unit = "µs/answer", .beside = beside, .ratio_aim = SHARE_AIM});
    snprintf(figure, sizeof figure, "%s answers verified, CPU of all threads", algorithm);
    snprintf(beside, sizeof beside, "%s verify", library);
    bench_put_rounds(&cpu, (struct bench_row){.figure = figure, .unit = "µs CPU/answer", .beside = beside});
    bench_bare_verify_fini(&bare);
}

/* Pairwise mode: keys are cached after the first answer of a member. */
static void compare_pairwise(struct bench *bench, const char *algorithm) {
    struct burst pairwise = {.mapping = BENCH_PROTECTED, .answers = KNOWN, .pairwise = true};
    struct burst plain = {.mapping = BENCH_PLAIN, .answers = KNOWN};
    size_t rounds = rounds_of(bench, PAIRWISE_ROUNDS);
    double more[PAIRWISE_ROUNDS], first[PAIRWISE_ROUNDS];
    struct bench_rounds figures = {0};
    char figure[96];
    for (size_t i = 0; i < rounds; i++) {
        bench_side_set_members(&bench->side, KNOWN); /* nothing is cached */
        double first_ns = take_answers(bench, &pairwise).cpu_ns;
        double plain_ns = take_answers(bench, &plain).cpu_ns;
        double pairwise_ns = take_answers(bench, &pairwise).cpu_ns;
        bench_add_round(&figures, pairwise_ns / 1000, plain_ns / 1000);
        more[i] = (pairwise_ns - plain_ns) / 1000;
        first[i] = (first_ns - pairwise_ns) / 1000;
    }
    snprintf(figure, sizeof figure, "%s, pairwise answers, group side", algorithm);
    bench_put_rounds(&figures,
                     (struct bench_row){.figure = figure, .unit = "µs CPU/answer", .beside = "without protection"});
    snprintf(figure, sizeof figure, "%s, pairwise answers, beyond the plain group side", algorithm);
    bench_put_row(&(struct bench_row){
        .figure = figure, .unit = "µs CPU/answer", .measured = bench_median(more, rounds), .figure_aim = PAIRWISE_AIM});
    snprintf(figure, sizeof figure, "%s, first pairwise answer of each of 1000 members, more", algorithm);
    bench_put_row(
        &(struct bench_row){.figure = figure, .unit = "µs CPU/member", .measured = bench_median(first, rounds)});
    bench_side_set_members(&bench->side, bench->keys.count);
}

/* Requests */

struct request_cost {
    double cpu_ns; /* to the end of the exchange with one answer */
    double latency_us[SEALS * SEAL_ROUNDS];
    size_t count;
};

static void send_requests(struct bench *bench, enum bench_mapping mapping, struct request_cost *cost) {
    struct bench_members_state *state = bench->members.state;
    struct bench_ask ask = {0};
    state->answers = 1;
    state->hold = false;
    state->pairwise = true;
    double start_ns = process_ns();
    for (int i = 0; i < SEALS; i++) {
        bench_side_ask(&bench->side, &ask, mapping, 1);
        while (ask.end_ns == 0) uv_run(&bench->side.loop.uv, UV_RUN_ONCE);
        cost->latency_us[cost->count++] = (double)(bench->side.emitted_ns - ask.start_ns) / 1000;
    }
    cost->cpu_ns = (process_ns() - start_ns) / SEALS;
}

/* The protector is called as an ask calls it; nothing is sent. */
static double seal_for_member(struct bench *bench, enum bench_mapping mapping) {
    const struct bench_identity *member = &bench->keys.members[0];
    struct cg_protector *protector = bench->side.mappings[mapping].protector;
    uint8_t fingerprint[32];
    struct cg_buf out;
    uint64_t spent_ns = 0;
    crypto_hash_sha256(fingerprint, member->cred, member->cred_len);
    cg_buf_init(&out, 0);
    for (int sealed = 0; sealed < SEALS;) {
        struct cg_sealing sealing = {.mapping = &bench->side.mappings[mapping],
                                     .target = &bench->side.targets[mapping],
                                     .type = CG_CON,
                                     .method = CG_GET,
                                     .token = {.len = 8},
                                     .identity = cg_slice_of(fingerprint, sizeof fingerprint)};
        struct cg_binding *binding = NULL;
        struct cg_problem problem;
        cg_buf_clear(&out);
        uint64_t start_ns = bench_thread_ns();
        int err = protector->ops->seal(protector, &sealing, UINT64_MAX, &out, &binding, &problem);
        protector->ops->release(protector, binding);
        if (err == CG_OK) {
            spent_ns += bench_thread_ns() - start_ns;
            sealed++;
        }
        CG_CHECK(err >= 0);
        if (err == CG_PENDING) usleep(1000); /* the next numbers are being reserved */
        uv_run(&bench->side.loop.uv, UV_RUN_NOWAIT);
    }
    cg_buf_fini(&out);
    return (double)spent_ns / SEALS;
}

static void put_latency(const char *algorithm, struct request_cost *sealed, struct request_cost *plain,
                        double percent) {
    char figure[96];
    snprintf(figure, sizeof figure, "%s, request to datagram, group mode, %s", algorithm,
             percent == 50 ? "median" : "p99");
    struct bench_row row = {.figure = figure, .unit = "µs", .beside = "without protection"};
    row.measured = bench_percentile(sealed->latency_us, sealed->count, percent);
    row.peer = bench_percentile(plain->latency_us, plain->count, percent);
    row.ratio = row.measured / row.peer;
    bench_put_row(&row);
}

static void compare_sealing(struct bench *bench, const char *algorithm, const char *library) {
    static struct request_cost sealed, plain;
    struct bench_rounds cpu = {0}, pairwise = {0};
    char figure[96], beside[64];
    sealed.count = plain.count = 0;
    for (size_t i = 0; i < rounds_of(bench, SEAL_ROUNDS); i++) {
        double sign_ns = bench_bare_sign_round(&bench->keys, bench->members.state->signed_len, SEALS);
        send_requests(bench, BENCH_PROTECTED, &sealed);
        send_requests(bench, BENCH_PLAIN, &plain);
        bench_add_round(&cpu, (sealed.cpu_ns - plain.cpu_ns) / 1000, sign_ns / 1000);
        double pairwise_ns = seal_for_member(bench, BENCH_PROTECTED);
        bench_add_round(&pairwise, pairwise_ns / 1000, seal_for_member(bench, BENCH_PLAIN) / 1000);
    }
    snprintf(figure, sizeof figure, "%s, sealing a request in group mode (and one pairwise answer)", algorithm);
    snprintf(beside, sizeof beside, "%s sign", library);
    bench_put_rounds(&cpu, (struct bench_row){.figure = figure, .unit = "µs CPU", .beside = beside});
    put_latency(algorithm, &sealed, &plain, 50);
    put_latency(algorithm, &sealed, &plain, 99);
    snprintf(figure, sizeof figure, "%s, sealing a pairwise request", algorithm);
    bench_put_rounds(&pairwise, (struct bench_row){.figure = figure, .unit = "µs CPU", .beside = "without protection"});
}

/* What others feel */

enum { KINDS = 4 }; /* of what is sampled: see probe_start */

struct samples {
    double *values;
    size_t count;
};

static void add(struct samples *samples, double value) {
    if (samples->count < SAMPLES_MAX) samples->values[samples->count++] = value;
}

/* A small exchange without protection, again and again, and every turn of the loop. The first exchange of a burst is
 * counted apart: its answers come into the socket's buffer behind all others. */
struct probe {
    struct bench_ask ask;
    struct bench *bench;
    uv_timer_t pause;
    uv_prepare_t turn;
    bool stops, asks, first;
    uint64_t turn_ns, turn_wall_ns, turn_idle_ns;
    struct samples *turns, *wall_turns, *exchanges, *behind; /* behind: the first of each time */
};

static void ask_again(uv_timer_t *timer) {
    struct probe *probe = timer->data;
    probe->asks = true;
    bench_side_ask(&probe->bench->side, &probe->ask, BENCH_FEW, FEW);
}

static void on_answered(struct bench_ask *ask) {
    struct probe *probe = CG_CONTAINER(ask, struct probe, ask);
    add(probe->first ? probe->behind : probe->exchanges, (double)(ask->end_ns - ask->start_ns) / 1000);
    probe->first = false;
    probe->asks = false;
    if (!probe->stops) CG_CHECK(uv_timer_start(&probe->pause, ask_again, PROBE_PAUSE_MS, 0) == 0);
}

static void begin_turn(struct probe *probe) {
    probe->turn_ns = bench_thread_ns();
    probe->turn_wall_ns = bench_wall_ns();
    probe->turn_idle_ns = uv_metrics_idle_time(&probe->bench->side.loop.uv);
}

/* Before the loop sleeps. */
static void on_turn(uv_prepare_t *prepare) {
    struct probe *probe = prepare->data;
    struct probe before = *probe;
    begin_turn(probe);
    if (before.turn_ns == 0) return;
    uint64_t slept_ns = probe->turn_idle_ns - before.turn_idle_ns,
             passed_ns = probe->turn_wall_ns - before.turn_wall_ns;
    add(probe->turns, (double)(probe->turn_ns - before.turn_ns) / 1000);
    add(probe->wall_turns, passed_ns > slept_ns ? (double)(passed_ns - slept_ns) / 1000 : 0);
}

static void probe_open(struct probe *probe, struct bench *bench) {
    uv_loop_t *uv = &bench->side.loop.uv;
    *probe = (struct probe){.ask.ended = on_answered, .bench = bench};
    CG_CHECK(uv_timer_init(uv, &probe->pause) == 0 && uv_prepare_init(uv, &probe->turn) == 0);
    probe->pause.data = probe->turn.data = probe;
}

static void probe_start(struct probe *probe, struct samples samples[KINDS]) {
    probe->turns = &samples[0];
    probe->wall_turns = &samples[1];
    probe->exchanges = &samples[2];
    probe->behind = &samples[3];
    probe->first = true;
    probe->stops = false;
    probe->turn_ns = 0;
    CG_CHECK(uv_prepare_start(&probe->turn, on_turn) == 0);
    CG_CHECK(uv_timer_start(&probe->pause, ask_again, 0, 0) == 0);
}

static void probe_stop(struct probe *probe) {
    probe->stops = true;
    uv_prepare_stop(&probe->turn);
    uv_timer_stop(&probe->pause);
    while (probe->asks) uv_run(&probe->bench->side.loop.uv, UV_RUN_ONCE);
}

static void probe_close(struct probe *probe) {
    uv_close((uv_handle_t *)&probe->pause, NULL);
    uv_close((uv_handle_t *)&probe->turn, NULL);
}

static void run_for(struct bench *bench, uint64_t ns) {
    uint64_t end_ns = bench_wall_ns() + ns;
    while (bench_wall_ns() < end_ns) uv_run(&bench->side.loop.uv, UV_RUN_ONCE);
}

/* As long as the burst lasts, whose time is returned. */
static uint64_t probe_while_verifying(struct bench *bench, struct probe *probe, struct samples samples[KINDS]) {
    struct burst burst = {.mapping = BENCH_PROTECTED, .answers = MANY};
    struct bench_ask ask;
    fetch_answers(bench, &ask, &burst);
    uint64_t start_ns = bench_wall_ns();
    probe_start(probe, samples);
    while (ask.end_ns == 0) uv_run(&bench->side.loop.uv, UV_RUN_ONCE);
    probe_stop(probe);
    return ask.end_ns - start_ns;
}

struct busy {
    const struct bench_bare_verify *bare;
    unsigned cores;
    pthread_t thread;
};

static void *verify_meanwhile(void *ctx) {
    struct busy *busy = ctx;
    bench_bare_verify_round(busy->bare, busy->cores);
    return NULL;
}

/* As many bare verifications in other threads, which the gateway knows nothing of: what the machine alone does. */
static void probe_beside_library(struct bench *bench, struct probe *probe, const struct bench_bare_verify *bare,
                                 struct samples samples[KINDS], uint64_t ns) {
    struct busy busy = {.bare = bare, .cores = bench->cores};
    CG_CHECK(pthread_create(&busy.thread, NULL, verify_meanwhile, &busy) == 0);
    probe_start(probe, samples);
    run_for(bench, ns * 8 / 10);
    probe_stop(probe);
    CG_CHECK(pthread_join(busy.thread, NULL) == 0);
}

static void put_felt(const char *what, const char *beside, const struct samples *measured, const struct samples *peer,
                     double percent) {
    char figure[96];
    snprintf(figure, sizeof figure, "%s, %s", what, percent == 50 ? "median" : percent == 99 ? "p99" : "longest");
    struct bench_row row = {.figure = figure, .unit = "µs", .beside = beside};
    row.measured = bench_percentile(measured->values, measured->count, percent);
    row.peer = bench_percentile(peer->values, peer->count, percent);
    row.ratio = row.peer > 0 ? row.measured / row.peer : 0;
    bench_put_row(&row);
}

static void compare_what_others_feel(struct bench *bench) {
    enum { BUSY, IDLE, LIBRARY, CASES };
    static const double percents[] = {50, 99, 100};
    struct samples samples[CASES][KINDS];
    struct bench_bare_verify bare;
    static struct probe probe;
    for (int i = 0; i < CASES * KINDS; i++) {
        samples[i / KINDS][i % KINDS] = (struct samples){.values = malloc(SAMPLES_MAX * sizeof(double))};
        CG_CHECK(samples[i / KINDS][i % KINDS].values != NULL);
    }
    bench_bare_verify_init(&bare, &bench->keys, MANY, bench->members.state->signed_len);
    probe_open(&probe, bench);
    for (size_t i = 0; i < rounds_of(bench, ROUNDS); i++) {
        uint64_t ns = probe_while_verifying(bench, &probe, samples[BUSY]);
        probe_beside_library(bench, &probe, &bare, samples[LIBRARY], ns);
        probe_start(&probe, samples[IDLE]);
        run_for(bench, ns);
        probe_stop(&probe);
    }
    for (int i = 0; i < 3; i++)
        put_felt("a turn of the loop (CPU) while 10000 answers are verified", "idle", &samples[BUSY][0],
                 &samples[IDLE][0], percents[i]);
    for (int i = 0; i < 3; i++)
        put_felt("a turn of the loop (wall clock) meanwhile", "library verifies", &samples[BUSY][1],
                 &samples[LIBRARY][1], percents[i]);
    for (int i = 0; i < 3; i++)
        put_felt("a small exchange meanwhile", "idle", &samples[BUSY][2], &samples[IDLE][2], percents[i]);
    for (int i = 0; i < 3; i++)
        put_felt("a small exchange meanwhile", "library verifies", &samples[BUSY][2], &samples[LIBRARY][2],
                 percents[i]);
    put_felt("a small exchange that waits behind 10000 answers in the socket", "idle", &samples[BUSY][3],
             &samples[IDLE][3], 50);
    probe_close(&probe);
    bench_bare_verify_fini(&bare);
    for (int i = 0; i < CASES * KINDS; i++) free(samples[i / KINDS][i % KINDS].values);
}

/* All of it */

static void bench_init(struct bench *bench, enum cg_cose_curve curve, uint32_t members) {
    bench_group_keys_init(&bench->keys, curve, members);
    bench_members_start(&bench->members, &bench->keys);
    bench_peer_start(&bench->peer);
    bench_peer_set(&bench->peer, FEW, 60);
    bench_side_init(&bench->side, &bench->keys, &bench->members, &bench->peer);
    CG_CHECK(uv_loop_configure(&bench->side.loop.uv, UV_METRICS_IDLE_TIME) == 0);
}

static void bench_fini(struct bench *bench) {
    bench_side_fini(&bench->side);
    bench_peer_stop(&bench->peer);
    bench_members_stop(&bench->members);
    bench_group_keys_fini(&bench->keys);
}

int main(int argc, char **argv) {
    static struct bench bench;
    char threads[24];
    bench.quick = bench_is_quick(argc, argv);
    bench.cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(threads, sizeof threads, "%u", bench.cores); /* as main does */
    CG_CHECK(setenv("UV_THREADPOOL_SIZE", threads, 0) == 0);
    cg_log_set_level(CG_LOG_ERROR);
    mallopt(M_TRIM_THRESHOLD, 8 << 20); /* what glibc adapts to by itself in the program, after its first large reply */
    bench_init(&bench, CG_CURVE_ED25519, MANY);
    compare_verifying_few(&bench, 10, "EdDSA", "libsodium", 1.5);
    compare_verifying_few(&bench, KNOWN, "EdDSA", "libsodium", 1.15);
    compare_verifying(&bench, MANY, "EdDSA", "libsodium");
    compare_what_others_feel(&bench);
    compare_pairwise(&bench, "EdDSA");
    compare_sealing(&bench, "EdDSA", "libsodium");
    bench_fini(&bench);
    bench_init(&bench, CG_CURVE_P256, MANY_P256);
    compare_verifying(&bench, MANY_P256, "ES256", "OpenSSL");
    compare_pairwise(&bench, "ES256");
    compare_sealing(&bench, "ES256", "OpenSSL");
    bench_fini(&bench);
    return 0;
}
